"""The costs that environments of Gymnasium tell, read from each step's info and checked.

Notation: P cost components.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.adapters.costs import MISSING, PREFIX, TOTAL
from envs.host.protocol import ContractError

NOT_NEGATIVE = "costs cannot be negative, they count what a limit bounds from above"
_SUM = "cost_sum"  # Safety-Gymnasium's name for the total


@dataclass(frozen=True)
class CostReader:
    """Where the total is found, and which components there are."""

    has_total: bool
    """Without one the components' sum is the cost."""
    components: tuple[str, ...]

    @classmethod
    def of(cls, seen: Iterable[tuple[Any, dict[str, Any]]], name: str) -> "CostReader":
        """As some steps of the environment `name` tell: the third of six values or None, and the info.

        Raises ValueError if there are no costs.
        """
        has_total, components = False, set()
        for third, info in seen:
            has_total |= third is not None or TOTAL in info
            components |= {key for key, value in info.items() if _is_component(key, value)}
        if not has_total and not components:
            raise ValueError(f"{name} has no cost: {MISSING}")
        return cls(has_total, tuple(sorted(components)))

    @property
    def names(self) -> tuple[str, ...]:
        """P names: of the components, or of the cost if there are none."""
        return self.components or (TOTAL,)

    def read(self, third: Any, info: dict[str, Any]) -> tuple[float, np.ndarray]:
        """The total and the components `[P]` of one step; a component that is missing counts 0.

        Raises ContractError, without the environment's name, for a missing total and for costs that are not finite
        numbers or negative.
        """
        parts = [_cost(info[name], name) if name in info else 0.0 for name in self.components]
        if self.has_total:
            value = info.get(TOTAL) if third is None else third
            if value is None:
                raise ContractError(f'info has no "{TOTAL}" in this step: {MISSING}')
            total = _cost(value, TOTAL)
        else:
            later = [key for key, value in info.items() if key not in self.components and _is_component(key, value)]
            total = sum(parts) + sum(_cost(info[key], key) for key in later)
        return total, np.array(parts or [total])


def finite(value: Any, what: str) -> float:
    """`value` as a float; raises ContractError, without the environment's name, unless it is one finite number."""
    try:
        number = float(value) if np.ndim(value) == 0 else float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        raise ContractError(f"{what} is {value!r}: it must be a number") from None
    if not math.isfinite(number):
        raise ContractError(f"{what} is {number}: it must be finite")
    return number


def _cost(value: Any, name: str) -> float:
    cost = finite(value, name)
    if cost < 0:
        raise ContractError(f"{name} is {cost:g}: {NOT_NEGATIVE}")
    return cost


def _is_component(key: Any, value: Any) -> bool:
    named = isinstance(key, str) and key.startswith(PREFIX) and key != _SUM
    return named and np.size(value) == 1 and isinstance(value, int | float | np.generic | np.ndarray)
