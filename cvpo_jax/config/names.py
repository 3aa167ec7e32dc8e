"""How the metrics of constraints are named."""


def metric_name(name: str, index: int, count: int) -> str:
    """`name` for the constraint at `index` of `count`: as it is where there is one, else with the index behind it."""
    return name if count == 1 else f"{name}_{index}"
