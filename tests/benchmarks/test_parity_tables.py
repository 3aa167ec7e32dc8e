"""The pages of parity tables, without running the comparison."""

import runpy
import subprocess
import sys

import pytest
from paths import ROOT


@pytest.fixture(scope="module")
def script():
    """The names of the script, which lies outside the packages."""
    return runpy.run_path(str(ROOT / "benchmarks" / "parity_tables.py"))


@pytest.mark.parametrize(("precision", "option"), [("float64", True), ("float32", False)])
def test_a_page_names_its_commit_and_command(script, precision, option):
    page = script["page"](precision, "### PointGoal1\n\n| steps |", "abc1234")
    assert page.startswith(f"# Parity tables, {precision}\n") and "made at commit abc1234" in page
    assert ("FILE.npz … --x64" in page) == option
    assert page.endswith("\n\n## PointGoal1\n\n| steps |\n"), "the tool's headings move up to the page's level"


def test_without_recordings_no_page_is_written(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "parity_tables.py"), "missing.npz", "--folder", str(tmp_path)]
    assert subprocess.run(command, capture_output=True).returncode
    assert not list(tmp_path.iterdir())
