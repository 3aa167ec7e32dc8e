"""A vector of environments as it is given, a `gymnasium.vector.VectorEnv`, stepped in this process.

It has the interface of a pool of workers, `envs.host.pool.Pool`. Gymnasium knows three ways to begin new episodes: in
the step that ends the old one; in the next step, which then is no step of either episode; or when told to, by
`reset(options={"reset_mask": ...})`. Of the second kind the step between counts as the last of the old episode: nothing
is paid or costs in it, and it is where the episode counts as ended. So no transition leads from one episode to another.

Notation: N environments, O observation size, A action dimensions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from envs.adapters.errors import describe, one_line
from envs.adapters.gymnasium_env import PROBE_STEPS, chosen_length, own_limit, six_values
from envs.adapters.host_costs import CostReader
from envs.adapters.spaces import Actions, Observations
from envs.adapters.vector_costs import finite_rows, first_row, read_costs
from envs.host.last_words import LastWords
from envs.host.pool import HostError
from envs.host.protocol import ContractError, HostSpec, episode_seed
from envs.host.shared_memory import allocate

_SAME_STEP, _NEXT_STEP = "SameStep", "NextStep"


class GymnasiumVector:
    """The vector that `load()` makes, called `name` in messages; the other options are those of `GymnasiumEnv`.

    Raises ValueError for what cannot be trained on, or if it has not `num_envs` environments; later HostError for what
    it may not return and for what it raises. All are one line.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        num_envs: int,
        *,
        name: str,
        episode_length: int | None = None,
        action_bound: float | None = None,
        observation_key: str | None = None,
    ) -> None:
        self.env, self._name, self._num_envs = load(), name, num_envs
        self._last_words = LastWords(
            f"error: this program ended within a step or reset of {name}: it crashed or called os._exit, unless "
            "something else killed the program; PYTHONFAULTHANDLER=1 in the environment shows where"
        )
        if self.env.num_envs != num_envs:
            raise ValueError(
                f"{name} has {self.env.num_envs} environments, not {num_envs}: give its maker an argument num_envs"
            )
        self._observations = Observations.of(self.env.single_observation_space, observation_key, name)
        self._actions = Actions.of(self.env.single_action_space, action_bound, name)
        self._mode = _autoreset_mode(self.env, name)
        own = _own_limit(self.env)
        length = chosen_length(episode_length, own, name)
        try:
            self._costs = CostReader.of(self._probe(), name)
        except ContractError as error:
            raise ValueError(one_line(f"{name}: {error}")) from error
        between = self._mode == _NEXT_STEP and length == own
        self.spec = HostSpec(self._observations.size, self._actions.size, length + between, self._costs.names)
        self.arrays = allocate(self.spec, num_envs)
        self._over = np.zeros((2, num_envs), bool)  # terminated and truncated, to be told by the step between

    def reset(self, seeds: np.ndarray, episodes: np.ndarray | int = 0, lengths: np.ndarray | int | None = None) -> None:
        """Begin episodes in all environments, which `seeds` `[N]` (uint32) and `episodes` (`[N]`, or one) decide.

        They are cut after `lengths` steps where some environments can begin anew without the others.
        """
        arrays, full = self.arrays, self.spec.episode_length
        arrays.length[:] = lengths if lengths is not None and _resets_some(self.env) else full
        arrays.seed[:], arrays.episode[:] = seeds, episodes
        arrays.elapsed[:] = 0
        self._over[:] = False
        pairs = zip(arrays.seed, arrays.episode, strict=True)
        drawn = [episode_seed(int(seed), int(episode)) for seed, episode in pairs]
        arrays.observation[:] = self._guarded(self._reset, seed=drawn if _takes_seeds(self.env) else drawn[0])

    def step(self, action: np.ndarray) -> None:
        """Step every environment by its row of `action` `[N, A]` in [-1, 1]."""
        self.arrays.action[:] = action
        self._guarded(self._advance, action)

    def close(self) -> None:
        """Give back what the environments hold."""
        self.env.close()
        self._last_words.close()

    def _advance(self, action: np.ndarray) -> None:
        arrays, between = self.arrays, np.any(self._over, axis=0)
        observation, reward, cost, *raw, info = six_values(self.env.step(self._actions.scaled(action)))
        observation = self._observations.flat_rows(observation, self._num_envs)
        total, components = read_costs(self._costs, cost, info, between)
        arrays.reward[:] = np.where(between, 0, finite_rows(reward, "the reward", self._num_envs))
        arrays.cost[:], arrays.components[:] = total, components
        arrays.elapsed[:] += 1
        (terminated, truncated), begun = self._ends(np.array(raw, bool), between)
        ended = terminated | truncated
        if (ended & ~begun).any():
            observation = self._begin(ended & ~begun, observation)
        arrays.observation[:] = observation
        arrays.terminated[:], arrays.truncated[:] = terminated, truncated
        arrays.next_episode(ended, self.spec.episode_length)

    def _ends(self, raw: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which episodes count as terminated and truncated `[2, N]`, and which new ones have begun `[N]`.

        `raw` `[2, N]` is what the step said, `between` `[N]` for which it was a step between two episodes.
        """
        due = self.arrays.elapsed >= self.arrays.length
        begun = np.zeros(self._num_envs, bool)
        if self._mode == _NEXT_STEP:
            raw, told, begun = np.where(between, self._over, raw), between | due, between
            raw, self._over = raw & told, raw & ~told
        elif self._mode == _SAME_STEP:
            begun = np.any(raw, axis=0)
        terminated, truncated = raw
        return np.array([terminated, (truncated | due) & ~terminated]), begun

    def _begin(self, chosen: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Begin episodes in the `chosen` `[N]` environments; returns the observations `[N, O]` of all."""
        if chosen.all():
            return self._reset()
        begun = self._reset(options={"reset_mask": chosen.copy()})
        if (begun != observation)[~chosen].any():
            raise ContractError(
                'some episodes ended and others did not, but reset(options={"reset_mask": mask}) began all: have it '
                "begin those of the mask alone, or give the environments a time limit and autoreset of their own"
            )
        return begun

    def _reset(self, **options: Any) -> np.ndarray:
        return self._observations.flat_rows(self.env.reset(**options)[0], self._num_envs)

    def _guarded(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What `work` returns; whatever it raises becomes a HostError in one line."""
        try:
            with self._last_words:
                return work(*args, **options)
        except ContractError as error:
            raise HostError(one_line(f"{self._name}: {error}")) from error
        except Exception as error:
            raise HostError(f"{self._name} raised {describe(error)}") from error

    def _probe(self) -> list[tuple[Any, dict[str, Any]]]:
        """The costs and infos of the first environment in a few random steps."""
        random, seen = np.random.RandomState(0), []
        try:
            self._reset(seed=0)
            for _ in range(PROBE_STEPS):
                action = random.uniform(-1, 1, (self._num_envs, self._actions.size))
                _, _, cost, *_, info = six_values(self.env.step(self._actions.scaled(action)))
                seen.append((cost, first_row(info)))
                if self._mode not in (_SAME_STEP, _NEXT_STEP):
                    self._reset()
        except ContractError:
            raise
        except Exception as error:
            raise ValueError(f"{self._name} cannot be reset and stepped: {describe(error)}") from error
        return seen


def as_pool(factory: Callable[[], GymnasiumVector], spec: HostSpec, num_envs: int) -> GymnasiumVector:
    """The vector that `factory()` makes in place of a pool of workers; `spec` and `num_envs` are its own."""
    return factory()


def _autoreset_mode(env: Any, name: str) -> str:
    """How the vector begins new episodes; where it does not say, as was the rule in its version of Gymnasium.

    Raises ValueError where it must say.
    """
    import gymnasium

    mode = env.metadata.get("autoreset_mode")
    if mode is not None:
        return getattr(mode, "value", mode)
    if hasattr(gymnasium.vector, "AutoresetMode"):
        raise ValueError(f'{name} does not say how episodes begin: set metadata["autoreset_mode"], as AutoresetMode')
    return _SAME_STEP if gymnasium.__version__.startswith("0.") else _NEXT_STEP


def _own_limit(env: Any) -> int | None:
    """The time limit of the environments it is made of, or else the one it was made with or registered with."""
    copies = getattr(env.unwrapped, "envs", None)
    if copies:
        return own_limit(copies[0])
    made_with = (getattr(env.spec, "kwargs", None) or {}).get("max_episode_steps")
    return made_with or getattr(env.spec, "max_episode_steps", None)


def _resets_some(env: Any) -> bool:
    """Whether `reset` is known to follow its "reset_mask"."""
    import gymnasium

    return _takes_seeds(env) and hasattr(gymnasium.vector, "AutoresetMode")


def _takes_seeds(env: Any) -> bool:
    """Whether each environment takes a seed of its own."""
    from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

    return isinstance(env.unwrapped, AsyncVectorEnv | SyncVectorEnv)
