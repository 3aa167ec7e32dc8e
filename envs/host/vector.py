"""Host environments as a `VectorEnv` that compiled code can step, through host callbacks.

Callbacks are ordered by data dependence: each step needs the serial number that the previous one returned, and the host
refuses a state that is not its latest, because it cannot go back. Under `pmap` every device has a pool of its own.

Notation: N environments (on each device), O observation size, A action dimensions, C constraints, P cost components.
"""

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.experimental import io_callback

from envs.base import Episode, State, with_episode
from envs.host.pool import HostError, Pool, WorkerPool
from envs.host.protocol import HostEnv, HostSpec, episode_seed
from envs.staggering import first_lengths

log = logging.getLogger(__name__)
_reports = logging.getLogger("jax._src.callback")


_scope: ContextVar[list["HostVectorEnv"] | None] = ContextVar("scope", default=None)


@contextlib.contextmanager
def host_scope() -> Iterator[None]:
    """The scope in which host environments are used: errors as of `host_errors`, and no workers left at the end.

    It ends the workers of all host environments made within it. Without it they end with the process, which first waits
    for the compiled loop that is still using them.
    """
    made: list[HostVectorEnv] = []
    token = _scope.set(made)
    try:
        with host_errors():
            yield
    finally:
        _scope.reset(token)
        for env in made:
            env.close()


