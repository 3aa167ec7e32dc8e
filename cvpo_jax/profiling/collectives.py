"""What devices tell each other in a compiled function: its collectives, their bytes, and the time they take.

Notation: D devices.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, jaxprs_in_params

from cvpo_jax.runtime import devices

KINDS: dict[str, Literal["all-reduce", "all-gather"]] = {"psum": "all-reduce", "all_gather": "all-gather"}

FAINT = 1e-30
"""A share of one exchange's result in what the next one is given: it must wait for it."""


@dataclass(frozen=True)
class Collective:
    """Collectives of one kind that follow each other, so that they can be carried out as one."""

    kind: Literal["all-reduce", "all-gather"]
    given: tuple[jax.ShapeDtypeStruct, ...]
    """The arrays that each device gives."""
    times: int
    """How often it is done: the length of the scans around it."""

    @property
    def bytes_given(self) -> int:
        """Bytes of a device's arrays."""
        return sum(x.size * x.dtype.itemsize for x in self.given)

    def bytes_sent(self, count: int) -> float:
        """Bytes each of `count` devices in a ring sends, all times: once around for a gather, twice for a reduction."""
        if self.kind == "all-reduce":
            return self.times * self.bytes_given * 2 * (count - 1) / count
        return self.times * self.bytes_given * (count - 1)

    def perform(self, values: Sequence[jax.Array]) -> list[jax.Array]:
        """The collective inside `devices.parallel`: each array `given`, half way to its mean over the devices.

        Half way, since XLA leaves out exchanges of what is the same on all devices, and gathers no more than is needed.
        """
        if self.kind == "all-reduce":
            means = devices.pmean(list(values), devices.AXIS_NAME)
        else:
            means = [devices.gather(x[None], 0, devices.AXIS_NAME).mean(0) for x in values]
        return [(x + mean) / 2 for x, mean in zip(values, means, strict=True)]


def find(function: Callable, *arguments: Any, count: int) -> list[Collective]:
    """The exchanges of `function`, written for one of `count` devices, on arguments of these shapes, in their order.

    Nothing is computed, and no devices are needed. What stands in a `while` loop is counted once.
    """
    traced = jax.make_jaxpr(function, axis_env=[(devices.AXIS_NAME, count)])(*arguments)
    found = itertools.groupby(_collectives(traced.jaxpr, 1), lambda one: (one.kind, one.times))
    return [
        Collective(kind, tuple(x for one in together for x in one.given), times) for (kind, times), together in found
    ]


def _collectives(jaxpr: Jaxpr, times: int) -> Iterator[Collective]:
    """Each collective in `jaxpr`, which itself is done `times` times."""
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name in KINDS:
            arrays: list[Any] = [x.aval for x in equation.invars]
            yield Collective(KINDS[name], tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays), times)
        inner = times * params["length"] if name == "scan" else times
        for part in jaxprs_in_params(params):
            yield from _collectives(part, inner)


def repeat(exchanges: Sequence[Collective], chosen: list[jax.Device], repeats: int) -> tuple[Callable, list]:
    """A function that does the exchanges `repeats` times in their order and nothing else, and its first argument.

    Each waits for the one before and nothing is computed meanwhile, so that none is hidden as in the function itself.
    """

    def once(values: list, _step: None) -> tuple[list, None]:
        results: list[list[jax.Array]] = []
        for exchange, arrays in zip(exchanges, values, strict=True):
            given = arrays
            for _time in range(exchange.times):
                if results:
                    before = results[-1][0].ravel()[0] * FAINT
                    given = [x + before.astype(x.dtype) for x in given]
                given = exchange.perform(given)
            results.append(given)
        return results, None

    zeros = [[jnp.zeros(x.shape, x.dtype) for x in exchange.given] for exchange in exchanges]
    parallel = devices.parallel(lambda values: (jax.lax.scan(once, values, None, length=repeats)[0],), chosen)
    return parallel, devices.replicate(zeros, chosen)
