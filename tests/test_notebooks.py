"""The notebooks, run cell by cell as they stand but for what their cell of parameters says: in a short form."""

import json
import os
import subprocess
import sys

import pytest
from paths import ROOT

FOLDER = ROOT / "docs" / "notebooks"
SHORT = """STEPS, EPISODES = 3_000, 4
OPTIONS = {"name": "sac_lag", "hidden": (8,), "batch_size": 32, "quantiles": 1, "unconstrained_updates": 0}
"""
"""SAC-Lagrangian compiles sooner."""
ENDS = {"first_training": "returns:", "own_task": "train: "}


def test_every_notebook_is_run():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(ENDS)


@pytest.mark.parametrize("name", [pytest.param("first_training", marks=pytest.mark.slow), "own_task"])
def test_cells_run_in_their_order(name, tmp_path):
    cells = [
        cell for cell in json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"] if cell["cell_type"] == "code"
    ]
    assert not any(cell["outputs"] for cell in cells), "outputs are left out"
    assert "".join(cells[0]["source"]).count("=") >= 3 and cells[0]["metadata"]["tags"] == ["parameters"]
    code = [SHORT, *("".join(cell["source"]) for cell in cells[1:])]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "\n\n".join(code)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert ENDS[name] in done.stdout
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert (run_dir / "learning_curve.png").is_file() and (run_dir / "metrics.jsonl").read_text()
