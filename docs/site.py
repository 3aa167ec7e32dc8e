"""Hooks of the site (mkdocs.yml): navigation, links into the repository, formulas as MathML, the Python reference.

The pages are made for reading in the repository, where a link may lead outside docs/. What they name there is copied
into the site below `repository/`, and links are rewritten. Formulas need no script that way, and no other host.
"""

from __future__ import annotations

import ast
import html
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OUTSIDE = "repository"
REFERENCE = "reference/python.md"
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(\))")
KINDS = {"guide": "Guides", "reference": "Reference", "design": "Design", "lab": "Lab notebook"}
"""Folders of pages and their tabs."""
FORMULAS = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL)


def place(path: Path) -> str:
    """Where a file of the repository is in the site's sources."""
    return str(path.relative_to(DOCS)) if path.is_relative_to(DOCS) else f"{OUTSIDE}/{path.relative_to(ROOT)}"


def targets(page: Path) -> Iterator[Path]:
    """The files that a page of the repository links to."""
    for _, target, _, _ in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve()
        if path.is_file() and path.is_relative_to(ROOT):
            yield path


def outside() -> set[Path]:
    """Files outside docs/ that pages link to, and those that they in turn link to."""
    waiting, found = sorted(DOCS.rglob("*.md")), set()
    while waiting:
        for path in targets(waiting.pop()):
            if not path.is_relative_to(DOCS) and path not in found:
                found.add(path)
                waiting += [path] if path.suffix == ".md" else []
    return found


def rewritten(text: str, page: Path) -> str:
    """The page with links as the site needs them; what is no file, such as a folder, is left as words."""

    def link(match: re.Match[str]) -> str:
        start, target, anchor, end = match.groups()
        path = (page.parent / target).resolve()
        if not path.is_file():
            return f"{start}#{end}"
        return f"{start}{os.path.relpath(place(path), Path(place(page)).parent)}{anchor or ''}{end}"

    return LINK.sub(link, text)


def public_names() -> dict[str, list[str]]:
    """Package -> where each of its public names is defined, as `cvpo_jax.training.train.train`; imports nothing."""
    found = {}
    for package in ("cvpo_jax", "envs"):
        constants = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse((ROOT / package / "__init__.py").read_text()).body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("_MODULES", "__all__")
        }
        homes = {}
        for key, value in constants["_MODULES"].items():
            homes |= {key: value} if isinstance(value, str) else dict.fromkeys(value, key)
        found[package] = [f"{homes[name]}.{name}" for name in constants["__all__"]]
    return found


def reference() -> str:
    """The page of the Python reference, for mkdocstrings."""
    blocks = [
        "# Python",
        "The public names of the package, from their docstrings. Options: [configuration](config.md).",
    ]
    for package, names in public_names().items():
        blocks += [f"## {package}", *map(_directive, names)]
    return "\n\n".join(blocks) + "\n"


def _directive(name: str) -> str:
    """What mkdocstrings puts a docstring in the place of; the options of configurations have a page of their own."""
    members = "\n      members: false" if name.endswith("Config") else ""
    return f"::: {name}\n    options:\n      heading_level: 3{members}"


def navigation() -> list[Any]:
    """The pages of each kind in the order in which docs/index.md maps them, the Python reference after the others."""
    index = DOCS / "index.md"
    pages = dict.fromkeys(place(path) for path in targets(index) if path.is_relative_to(DOCS))
    pages[REFERENCE] = None
    tabs = {title: [page for page in pages if page.startswith(f"{folder}/")] for folder, title in KINDS.items()}
    return ["index.md", *({title: named} for title, named in tabs.items())]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Navigation by the map of pages."""
    config.nav = navigation()
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ and the Python reference."""
    from mkdocs.structure.files import File

    for path in sorted(outside()):
        files.append(File.generated(config, place(path), abs_src_path=str(path)))
    files.append(File.generated(config, REFERENCE, content=reference()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links for the site."""
    uri = page.file.src_uri
    path = ROOT / uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(f"{OUTSIDE}/") else DOCS / uri
    return rewritten(markdown, path)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML."""
    from latex2mathml.converter import convert

    def formula(match: re.Match[str]) -> str:
        display = "block" if match[1] == "div" else "inline"
        return f'<{match[1]} class="formula">{convert(html.unescape(match[2]).strip(), display=display)}</{match[1]}>'

    return FORMULAS.sub(formula, content)
