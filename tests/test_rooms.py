"""The rooms: imports go one way, Brax and jaxopt stay where they belong, and folders say what they hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

# Each may import itself and what stands before it.
CVPO_JAX = (
    "config",
    "runtime",
    "algorithm",
    "experience",
    "runs",
    "training",
    "sweeps",
    "profiling",
    "pages",
    "commands",
)
ENVS = ("base", "batching", "physics", "host", "safety_gymnasium", "navigation", "adapters", "vector", "top", "parity")
BASE = {"_mjx", "base", "staggering"}
"""Files at the top of envs/ that everything may use; `vector` needs batching, the others are doors."""


def room(module: str) -> str:
    """`cvpo_jax.runs.policy` -> `runs`; a file at the top of cvpo_jax is a command."""
    package, *rest = module.split(".")
    inside = (ROOT / package / rest[0]).is_dir() if rest else False
    if inside:
        return rest[0]
    if package == "cvpo_jax":
        return "commands"
    name = rest[0] if rest else "top"
    return "base" if name in BASE else "vector" if name == "vector" else "top"


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("cvpo_jax", "envs"):
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                is_module = (ROOT / deeper.replace(".", "/")).with_suffix(".py").exists()
                yield deeper if is_module or (ROOT / deeper.replace(".", "/")).is_dir() else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in ("cvpo_jax", "envs"))


def upward(package: str, order: tuple[str, ...]) -> list[str]:
    """Each import against the order, as `importer -> imported`."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module == package:
            continue  # the public face, which imports everything when asked
        for imported in imports(path):
            ours = imported.split(".")[0] == package
            if ours and order.index(room(imported)) > order.index(room(module)):
                found.append(f"{module} -> {imported}")
    return found


@pytest.mark.parametrize(("package", "order"), [("cvpo_jax", CVPO_JAX), ("envs", ENVS)])
def test_imports_go_one_way(package, order):
    rooms = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms <= set(order), "a folder that has no place in the order"
    assert not upward(package, order)


def test_envs_knows_nothing_of_the_trainer():
    for path in (ROOT / "envs").rglob("*.py"):
        assert not any(name.startswith("cvpo_jax") for name in imports(path)), path


@pytest.mark.parametrize("package", ["cvpo_jax", "envs"])
def test_each_folder_says_what_it_holds(package):
    for init in (ROOT / package).glob("*/**/__init__.py"):
        said = ast.get_docstring(ast.parse(init.read_text()))
        assert said, init


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("jaxopt", {"cvpo_jax/algorithm/estep.py"}),
        ("brax", {"cvpo_jax/algorithm/running_statistics.py", "envs/base.py", "envs/registry.py", "envs/velocity.py"}),
    ],
)
def test_libraries_that_nobody_develops_any_more_are_imported_in_few_places(library, homes):
    found = set()
    for package in ("cvpo_jax", "envs"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if any(name.split(".")[0] == library for name in names):
                    found.add(str(path.relative_to(ROOT)))
    assert found == homes


def test_no_exported_function_hides_a_command():
    import cvpo_jax

    commands = {path.stem for path in (ROOT / "cvpo_jax").glob("*.py")}
    assert not commands & set(cvpo_jax.__all__)
    for name in cvpo_jax.__all__:
        assert getattr(cvpo_jax, name) is not None, name
