"""The wheel as a user has it, away from the checkout: one name, with the environments and examples inside."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from paths import ROOT

import cvpo_jax
import envs
from cvpo_jax import ConfigError, cli, init

pytestmark = pytest.mark.xdist_group("wheel")
PARTS = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "cvpo_jax", "envs", "experiments")
MOVED = ("envs", "experiments")
# SAC-Lagrangian compiles sooner.
SMALL = (
    "--env.num_envs=4 --algo.hidden 8 --algo.batch_size=16 --algo.name=sac_lag --algo.quantiles=1 --train.steps=300"
    " --train.epoch_steps=64 --train.warmup_steps=64 --train.updates_per_step=0.0625 --train.replay_size=400"
    " --train.devices=1 --eval.episodes=3"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy: setuptools leaves its work beside the sources."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", built, source]
    subprocess.run(build, check=True)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    subprocess.run([*install, "--no-index", "--target", folder, wheel], check=True)
    return folder


@pytest.fixture(scope="module")
def project(site, tmp_path_factory) -> Path:
    """A user's folder, begun by `cvpo init`."""
    folder = tmp_path_factory.mktemp("user")
    done = in_wheel(site, folder, str(site / "bin" / "cvpo"), "init", "mine")
    assert done.returncode == 0, done.stderr
    assert "cd mine" in done.stdout and "cvpo run experiments/point_goal.py" in done.stdout
    return folder / "mine"


def in_wheel(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run Python on what the wheel installed; whoever imports `envs` there finds the user's, which is another."""
    theirs = site.parent / "theirs"
    theirs.mkdir(exist_ok=True)
    (theirs / "envs.py").write_text("raise ImportError('this is the envs of somebody else')\n")
    where = {"PYTHONPATH": os.pathsep.join(map(str, (theirs, site))), "PYTHONSAFEPATH": ""}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | where, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_wheel_takes_one_name_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name.split("/")[0] for name in names} == {"cvpo_jax", f"cvpo_jax-{cvpo_jax.__version__}.dist-info"}
    assert f"Version: {cvpo_jax.__version__}" in metadata and "License-Expression: MIT" in metadata
    files = {
        path.relative_to(ROOT) for folder in MOVED for path in (ROOT / folder).rglob("*.*") if path.suffix != ".pyc"
    }
    files |= {path.relative_to(ROOT / "cvpo_jax") for path in (ROOT / "cvpo_jax").rglob("*.*") if path.suffix != ".pyc"}
    assert {f"cvpo_jax/{path}" for path in files} <= set(names)


def test_nothing_in_the_wheel_imports_the_name_of_the_checkout(site):
    for path in (site / "cvpo_jax").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
            assert not any(name.split(".")[0] == "envs" and "." in name for name in names), path
            assert not (isinstance(node, ast.Import) and "envs" in names), path


