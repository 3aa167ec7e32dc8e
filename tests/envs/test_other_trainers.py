"""The examples of the page on the ports for other trainers."""

import re
import subprocess
import sys
import sysconfig
import venv

import pytest
from paths import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "gymnasium_api.md").read_text(), re.S)


def test_the_loop_of_the_page_counts_costs():
    scope = {}
    exec(BLOCKS[0], scope)
    assert scope["env"].render().shape == (480, 480, 3) and scope["total"].shape == (16,)
    assert (scope["total"] >= 0).all() and scope["infos"]["_cost"].all()


@pytest.mark.slow
def test_stable_baselines3_trains_by_the_page_in_an_environment_of_its_own(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "ours.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")
    words = [python, "-m", "pip", "install", "--quiet", "--prefer-binary"]
    installed = subprocess.run([*words, "stable-baselines3"], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"stable-baselines3 cannot be installed: {installed.stderr.splitlines()[-1]}")
    check = "\nassert model.num_timesteps == 2000 and env.action_space.contains(action), action\nprint('trained')"
    code = BLOCKS[1] + check
    trained = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert trained.stdout.endswith("trained\n"), trained.stderr
    assert "stable_baselines3" not in sys.modules