@contextlib.contextmanager
def host_errors() -> Iterator[None]:
    """Turn JAX's report of a failed callback back into what the host raised: KeyboardInterrupt or HostError."""
    _reports.addFilter(_is_not_ours)
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        report = str(error)
        if "KeyboardInterrupt" in report:
            raise KeyboardInterrupt from None
        if "HostError: " in report:
            raise HostError(report.rpartition("HostError: ")[2].strip()) from None
        raise
    finally:
        _reports.removeFilter(_is_not_ours)


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Whether JAX logs anything but the traceback of what `host_errors` raises anyway."""
    return not (record.exc_info and isinstance(record.exc_info[1], HostError | KeyboardInterrupt))


class HostState(struct.PyTreeNode):
    """Which state of which pool this is, and what a new pool needs to resume after the program was restarted."""

    session: jax.Array  # [] int32, the number of the `HostVectorEnv` whose state this is
    device: jax.Array  # [] int32, index along the pmap axis
    serial: jax.Array  # [] int32, resets and steps of the pool so far
    seed: jax.Array  # [N] uint32
    episode: jax.Array  # [N] int32, episodes each environment has ended


class HostVectorEnv:
    """N copies of the host environment that `factory()` makes, with the interface of `envs.base.VectorEnv`.

    `constraints` names the cost components that make up `info["cost"]`; empty: the environment's own total. `axis_name`
    is the pmap axis under which every device has environments of its own, each in `pool(factory, spec, num_envs,
    **options)`. It is not for `vmap`: a host has one state. Given a state of another `HostVectorEnv` (of a run that is
    resumed), new episodes begin: the next step of all environments is then a truncation without reward. `staggered`
    cuts first episodes at different steps, as in `CompiledVectorEnv`. Raises ValueError for a constraint that is not
    among the costs.
    """

    def __init__(
        self,
        factory: Callable[[], HostEnv | Pool],
        num_envs: int,
        *,
        constraints: Sequence[str] = (),
        axis_name: str = "devices",
        staggered: bool = False,
        pool: Callable[..., Pool] = WorkerPool,
        **options: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}: at least 1 is needed")
        self.spec = _spec_of(factory)
        self.num_envs, self.factory = num_envs, factory
        self.observation_size, self.action_size = self.spec.observation_size, self.spec.action_size
        self.episode_length = self.spec.episode_length
        self.reward_scale = self.spec.reward_scale
        self.cost_names = self.spec.component_names
        for name in constraints:
            if name not in self.cost_names:
                raise ValueError(f'constraint "{name}" is not among the costs here: {", ".join(self.cost_names)}')
        self._chosen = [self.cost_names.index(name) for name in constraints]
        self.num_constraints = len(constraints) or 1
        self._axis_name = axis_name
        self._lengths = first_lengths(num_envs, self.episode_length) if staggered else None
        self._make_pool = lambda: pool(factory, self.spec, num_envs, **options)
        self._pools: dict[int, Pool] = {}
        self._serials: dict[int, int] = {}
        self._lock = threading.Lock()
        self._session = secrets.randbits(31)
        scope = _scope.get()
        if scope is not None:
            scope.append(self)

    def reset(self, key: jax.Array) -> State:
        """Return the states of N new episodes; the same key gives the same ones, whatever the number of workers."""
        seeds = self._seeds(key)
        device = _index_along(self._axis_name)
        return self._state(device, seeds, io_callback(self._host_reset, self._shapes(), device, seeds))

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`; where an episode ends, the next one begins."""
        latest = state.pipeline_state
        results = io_callback(self._host_step, self._shapes(), latest, action)
        return self._state(latest.device, latest.seed, results)

    def episode_seeds(self, key: jax.Array) -> list[int]:
        """The seeds of the N episodes that `reset(key)` begins outside of any pmap."""
        return [episode_seed(int(seed), 0) for seed in self._seeds(key)]

    def _seeds(self, key: jax.Array) -> jax.Array:
        return jax.random.bits(key, (self.num_envs,), jnp.uint32)

    def close(self) -> None:
        """End the worker processes."""
        for pool in self._pools.values():
            pool.close()

    def _shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        n = self.num_envs
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "serial": ((), jnp.int32),
            "obs": ((n, self.observation_size), jnp.float32),
            "reward": ((n,), jnp.float32),
            "done": ((n,), jnp.float32),
            "truncation": ((n,), jnp.float32),
            "cost": ((n, self.num_constraints), jnp.float32),
            "components": ((n, len(self.cost_names)), jnp.float32),
            "steps": ((n,), jnp.int32),
            "episode": ((n,), jnp.int32),
        }
        return {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in shapes.items()}

    def _state(self, device: jax.Array, seed: jax.Array, results: dict[str, jax.Array]) -> State:
        components = {name: results["components"][:, i] for i, name in enumerate(self.cost_names)}
        info = {"cost": results["cost"], "truncation": results["truncation"], "cost_components": components}
        state = State(
            pipeline_state=HostState(jnp.int32(self._session), device, results["serial"], seed, results["episode"]),
            obs=results["obs"],
            reward=results["reward"],
            done=results["done"],
            info=info,
        )
        length = jnp.full(self.num_envs, self.episode_length, jnp.int32)
        return with_episode(state, Episode(steps=results["steps"], length=length))

    def _host_reset(self, device: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
        return self._begin(int(device), np.asarray(seeds), 0, truncated=False)

    def _host_step(self, latest: HostState, action: np.ndarray) -> dict[str, np.ndarray]:
        index, serial = int(latest.device), int(latest.serial)
        if int(latest.session) != self._session:
            log.warning("the episodes in progress when the run was stopped are cut off; new ones begin")
            return self._begin(index, np.asarray(latest.seed), np.asarray(latest.episode) + 1, truncated=True)
        if serial != self._serials[index]:
            raise HostError(
                f"the host environments are at state {self._serials[index]}, but were asked to step state {serial}: "
                "they cannot go back; step the latest state or reset"
            )
        self._pools[index].step(np.asarray(action))
        return self._results(index)

    def _begin(
        self, index: int, seeds: np.ndarray, episodes: np.ndarray | int, *, truncated: bool
    ) -> dict[str, np.ndarray]:
        """Begin episodes, in a new pool if this device has none yet."""
        with self._lock:
            if index not in self._pools:
                self._pools[index], self._serials[index] = self._make_pool(), 0
        self._pools[index].reset(seeds, episodes, self._lengths)
        results = self._results(index)
        for name in ("reward", "done", "cost", "components"):
            results[name] = np.zeros_like(results[name])
        results["truncation"] = np.full(self.num_envs, truncated, np.float32)
        return results

    def _results(self, index: int) -> dict[str, np.ndarray]:
        """Copies of what the pool's arrays hold, under a new serial number."""
        arrays = self._pools[index].arrays
        self._serials[index] += 1
        return {
            "serial": np.array(self._serials[index], np.int32),
            "obs": arrays.observation.copy(),
            "reward": arrays.reward.copy(),
            "done": arrays.terminated.astype(np.float32),
            "truncation": arrays.truncated.astype(np.float32),
            "cost": arrays.components[:, self._chosen] if self._chosen else arrays.cost[:, None].copy(),
            "components": arrays.components.copy(),
            "steps": arrays.elapsed.astype(np.int32),
            "episode": arrays.episode.astype(np.int32),
        }


def _spec_of(factory: Callable[[], Any]) -> HostSpec:
    """What an environment that is made for nothing else tells."""
    env = factory()
    if hasattr(env, "close"):
        env.close()
    return env.spec


def _index_along(axis_name: str) -> jax.Array:
    """This device's index along a pmap axis; 0 outside of it."""
    try:
        return jax.lax.axis_index(axis_name).astype(jnp.int32)
    except NameError:  # how JAX says that no such axis is bound
        return jnp.zeros((), jnp.int32)
