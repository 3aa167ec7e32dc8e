"""How fast a compiled function goes: the median of several windows, with compilation apart."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax

ROW = "{:<22} {:>14} {:<12} {:>8} {:>10}"


@dataclass(frozen=True)
class Measurement:
    """The speed of one piece of the program."""

    name: str
    unit: str
    compile_seconds: float
    rates: tuple[float, ...]
    """Units a second in each window."""
    compile_processor_seconds: float = 0.0
    """Processor time of compiling: the same where other processes compute meanwhile."""

    @property
    def median(self) -> float:
        """Units a second."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> float:
        """The fastest window's rate less the slowest's, relative to the median."""
        return (max(self.rates) - min(self.rates)) / self.median

    def summary(self) -> dict[str, str | float]:
        """All of it, for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "compile_seconds": self.compile_seconds,
            "compile_processor_seconds": self.compile_processor_seconds,
            "per_second": self.median,
            "per_second_low": min(self.rates),
            "per_second_high": max(self.rates),
            "windows": len(self.rates),
        }


@dataclass(frozen=True)
class Window:
    """How to measure: `count` windows of at least `seconds` each."""

    count: int
    seconds: float


@dataclass(frozen=True)
class Compiled:
    """A compiled function, and how long compiling it took, by the clock and in processor time."""

    call: Callable[..., tuple]
    seconds: float
    processor_seconds: float


def compiled(function: Callable[..., tuple], arguments: tuple) -> Compiled:
    """`function`, a `jit` or `pmap`, traced and compiled for `arguments`."""
    begin, processor = time.perf_counter(), time.process_time()
    call = function.lower(*arguments).compile()  # type: ignore[attr-defined]
    return Compiled(call, time.perf_counter() - begin, time.process_time() - processor)


def measure(
    name: str, unit: str, work: float, function: Callable[..., tuple] | Compiled, arguments: tuple, window: Window
) -> tuple[Measurement, tuple]:
    """Time `function`, a `jit` or `pmap` (or either compiled) whose result begins with the arguments of its next call.

    A call does `work` units; the first is not timed. Returns the last arguments too, since the first may be donated.
    """
    made = function if isinstance(function, Compiled) else compiled(function, arguments)
    arguments = jax.block_until_ready(made.call(*arguments))[: len(arguments)]
    rates = []
    for _ in range(window.count):
        calls, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < window.seconds or not calls:
            # Blocked each time: unblocked calls with collectives abort on forced CPU devices.
            arguments = jax.block_until_ready(made.call(*arguments))[: len(arguments)]
            calls += 1
        rates.append(calls * work / elapsed)
    return Measurement(name, unit, made.seconds, tuple(rates), made.processor_seconds), arguments


def table(results: Sequence[Measurement]) -> str:
    """The measurements as one table."""
    lines = [ROW.format("", "median", "", "spread", "compile s")]
    for result in results:
        numbers = (f"{result.median:,.0f}", result.unit, f"{result.spread:.0%}", f"{result.compile_seconds:.1f}")
        lines.append(ROW.format(result.name, *numbers))
    return "\n".join(lines)
