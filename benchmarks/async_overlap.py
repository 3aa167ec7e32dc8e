"""Would it pay to let workers step while the device updates? `python benchmarks/overlap.py [--task ID] [--seconds S] …`

Two loops over the same environments in alternating windows: *plain* steps them, then computes (matrix products stand in
for the updates, `--products` of them a step); *overlapped* sends the actions, computes, then receives. Which cores both
may use is what `taskset` says. Without `--task` an environment sleeps `--seconds` a step, as if its worker had a core
of its own however few there are.

Notation: N environments.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax.envs import State
from jax import lax
from jax.experimental import io_callback
from sleeper import Sleeper

import envs
from envs.host.vector import HostState, HostVectorEnv, host_scope
from envs.host.worker import STEP

WIDTH, ROWS = 1024, 256


class SplitEnv(HostVectorEnv):
    """`step` in two halves. Workers that fail are not replaced here."""

    def send(self, state: State, action: jax.Array) -> jax.Array:
        """Tell the workers to step; a token `[]`, 0, that says they were told."""
        return io_callback(self._send, jax.ShapeDtypeStruct((), jnp.int32), state.pipeline_state, action)

    def receive(self, state: State, token: jax.Array) -> State:
        """What the step that `send` began from `state` came to."""
        latest = state.pipeline_state
        results = io_callback(self._receive, self._shapes(), latest, token)
        return self._state(latest.device, latest.seed, results)

    def _send(self, latest: HostState, action: np.ndarray) -> np.ndarray:
        pool = self._pools[int(latest.device)]
        pool.arrays.action[:] = action
        for worker in pool.workers:
            worker.ask((STEP, worker.start.rows))
        return np.array(0, np.int32)

    def _receive(self, latest: HostState, token: np.ndarray) -> dict[str, np.ndarray]:
        for worker in self._pools[int(latest.device)].workers:
            assert not worker.answer(), "an environment failed"
        return self._results(int(latest.device))


def loops(env: SplitEnv, products: int, steps: int) -> dict[str, Callable]:
    """Both loops and the products alone, each a jitted function of state and products' input."""
    factor = 0.01 * jax.random.normal(jax.random.PRNGKey(0), (WIDTH, 128))

    def compute(x: jax.Array) -> jax.Array:
        return lax.fori_loop(0, products, lambda _, x: jnp.tanh(x @ factor @ factor.T), x)

    def action(state: State) -> jax.Array:
        return jnp.tanh(state.obs[:, : env.action_size])

    def plain(_: Any, carry: tuple) -> tuple:
        state, x = carry
        state, x = lax.optimization_barrier((env.step(state, action(state)), x))
        return state, compute(x)

    def overlapped(_: Any, carry: tuple) -> tuple:
        state, x = carry
        token = env.send(state, action(state))
        x = compute(x + token)
        return env.receive(state, token + (0 * x[0, 0]).astype(jnp.int32)), x

    def computing(_: Any, carry: tuple) -> tuple:
        return carry[0], compute(carry[1])

    bodies = {"plain": plain, "overlapped": overlapped, "computing alone": computing}
    return {
        name: jax.jit(lambda *carry, body=body: lax.fori_loop(0, steps, body, carry)) for name, body in bodies.items()
    }


def main() -> None:
    """Print milliseconds a step of all environments, and the ratio of plain to overlapped."""
    parser = argparse.ArgumentParser(description="Plain against overlapped collection.")
    parser.add_argument("--task", help="a genuine environment; without it they sleep")
    parser.add_argument("--seconds", type=float, default=0.002)
    for name, default in (("workers", 1), ("envs", 16), ("products", 10), ("steps", 10), ("windows", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    factory: Callable = partial(Sleeper, options.seconds)
    if options.task:
        factory = envs.make(options.task, backend="gymnasium", num_envs=1).factory
    with host_scope():
        env = SplitEnv(factory, options.envs, num_workers=options.workers)
        carry = (env.reset(jax.random.PRNGKey(0)), jnp.ones((ROWS, WIDTH)))
        functions = loops(env, options.products, options.steps)
        times: dict[str, list[float]] = {name: [] for name in functions}
        for window in range(1 + options.windows):  # the first one compiles
            for name in (list(functions), list(functions)[::-1])[window % 2]:
                begun = time.perf_counter()
                state, _ = jax.block_until_ready(functions[name](*carry))
                carry = (state, carry[1])
                times[name].append((time.perf_counter() - begun) / options.steps * 1e3)
    for name, each in times.items():
        print(f"{name}: {statistics.median(each[1:]):.1f} ms")
    ratios = [p / o for p, o in zip(times["plain"][1:], times["overlapped"][1:], strict=True)]
    print(f"plain / overlapped: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
