"""Templates of pages: everything that they name is in them."""

import pytest
from paths import ROOT

from cvpo_jax.pages.assemble import page


@pytest.mark.parametrize("template", sorted(path.name for path in (ROOT / "cvpo_jax/pages/assets").glob("*.html")))
def test_everything_is_put_in(template: str) -> None:
    made = page(template, {"title": "</script>"})
    assert "/* include" not in made and "/* data" not in made
    assert '{"title":"\\u003c/script>"}' in made and "class LineChart" in made


def test_what_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        page("watch.html", {"title": float("nan")})
