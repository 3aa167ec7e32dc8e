"""The collectives of a compiled function: what its devices send each other, and the time that takes.

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
"""The share of one collective's result in what the next one is given, which makes it wait."""


@dataclass(frozen=True)
class Collective:
    """Collectives of one kind that follow each other, so that they can be carried out as one."""

    kind: Literal["all-reduce", "all-gather"]
    given: tuple[jax.ShapeDtypeStruct, ...]
    """The arrays that each device contributes."""
    times: int
    """How often it is performed: the length of the scans around it."""

    @property
    def bytes_given(self) -> int:
        """Bytes of one device's arrays."""
        return sum(x.size * x.dtype.itemsize for x in self.given)

    def bytes_sent(self, count: int) -> float:
        """Bytes each of `count` devices in a ring sends, all times: once around for a gather, twice for a reduction."""
        if self.kind == "all-reduce":
            return self.times * self.bytes_given * 2 * (count - 1) / count
        return self.times * self.bytes_given * (count - 1)

    def perform(self, values: Sequence[jax.Array]) -> list[jax.Array]:
        """The collective inside `devices.parallel`: each array `given`, half way to its mean over the devices.

        Half way, since XLA leaves out collectives over what is the same on all devices, and gathers only what is
        needed.
        """
        if self.kind == "all-reduce":
            means = devices.pmean(list(values), devices.AXIS_NAME)
        else:
            means = [devices.gather(x[None], 0, devices.AXIS_NAME).mean(0) for x in values]
        return [(x + mean) / 2 for x, mean in zip(values, means, strict=True)]


def find_collectives(function: Callable, *arguments: Any, count: int) -> list[Collective]:
    """The collectives of `function`, written for one of `count` devices, on arguments of these shapes, in their order.

    Nothing is computed, and no devices are needed. What is in a `while` loop is counted once.
    """
    traced = jax.make_jaxpr(function, axis_env=[(devices.AXIS_NAME, count)])(*arguments)
    found = itertools.groupby(_in_jaxpr(traced.jaxpr, 1), lambda one: (one.kind, one.times))
    return [
        Collective(kind, tuple(x for one in together for x in one.given), times) for (kind, times), together in found
    ]


def _in_jaxpr(jaxpr: Jaxpr, times: int) -> Iterator[Collective]:
    """Each collective in `jaxpr`, which itself is performed `times` times."""
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name in KINDS:
            arrays: list[Any] = [x.aval for x in equation.invars]
            yield Collective(KINDS[name], tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays), times)
        inner = times * params["length"] if name == "scan" else times
        for part in jaxprs_in_params(params):
            yield from _in_jaxpr(part, inner)


def repeat_collectives(found: Sequence[Collective], chosen: list[jax.Device], repeats: int) -> tuple[Callable, list]:
    """A function that performs the collectives `repeats` times in their order and nothing else, and its first argument.

    Each waits for the one before and nothing is computed meanwhile, so that none is hidden as in the function itself.
    """

    def once(values: list, _step: None) -> tuple[list, None]:
        results: list[list[jax.Array]] = []
        for collective, arrays in zip(found, values, strict=True):
            given = arrays
            for _time in range(collective.times):
                if results:
                    before = results[-1][0].ravel()[0] * FAINT
                    given = [x + before.astype(x.dtype) for x in given]
                given = collective.perform(given)
            results.append(given)
        return results, None

    zeros = [[jnp.zeros(x.shape, x.dtype) for x in collective.given] for collective in found]
    parallel = devices.parallel(lambda values: (jax.lax.scan(once, values, None, length=repeats)[0],), chosen)
    return parallel, devices.replicate(zeros, chosen)
