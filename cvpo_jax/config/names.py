"""How the metrics of several constraints, or of several limits in one training, are named."""


def metric_name(name: str, index: int, count: int) -> str:
    """`name` for the constraint or limit at `index` of `count`: as it is where there is one, else with its index."""
    return name if count == 1 else f"{name}_{index}"
