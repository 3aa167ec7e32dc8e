"""The lock, the declared dependencies and what the packages import agree; the packages' imports point downwards."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from cvpo_jax import __version__

ROOT = Path(__file__).parents[1]
PACKAGES = ("cvpo_jax", "envs", "experiments")
OPTIONAL = {
    "flatbuffers": "imported when a policy is exported as StableHLO only",
    "gymnasium": "imported for environments on the host only",
    "imageio-ffmpeg": "imported for films as mp4 where the system has no ffmpeg only",
    "mlflow": "imported by the logger of that name only",
    "onnx": "imported when a policy is exported as ONNX only",
    "optuna": "imported by the command that searches only",
    "playground": "imported by an experiment on one of its environments only",
    "ray": "imported by the command that runs Ray Tune only",
    "safety-gymnasium": "imported for the original environments only",
    "wandb": "imported by the logger of that name only",
}
PROGRAMS = {"tensorboard"}
"""Packages that users start themselves, so that nothing of ours imports them."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def normalized(requirement: str) -> str:
    """`tensorboardX>=2` -> `tensorboardx`."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()


def required() -> set[str]:
    return {normalized(requirement) for requirement in PROJECT["project"]["dependencies"]}


def optional() -> set[str]:
    """What the extras and the groups add, except for the developers' tools."""
    added = {**PROJECT["dependency-groups"], **PROJECT["project"]["optional-dependencies"]}
    return {normalized(name) for group, names in added.items() if group != "dev" for name in names} - required()


def locked() -> dict[str, str]:
    """Name -> the rest of its entry: version and hashes."""
    entries = LOCK.replace("\\\n", " ").splitlines()
    return {normalized(name): rest for name, rest in (entry.split("==") for entry in entries)}


def imported(package: str) -> set[str]:
    """Modules imported anywhere in a package; what is imported from a module may be a module, too."""
    names = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def owners() -> dict[str, str]:
    """Module -> the distribution that installed it; `mujoco` and `mujoco.mjx` come from two."""
    paths = {}
    for distribution in importlib.metadata.distributions():
        record = distribution.read_text("RECORD") or ""
        paths |= dict.fromkeys((line.partition(",")[0] for line in record.splitlines()), normalized(distribution.name))
    modules = {path: name for path, name in paths.items() if path.endswith((".py", ".so"))}
    return {path.partition(".")[0].replace("/", ".").removesuffix(".__init__"): name for path, name in modules.items()}


@cache
def used() -> frozenset[str]:
    """Distributions whose modules our packages import."""
    known, found = owners(), set()
    for module in set().union(*map(imported, PACKAGES)):
        parts = module.split(".")
        if parts[0] not in {*PACKAGES, *sys.stdlib_module_names}:
            prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
            # An optional package that is not installed goes by its own name.
            found.add(next((known[prefix] for prefix in prefixes if prefix in known), normalized(parts[0])))
    return frozenset(found)


def test_lock_pins_everything_declared_by_hash():
    groups = PROJECT["dependency-groups"]
    wanted = required() | {normalized(name) for group in groups.values() for name in group}
    assert wanted <= locked().keys()
    for name, rest in locked().items():
        assert re.fullmatch(r"[\w.+]+(\s+--hash=sha256:[0-9a-f]{64})+", rest), name


def test_lock_installs_what_is_tested():
    """These versions are what the project promises; a new lock must not move them by accident."""
    versions = {name: rest.split()[0] for name, rest in locked().items()}
    assert versions["jax"] == "0.10.2"
    assert versions["brax"] == "0.14.2"
    assert versions["safety-gymnasium"] == "1.0.0"
    assert versions["gymnasium"].startswith("1."), "where users' environments of today are registered"
    assert versions["mujoco"] == versions["mujoco-mjx"]
    assert not versions.keys() & {"torch", "warp-lang"}, "large, and nothing here needs them"


@pytest.mark.parametrize(
    "name", ["requirements.lock", "Makefile", "pyproject.toml", "setup.py", "Dockerfile", ".ci/run"]
)
def test_build_files_name_no_address(name):
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / name).read_text())


def test_every_file_that_names_the_version_names_the_same():
    version = PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert version == "cvpo_jax.__version__"
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE)[1] == __version__
    assert re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1] == __version__


def test_the_container_has_all_that_the_wheel_is_built_from():
    copied = set(
        re.findall(r"\S+", " ".join(re.findall(r"^COPY (.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)))
    )
    assert copied == {"pyproject.toml", "setup.py", "README.md", "LICENSE", *PACKAGES}


def test_every_third_party_import_is_declared():
    assert used() - required() == OPTIONAL.keys()
    assert OPTIONAL.keys() <= optional()


def test_everything_declared_is_imported():
    assert (required() | optional()) - used() == PROGRAMS


def test_envs_knows_nothing_of_the_algorithm():
    assert not {name.split(".")[0] for name in imported("envs")} & {"cvpo_jax", "experiments"}


@pytest.mark.xdist_group("seen")
def test_groups_of_tests_are_seen(request):
    """What a group compiles is compiled twice where pytest and pytest-xdist do not understand each other."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("run by one process")
    assert request.node.nodeid.endswith("@seen")