def test_there_is_one_copy_of_each_class_and_workers_do_without_jax(site, tmp_path):
    code = (
        "import sys\n"
        "import cvpo_jax.envs.host.worker\n"
        "assert not {'jax', 'brax'} & sys.modules.keys(), 'a worker would import JAX'\n"
        "from cvpo_jax import envs\n"
        "assert envs is sys.modules['cvpo_jax.envs'] and 'envs' not in sys.modules\n"
        "from cvpo_jax.envs.base import SafeEnv\n"
        "assert isinstance(envs.make('SafetyPointGoal1-v0'), SafeEnv) and envs.SafeEnv is SafeEnv\n"
        "import gymnasium\n"
        "print(type(gymnasium.make('cvpo_jax/SafetyPointGoal1-v0').unwrapped).__module__, cvpo_jax.__file__)\n"
    )
    done = in_wheel(site, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["cvpo_jax.envs.gymnasium_api", str(site / "cvpo_jax" / "__init__.py")]


def test_the_checkout_offers_its_environments_as_the_wheel_does():
    assert cvpo_jax.envs is envs


def test_an_example_trains_on_workers_and_is_evaluated(site, project):
    cvpo = str(site / "bin" / "cvpo")
    done = in_wheel(site, project, cvpo, "run", "experiments/own/tank.py", "--run_dir", "runs/tank", *SMALL.split())
    assert done.returncode == 0, done.stderr
    assert (project / "runs" / "tank" / "learning_curve.png").exists()
    done = in_wheel(site, project, cvpo, "evaluate", "runs/tank", "--episodes", "4", "--json")
    assert '"cost_mean"' in done.stdout, done.stderr


@pytest.mark.parametrize("words", ["-m cvpo_jax.envs.check", "-m cvpo_jax.check", "cvpo check"])
def test_an_environment_is_checked_under_any_name_of_the_command(words, site, project):
    start = words.replace("cvpo check", f"{site / 'bin' / 'cvpo'} check").split()
    done = in_wheel(site, project, *start, "tank:Tank", "--folder", "experiments/own", "--episode_length=50")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("train: python -m cvpo_jax.run --env.id tank:Tank --env.folder")


@pytest.mark.slow  # it installs all dependencies anew
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_later_pythons_install_it_and_check_an_environment(version, wheel, tmp_path):
    """Without the lock, whose packages are Python 3.11's: with what the index gives for this version."""
    python = shutil.which(f"python{version}")
    # The stand-ins of version managers are there without the Python that they stand for.
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version}")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"
    # Flags of the locked JAX may be unknown to a later one, which they end.
    ours = ("PYTHONPATH", "XLA_FLAGS")
    outside = {name: value for name, value in os.environ.items() if name not in ours}

    def said(*words: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(words, cwd=tmp_path, env=outside, capture_output=True, text=True, check=False)

    installed = said(programs / "pip", "install", "--quiet", f"{wheel}[gymnasium]")
    if installed.returncode:
        pytest.skip(f"its dependencies cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    imported = said(programs / "python", "-c", "import cvpo_jax.envs; cvpo_jax.train")
    assert imported.returncode == 0, imported.stderr
    assert "usage: cvpo COMMAND" in said(programs / "cvpo", "--help").stdout
    assert said(programs / "cvpo", "init", "mine").returncode == 0
    tank = ("tank:Tank", "--folder", "mine/experiments/own", "--episode_length=50")
    done = said(programs / "cvpo", "check", *tank)
    assert done.returncode == 0 and "train: " in done.stdout, done.stdout + done.stderr


def test_copied_experiments_know_one_another_and_the_environments(site, project):
    cvpo = str(site / "bin" / "cvpo")
    for name in ("gpu/point_goal.py", "paper/car_goal.py", "few_steps/point_button.py"):
        done = in_wheel(site, project, cvpo, "run", f"experiments/{name}", "--help")
        assert done.returncode == 0 and "--algo.gamma" in done.stdout, done.stderr
    code = "import runpy; runpy.run_path('experiments/own/pendulum.py')['make_pendulum']"
    done = in_wheel(site, project, "-c", code)
    assert done.returncode == 0, done.stderr


def test_the_parity_command_has_its_name(site, tmp_path):
    done = in_wheel(site, tmp_path, "-m", "cvpo_jax.envs.parity", "--help")
    assert done.stdout.startswith("usage: python -m cvpo_jax.envs.parity"), done.stderr


def test_nothing_is_overwritten(tmp_path, capsys):
    assert cli.main(init.command, [str(tmp_path / "new")]) == 0
    assert "experiments/point_goal.py" in capsys.readouterr().out
    copied = {path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*.*")}
    assert {
        path.relative_to(ROOT) for path in (ROOT / "experiments").rglob("*.[px][ym]*") if path.suffix != ".pyc"
    } == copied
    (tmp_path / "new" / "experiments" / "point_goal.py").write_text("mine")
    assert cli.main(init.command, [str(tmp_path / "new")]) == cli.WRONG
    assert "experiments exists: nothing is overwritten" in capsys.readouterr().err
    assert (tmp_path / "new" / "experiments" / "point_goal.py").read_text() == "mine"
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "experiments").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        init.copy_experiments(tmp_path / "dangling")
