"""The page of parity tables keeps its text and gets new tables."""

import sys

import pytest
from paths import ROOT


@pytest.fixture
def script(monkeypatch):
    """Import the script, which lies outside the packages."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import parity_tables

    return parity_tables


def test_tables_are_replaced_and_the_text_above_is_kept(script):
    page = (ROOT / "docs" / "parity.md").read_text()
    head = page[: page.index(script.DOUBLE)]
    made = script.filled(page, "### A\n\n1", "### A\n\n2", "abc")
    assert made.startswith(head + script.DOUBLE)
    rest = made[len(head) :]
    assert rest.count("### A") == 1 and rest.count("### Single precision, A") == 1 and "commit abc" in rest
    assert "xy" not in rest, "the old tables are gone"
    assert script.filled(made, "### A\n\n1", "### A\n\n2", "abc") == made


def test_a_page_without_a_place_for_them_is_refused(script):
    with pytest.raises(ValueError, match="double precision"):
        script.filled("# Another page", "", "", "abc")
