"""Every benchmark starts, is listed in the README, and the README's links lead somewhere."""

import re
import subprocess
import sys

import pytest
from paths import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if "__main__" in path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("script", [*SCRIPTS, FOLDER / "peers" / "compare.py"], ids=lambda path: path.stem)
def test_a_script_prints_its_help(script):
    shown = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, cwd=ROOT)
    assert not shown.returncode and "usage:" in shown.stdout, shown.stderr


def test_the_readme_lists_every_script():
    page = (FOLDER / "README.md").read_text()
    assert [path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".sh") and path.name not in page] == []


@pytest.mark.parametrize("page", ["benchmarks/README.md", "results/README.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert links and [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
