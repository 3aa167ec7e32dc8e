"""The lock, the declared dependencies and what the packages import agree; the packages' imports point downwards."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cvpo_jax", "envs", "experiments")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def normalized(requirement: str) -> str:
    """`tensorboardX>=2` -> `tensorboardx`."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()


def declared() -> set[str]:
    return {normalized(requirement) for requirement in PROJECT["project"]["dependencies"]}


def locked() -> dict[str, str]:
    """Name -> the rest of its entry: version and hashes."""
    entries = LOCK.replace("\\\n", " ").splitlines()
    return {normalized(name): rest for name, rest in (entry.split("==") for entry in entries)}


def imported(package: str) -> set[str]:
    """Top-level names imported anywhere in a package."""
    names = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return names


def test_lock_pins_everything_declared_by_hash():
    groups = PROJECT["dependency-groups"]
    wanted = declared() | {normalized(name) for group in groups.values() for name in group}
    assert wanted <= locked().keys()
    for name, rest in locked().items():
        assert re.fullmatch(r"[\w.+]+(\s+--hash=sha256:[0-9a-f]{64})+", rest), name


def test_lock_installs_what_is_tested():
    """These versions are what the project promises; a new lock must not move them by accident."""
    versions = {name: rest.split()[0] for name, rest in locked().items()}
    assert versions["jax"] == "0.10.2"
    assert versions["brax"] == "0.14.2"
    assert versions["safety-gymnasium"] == "1.0.0"
    assert "torch" not in versions


@pytest.mark.parametrize("name", ["requirements.lock", "Makefile", "pyproject.toml", ".ci/run"])
def test_build_files_name_no_address(name):
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / name).read_text())


def test_every_third_party_import_is_declared():
    distributions = importlib.metadata.packages_distributions()
    optional = {"safety_gymnasium", "gymnasium", "ray"}
    third_party = set().union(*map(imported, PACKAGES)) - set(PACKAGES) - set(sys.stdlib_module_names) - optional
    undeclared = {name for name in third_party if not {normalized(d) for d in distributions[name]} & declared()}
    assert not undeclared


def test_envs_knows_nothing_of_the_algorithm():
    assert not imported("envs") & {"cvpo_jax", "experiments"}
