"""Short recordings of the genuine environment, and bounds on how far the ports are from them."""

from paths import DATA

RECORDINGS = DATA / "parity"


def below(result: dict, sort: str, quantile: str, **bounds: float) -> None:
    """Every bound (quantity with _ for spaces) holds for the steps of a sort."""
    for name, bound in bounds.items():
        assert result["errors"][sort][name.replace("_", " ")][quantile] <= bound, (sort, name)
