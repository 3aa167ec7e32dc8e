"""The pages of the documentation: generated ones are up to date, and what they name exists."""

import ast
import dataclasses
import importlib.util
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT

from cvpo_jax.config import Config, ControllerConfig
from cvpo_jax.experience.evaluation import EvaluationResult, summarize, summarize_each
from cvpo_jax.runs.metric_keys import GROUPS, metric_names

DOCS = sorted((ROOT / "docs").rglob("*.md"))
OTHERS = [ROOT / name / "README.md" for name in (".", "benchmarks", "benchmarks/peers", "results", "tests")]
PAGES = [*OTHERS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS]
KINDS = {"guide", "reference", "design", "lab"}
FOLDERS = "benchmarks|cvpo_jax|docs|envs|experiments|results|tests"


@pytest.fixture(scope="module")
def generate() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_option_without_a_docstring_is_refused(generate: types.ModuleType) -> None:
    @dataclasses.dataclass
    class Section:
        """Options."""

        known: int = 1
        """What it is."""
        unknown: int = 2

    with pytest.raises(ValueError, match=r"Section\.unknown has no docstring"):
        generate.field_docs(Section)


@pytest.mark.xdist_group("tiny_run")
def test_metrics_of_a_run_are_those_listed(tiny_run: Path) -> None:
    rows = [json.loads(line) for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        assert set(row) == set(metric_names(1))


def test_several_constraints_have_an_index_each() -> None:
    names = set(metric_names(2))
    assert {"cost_0_mean", "cost_1_q90", "cost_limit_0", "cost/pressure_1", "return_mean"} <= names
    episodes = EvaluationResult(np.zeros(4), np.zeros((4, 2)))
    assert set(summarize(episodes, (1.0, 2.0))) < names
    assert (
        len(names)
        == len(metric_names(2))
        == len(metric_names(1)) + sum("{c}" in key.name for group in GROUPS for key in group.keys)
    )


def test_every_page_is_of_one_kind() -> None:
    folders = {path.parent.name for path in DOCS}
    assert folders == KINDS | {"docs"}
    assert [path.name for path in (ROOT / "docs").glob("*.md")] == ["index.md"]


def test_the_map_has_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)", index.read_text())}
    assert not set(DOCS) - {index} - linked


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    broken = [
        target
        for target in targets
        if "://" not in target and not (page.parent / (target.partition("#")[0] or page.name)).exists()
    ]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+#[^)\s]+|#[^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        heads = re.findall(r"^#+ (.*)$", ((page.parent / name) if name else page).read_text(), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(rf"(?<![\w/.:-])((?:{FOLDERS})/[\w./*-]*[\w*])", page.read_text())
    # Capitals stand for what the reader puts in: experiments/TASK.py.
    missing = [
        name for name in named if not re.search("[A-Z]{3}", name.replace("README", "")) and not [*ROOT.glob(name)]
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_that_are_named_exist(page: Path) -> None:
    known = {
        f"{section}.{option.name}"
        for section, value in vars(Config()).items()
        if dataclasses.is_dataclass(value)
        for option in dataclasses.fields(value)
    }
    text = page.read_text()
    sections = "|".join({name.partition(".")[0] for name in known})
    named = re.findall(rf"(?:--|`)((?:{sections})\.[\w-]+)(?!\w*\()", text)
    assert not {name.replace("-", "_") for name in named} - known


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_take_their_options(page: Path) -> None:
    """Options with a dot are checked above; those of the commands themselves stand on the page of commands."""
    listed = re.split(r"^## python -m ", (ROOT / "docs/reference/commands.md").read_text(), flags=re.MULTILINE)[1:]
    known = {text.split()[0]: set(re.findall(r"--\w+", text)) for text in listed}
    lines = page.read_text().replace("\\\n", " ").splitlines()
    for line in lines:
        for module, rest in re.findall(r"python -m ((?:cvpo_jax|envs)\.\w+)([^`#|]*)", line):
            named = {
                option.replace("-", "_").replace("__", "--", 1) for option in re.findall(r"--[\w-]+(?![\w.-])", rest)
            }
            assert named <= known[module], (line, named - known[module])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_that_snippets_import_exist(page: Path) -> None:
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("cvpo_jax", "envs"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def test_every_constant_of_the_controller_is_explained() -> None:
    page = (ROOT / "docs" / "design" / "limit_controller.md").read_text()
    assert not [option.name for option in dataclasses.fields(ControllerConfig) if f"`{option.name}`" not in page]


def test_options_that_a_resumed_run_keeps_are_named() -> None:
    page = (ROOT / "docs" / "reference" / "run_directory.md").read_text()
    assert not [name for name, _ in Config().shaping() if f"`{name}`" not in page]


def test_the_readme_starts_with_what_how_and_a_picture() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    first_screen = "\n".join(lines[:25])
    assert len(lines) <= 90
    for part in ("make run", "make test", "results/figures/point_goal.gif"):
        assert part in first_screen


def test_several_limits_have_their_means_and_an_index_each() -> None:
    names = set(metric_names(1, num_limits=2))
    assert {"return_mean", "return_0_mean", "cost_1_q90", "cost_limit", "cost/pressure", "estep/eta_1"} <= names
    assert set(summarize_each(EvaluationResult(np.zeros(4), np.zeros((4, 1))), (1.0, 2.0))) < names
