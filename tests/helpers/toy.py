"""Constrained decision problems whose optimum is known, as vector environments of N copies, and one single environment.

All end by their time limit only, the problems after T = 20 steps.
"""

import jax
import jax.numpy as jnp
from brax.envs import State
from flax import struct

from envs.base import SafeEnv


class ToyState(struct.PyTreeNode):
    """Where each copy is, and how many steps its episode has run."""

    place: jax.Array  # [N]
    time: jax.Array  # [N]


class ToyEnv:
    """Base: subclasses say where an action leads, and what it pays and costs."""

    observation_size = 2
    action_size = 1
    episode_length = 20
    cost_names = ("cost",)
    num_constraints = 1
    reward_scale = 1.0

    def __init__(self, num_envs: int, unit: float = 1.0) -> None:
        self.num_envs = num_envs
        self.unit = unit
        """Of costs."""

    @property
    def numbers(self) -> tuple:
        """The options after the number of copies, of which none shapes a compiled program."""
        return (self.unit,)

    def outcome(self, place: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Next place, reward and cost before its unit, each `[N]`."""
        raise NotImplementedError

    def reset(self, key: jax.Array) -> State:
        del key
        zeros = jnp.zeros(self.num_envs)
        info = {"cost": zeros[:, None], "truncation": zeros}
        return State(ToyState(zeros, zeros), self._observe(zeros), zeros, zeros, {}, info)

    def step(self, state: State, action: jax.Array) -> State:
        inner = state.pipeline_state
        place, reward, cost = self.outcome(inner.place, action[:, 0])
        time = inner.time + 1
        over = (time >= self.episode_length).astype(jnp.float32)
        place, time = place * (1 - over), time * (1 - over)
        return state.replace(
            pipeline_state=ToyState(place, time),
            obs=self._observe(place),
            reward=reward,
            info={"cost": self.unit * cost[:, None], "truncation": over},
        )

    def _observe(self, place: jax.Array) -> jax.Array:
        return jax.nn.one_hot(place.astype(jnp.int32), 2)


class Bandit(ToyEnv):
    """One state; reward a, cost (a + 1) / 2. At limit L of T = 20 steps the best action is 2 L / T - 1."""

    def outcome(self, place, action):
        return jnp.zeros_like(place), action, (action + 1) / 2


class Brittle(Bandit):
    """A bandit whose rewards are never numbers where it was begun by one key in eight.

    Those of an evaluation, of four environments, always are.
    """

    def outcome(self, place, action):
        _, reward, cost = super().outcome(place, action)
        return place, jnp.where(place > 0, jnp.nan, reward), cost

    def reset(self, key):
        state = super().reset(key)
        broken = jnp.float32((key[1] % 8 == 1) * (self.num_envs != 4))
        return state.replace(pipeline_state=state.pipeline_state.replace(place=jnp.full(self.num_envs, broken)))


class Chain(ToyEnv):
    """Two states, chosen by the action's sign; state 1 pays 1 and costs 1 a step. The best return is L itself."""

    def outcome(self, place, action):
        there = (action > 0).astype(jnp.float32)
        return there, there, there


class Problem(ToyEnv):
    """The bandit or the `chain`, whose episodes may also end by themselves: with probability `hazard` at each step.

    Which it is, numbers say, which may be traced: all share one compiled program.
    """

    def __init__(self, num_envs: int, unit=1.0, chain=0.0, hazard=0.0) -> None:
        super().__init__(num_envs, unit)
        self.chain, self.hazard = chain, hazard

    @property
    def numbers(self) -> tuple:
        return self.unit, self.chain, self.hazard

    def outcome(self, place, action):
        of_each = zip(Chain.outcome(self, place, action), Bandit.outcome(self, place, action), strict=True)
        return tuple(jnp.where(self.chain, chain, bandit) for chain, bandit in of_each)

    def reset(self, key):
        state = super().reset(key)
        return state.replace(info=state.info | {"random": key})

    def step(self, state, action):
        key, now = jax.random.split(state.info["random"])
        stepped = super().step(state.replace(info={name: state.info[name] for name in ("cost", "truncation")}), action)
        done = jax.random.bernoulli(now, self.hazard, (self.num_envs,)).astype(jnp.float32)
        inner = stepped.pipeline_state
        return stepped.replace(
            pipeline_state=inner.replace(time=inner.time * (1 - done)),
            done=done,
            info=stepped.info | {"truncation": stepped.info["truncation"] * (1 - done), "random": key},
        )


class Walk(SafeEnv):
    """Moves by the action from a random place, at no reward or cost."""

    cost_names = ("cost",)
    num_constraints = 1
    observation_size = 1
    action_size = 1
    backend = "none"

    def __init__(self, episode_length: int) -> None:
        self.episode_length = episode_length

    def reset(self, rng: jax.Array) -> State:
        place, zero = jax.random.uniform(rng, (1,)), jnp.zeros(())
        return State((place, zero), place, zero, zero, {}, {"cost": zero[None], "truncation": zero})

    def step(self, state: State, action: jax.Array) -> State:
        place, time = state.pipeline_state[0] + action, state.pipeline_state[1] + 1
        over = (time >= self.episode_length).astype(jnp.float32)
        return state.replace(pipeline_state=(place, time), obs=place, info=state.info | {"truncation": over})
