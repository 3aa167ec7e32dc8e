"""What the soak tells of a training: growth by hand, and what a process holds as it does."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from paths import ROOT


@pytest.fixture(scope="module")
def soak():
    """The script, which lies outside the packages."""
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks" / "soak.py")
    sys.modules["soak"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_growth_is_the_slope_after_the_first_tenth(soak):
    first = soak.Sample(0.0, 500.0, 0.0, 100, 8, 1, 0.0, 1)
    later = [replace(first, minutes=m, memory_mib=900 + m / 6, open_files=7, evaluations=m) for m in (12, 60, 120)]
    rates = soak.growth([first, *later])
    assert rates["memory_mib"] == pytest.approx(10) and rates["evaluations"] == pytest.approx(60)
    assert rates["open_files"] == pytest.approx(0, abs=1e-9)
    assert soak.growth([first]) == {}


def test_a_process_is_looked_at_with_those_it_started(soak, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "array").write_bytes(bytes(2**20))
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    child.stdout.readline()
    before = soak._sample(os.getpid(), tmp_path, 1.0, 3)
    with open(os.devnull):
        opened = soak._sample(os.getpid(), tmp_path, 2.0, 3)
    child.communicate(b"\n")
    after = soak._sample(os.getpid(), tmp_path, 3.0, 3)
    assert before.disk_mib == 1 and before.evaluations == 3
    assert opened.open_files == before.open_files + 1
    assert before.processes == after.processes + 1
    assert before.workers_memory_mib - after.workers_memory_mib > 2 and before.memory_mib > 10
