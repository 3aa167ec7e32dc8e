"""The site that `make docs-site` builds of docs/; what needs mkdocs or a browser skips where there is none."""

import importlib
import importlib.util
import re
import subprocess
import types
from pathlib import Path

import browser
import pytest
from paths import ROOT

import cvpo_jax
import envs

DOCS = ROOT / "docs"
MKDOCS = ROOT / ".venv-site" / "bin" / "mkdocs"


@pytest.fixture(scope="module")
def hooks() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    if not MKDOCS.exists():
        pytest.skip("mkdocs is not installed: make docs-site installs it")
    folder = tmp_path_factory.mktemp("site")
    command = [MKDOCS, "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_navigation_has_every_page_once(hooks):
    first, *tabs = hooks.navigation()
    named = [first, *(page for tab in tabs for pages in tab.values() for page in pages)]
    assert sorted(named) == sorted([*(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")), hooks.REFERENCE])
    assert tabs[0]["Guides"][0] == "guide/train.md", "as docs/index.md has them"


def test_the_reference_names_what_the_packages_export(hooks):
    found = hooks.public_names()
    for package in (cvpo_jax, envs):
        assert [name.rpartition(".")[2] for name in found[package.__name__]] == package.__all__
        for name in found[package.__name__]:
            home, _, last = name.rpartition(".")
            assert getattr(importlib.import_module(home), last) is getattr(package, last), name
    assert "::: cvpo_jax.training.train.train" in hooks.reference()


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("docs/index.md", "guide/train.md#watch", "guide/train.md#watch"),
        ("docs/index.md", "../tests/README.md", "repository/tests/README.md"),
        ("docs/lab/training_results.md", "../../results/README.md", "../repository/results/README.md"),
        ("results/README.md", "manifest.csv", "manifest.csv"),
        ("results/README.md", "../docs/reference/metrics.md", "../../reference/metrics.md"),
        ("docs/index.md", "../experiments", "#"),
        ("docs/index.md", "https://arxiv.org/abs/2201.11927", "https://arxiv.org/abs/2201.11927"),
        ("docs/index.md", "#glossary", "#glossary"),
    ],
)
def test_links_lead_to_the_same_file_within_the_site(hooks, page, link, expected):
    assert hooks.rewritten(f"see [it]({link}).", ROOT / page) == f"see [it]({expected})."


def test_files_that_are_linked_from_outside_come_along(hooks):
    found = {str(path.relative_to(ROOT)) for path in hooks.outside()}
    assert {"results/README.md", "results/manifest.csv", "tests/README.md", "results/figures/point_goal.png"} <= found
    assert not any(name.startswith("docs/") for name in found)


def test_the_site_is_built_without_a_broken_link_and_asks_no_other_host(built, hooks):
    pages = list(built.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="?(https?://[^">\s]*)', text)
        assert not loaded, (page, loaded)
        assert "arithmatex" not in text, page
    formulas = (built / "design" / "limit_controller.html").read_text()
    assert formulas.count("<math") > 20 and 'display="block"' in formulas
    reference = (built / "reference" / "python.html").read_text()
    assert all(f'id="{name}"' in reference for names in hooks.public_names().values() for name in names)


@pytest.mark.skipif(browser.FOUND is None, reason=browser.MISSING)
def test_pages_fit_a_phone_and_the_search_works_from_a_disk(built, tmp_path):
    address = built.as_uri()
    with browser.page(tmp_path) as page:
        page.size(390, 844)
        for name in ("index", "design/limit_controller", "reference/python", "lab/training_results"):
            page.open(f"{address}/{name}.html")
            assert page.value("document.documentElement.scrollWidth") <= 390, name
        page.size(1400, 900)
        page.open(f"{address}/guide/train.html")
        page.click(".md-search__input")
        page.wait("!document.querySelector('.md-search-result__meta').innerText.includes('Initializing')")
        page.ask("Input.insertText", text="optuna")
        page.ask("Input.dispatchKeyEvent", type="keyUp", key="a")  # upon which the theme looks at what was typed
        page.wait("document.querySelectorAll('.md-search-result__item').length > 0")
        assert "Sweeps on one machine" in page.value("document.querySelector('.md-search-result__list').innerText")
        assert not page.problems
        assert all(request.startswith(("file:", "data:", "blob:", "about:")) for request in page.requests)
