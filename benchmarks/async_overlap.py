"""Would it pay to let workers step while the device updates? `python benchmarks/async_overlap.py [--task ID] …`

Two loops over the same environments run in alternating windows: *plain* steps them, then computes (`--matmuls` matrix
products a step stand in for the updates); *overlapped* sends the actions, computes, then receives the results.
`taskset` decides which cores both may use. Without `--task` an environment sleeps `--seconds` a step, as if its worker
had a core of its own however few cores there are.

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
from jax import lax
from jax.experimental import io_callback
from sleep_env import SleepEnv

import envs
from envs.base import State
from envs.host.pool import WorkerPool
from envs.host.vector import HostState, HostVectorEnv
from envs.host.worker import STEP

WIDTH, ROWS = 1024, 256


class SplitEnv(HostVectorEnv):
    """A HostVectorEnv whose `step` comes in two halves. Workers that fail are not replaced."""

    def send(self, state: State, action: jax.Array) -> jax.Array:
        """Send the actions to the workers; returns a token `[]`, 0, for `receive` to depend on."""
        return io_callback(self._send, jax.ShapeDtypeStruct((), jnp.int32), state.pipeline_state, action)

    def receive(self, state: State, token: jax.Array) -> State:
        """Wait for the step that `send` began from `state`, and return the state after it."""
        latest = state.pipeline_state
        results = io_callback(self._receive, self._shapes(), latest, token)
        return self._state(latest.device, latest.seed, results)

    def _send(self, latest: HostState, action: np.ndarray) -> np.ndarray:
        pool = self._worker_pool(latest)
        pool.arrays.action[:] = action
        for worker in pool.workers:
            worker.ask((STEP, worker.start.rows))
        return np.array(0, np.int32)

    def _receive(self, latest: HostState, token: np.ndarray) -> dict[str, np.ndarray]:
        for worker in self._worker_pool(latest).workers:
            assert not worker.answer(), "an environment failed"
        return self._results(int(latest.device))

    def _worker_pool(self, latest: HostState) -> WorkerPool:
        pool = self._pools[int(latest.device)]
        assert isinstance(pool, WorkerPool)
        return pool


def loops(env: SplitEnv, matmuls: int, steps: int) -> dict[str, Callable]:
    """Both loops and the matrix products alone, each a jitted function of the state and the products' input."""
    factor = 0.01 * jax.random.normal(jax.random.PRNGKey(0), (WIDTH, 128))

    def compute(x: jax.Array) -> jax.Array:
        return lax.fori_loop(0, matmuls, lambda _, x: jnp.tanh(x @ factor @ factor.T), x)

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
    """Print the milliseconds that a step of all environments takes, and the ratio of plain to overlapped."""
    parser = argparse.ArgumentParser(description="Plain and overlapped collection, in alternating windows.")
    parser.add_argument("--task", help="a task of the genuine Safety-Gymnasium; without it environments sleep")
    parser.add_argument("--seconds", type=float, default=0.002)
    for name, default in (("workers", 1), ("envs", 16), ("matmuls", 10), ("steps", 10), ("windows", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    factory: Callable = partial(SleepEnv, options.seconds)
    if options.task:
        factory = envs.make(options.task, backend="gymnasium", num_envs=1).factory
    with envs.host_scope():
        env = SplitEnv(factory, options.envs, num_workers=options.workers)
        carry = (env.reset(jax.random.PRNGKey(0)), jnp.ones((ROWS, WIDTH)))
        functions = loops(env, options.matmuls, options.steps)
        times: dict[str, list[float]] = {name: [] for name in functions}
        for window in range(1 + options.windows):  # the first one compiles
            for name in (list(functions), list(functions)[::-1])[window % 2]:
                start = time.perf_counter()
                state, _ = jax.block_until_ready(functions[name](*carry))
                carry = (state, carry[1])
                times[name].append((time.perf_counter() - start) / options.steps * 1e3)
    for name, each in times.items():
        print(f"{name}: {statistics.median(each[1:]):.1f} ms")
    ratios = [p / o for p, o in zip(times["plain"][1:], times["overlapped"][1:], strict=True)]
    print(f"plain / overlapped: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
