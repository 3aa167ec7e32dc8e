"""The costs that vectors of environments tell, read from each step's info and checked.

Notation: N environments, P cost components.
"""

from typing import Any

import numpy as np

from envs.adapters.costs import MISSING, TOTAL
from envs.adapters.host_costs import NOT_NEGATIVE, CostReader
from envs.host.protocol import ContractError

Column = tuple[np.ndarray, np.ndarray]
"""Values `[N]` (float64) and which of them are told `[N]` (bool)."""


def read_costs(
    reader: CostReader, third: Any, info: dict[str, Any], exempt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The totals `[N]` and components `[N, P]` of one step; those `exempt` `[N]` cost nothing, missing components 0.

    Raises ContractError, without the vector's name, for a missing total and for costs that are not finite or negative.
    """
    columns = [_checked(_column(info, name, exempt)[0], name) for name in reader.components]
    if not reader.has_total:
        return np.sum(columns, axis=0), np.stack(columns, axis=1)
    if third is None:
        total, told = _column(info, TOTAL, exempt)
        if not told.all():
            raise ContractError(f'info has no "{TOTAL}" of environment {int(np.argmin(told))} in this step: {MISSING}')
    else:
        total = np.where(exempt, 0, finite_rows(third, TOTAL, exempt.size))
    total = _checked(total, TOTAL)
    return total, np.stack(columns or [total], axis=1)


def finite_rows(values: Any, what: str, num_envs: int) -> np.ndarray:
    """`values` as numbers `[N]` (float64); raises ContractError, without the vector's name, unless they are finite."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ContractError(f"{what} is {values!r}: it must be numbers") from None
    if numbers.shape != (num_envs,):
        raise ContractError(f"{what} has the shape {numbers.shape}: it must be {num_envs} numbers, one an environment")
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise ContractError(f"{what} of environment {row} is {numbers[row]}: it must be finite")
    return numbers


def first_row(info: dict[str, Any]) -> dict[str, Any]:
    """The info of the first environment, without the masks that tell whose entries there are."""
    final = info.get("final_info")
    rows = {
        name: value for name, value in (info | (final if isinstance(final, dict) else {})).items() if name[:1] != "_"
    }
    return {name: np.asarray(value)[0] for name, value in rows.items() if np.ndim(value) == 1}


def _column(info: dict[str, Any], name: str, exempt: np.ndarray) -> Column:
    """One entry of the info for all environments; of those whose episode ended in this step, from the final info."""
    values, told = _entry(info, name, exempt.size)
    final = info.get("final_info")
    if isinstance(final, dict):
        last, of_last = _entry(final, name, exempt.size)
        values, told = np.where(of_last, last, values), told | of_last
    elif final is not None:  # before Gymnasium 1.0, a dictionary for each of those
        for row, of_row in enumerate(final):
            if of_row is not None and name in of_row:
                values[row], told[row] = of_row[name], True
    return np.where(exempt | ~told, 0, values), told | exempt


def _entry(info: dict[str, Any], name: str, num_envs: int) -> Column:
    if name not in info:
        return np.zeros(num_envs), np.zeros(num_envs, bool)
    told = np.array(info.get(f"_{name}", np.ones(num_envs, bool)), bool)
    return finite_rows(np.where(told, info[name], 0), name, num_envs).copy(), told


def _checked(costs: np.ndarray, name: str) -> np.ndarray:
    """`costs` `[N]`, of which none may be negative."""
    if (costs < 0).any():
        row = int(np.argmin(costs))
        raise ContractError(f"{name} of environment {row} is {costs[row]:g}: {NOT_NEGATIVE}")
    return costs
