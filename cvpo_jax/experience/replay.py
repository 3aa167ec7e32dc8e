"""A ring buffer of environment steps on the device, sampled as n-step transitions.

Observations are stored once: the state after a step is the next row. Where an episode ends by its time limit the next
row belongs to a new episode, so an n-step window stops at the last stored state of its own and bootstraps there.
Notation: S rows of the ring, N environments, B states, n steps, O observation size, A action dimensions, C constraints.
"""

import jax
import jax.numpy as jnp
from flax import struct

from cvpo_jax.algorithm.state import Batch


class Transition(struct.PyTreeNode):
    """One environment step of N environments; `observation` is the one the action was chosen from."""

    observation: jax.Array  # [N, O]
    action: jax.Array  # [N, A], clipped to the box
    reward: jax.Array  # [N]
    cost: jax.Array  # [N, C]
    done: jax.Array  # [N] 1 where the episode ended by itself
    truncation: jax.Array  # [N] 1 where it ended by its time limit


class Replay(struct.PyTreeNode):
    """Steps of N environments in S rows, oldest first from `position` once the ring is full."""

    data: Transition  # every leaf [S, N, ...]
    position: jax.Array  # [] row written next
    size: jax.Array  # [] rows filled


def empty(example: Transition, rows: int) -> Replay:
    """A buffer of `rows` steps for transitions shaped like `example` (leaves `[N, ...]`)."""
    data = jax.tree.map(lambda x: jnp.zeros((rows, *x.shape), x.dtype), example)
    return Replay(data, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def insert(replay: Replay, step: Transition) -> Replay:
    """Write one step of all environments over the oldest row."""
    rows = replay.data.reward.shape[0]
    data = jax.tree.map(lambda store, x: store.at[replay.position].set(x), replay.data, step)
    return Replay(data, (replay.position + 1) % rows, jnp.minimum(replay.size + 1, rows))


def sample(
    replay: Replay,
    key: jax.Array,
    *,
    batch_size: int,
    n_step: int,
    gamma: jax.Array,
    recent_share: float,
    recent_rows: int,
    limits: int = 0,
) -> Batch:
    """Draw a batch uniformly; a share of the policy's states comes from the newest `recent_rows` rows.

    With several `limits` state b comes from the environments of the limit at b mod `limits`: as many for each.
    """
    num_envs = replay.data.reward.shape[1]
    recent = round(recent_share * batch_size)
    # All numbers in one draw: on a CPU each draw costs as much for one number as for thousands.
    pairs = jax.random.bits(key, (2, batch_size + recent))
    # The newest rows lack the states that follow them; row 0 is kept back for windows that must start one step earlier.
    age = _between(pairs[0, :batch_size], 1, replay.size - n_step)
    newest = _between(pairs[0, batch_size:], jnp.maximum(replay.size - recent_rows, 0), replay.size)
    env, recent_env = jnp.split(_between(pairs[1], 0, num_envs), [batch_size])
    if limits:
        env, recent_env = (x - x % limits + jnp.arange(len(x)) % limits for x in (env, recent_env))
    batch = _windows(replay, age, env, n_step, gamma)
    recent_observation = replay.data.observation[_row(replay, newest), recent_env]
    policy_observation = jnp.concatenate([recent_observation, batch.observation[recent:]])
    return batch.replace(policy_observation=policy_observation)


def _between(bits: jax.Array, low: jax.Array | int, high: jax.Array | int) -> jax.Array:
    """Whole numbers from `low` up to `high`, exclusive, from 32 random bits each: uniform but for 1 in 2^32 / span."""
    span = jnp.asarray(high - low, jnp.uint32)
    return low + (bits % span).astype(jnp.int32)


def _row(replay: Replay, age: jax.Array) -> jax.Array:
    """The row of the step that is `age` rows younger than the oldest."""
    rows = replay.data.reward.shape[0]
    return (replay.position - replay.size + age) % rows


def _windows(replay: Replay, age: jax.Array, env: jax.Array, n_step: int, gamma: jax.Array) -> Batch:
    """n-step transitions from the steps `age` [B] of environments `env` [B]."""
    # A step cut off by the time limit has no stored successor: start at the step before it instead.
    cut_at_start = replay.data.truncation[_row(replay, age), env] * (1 - replay.data.done[_row(replay, age), env])
    age = age - cut_at_start.astype(age.dtype)
    rows = _row(replay, age[:, None] + jnp.arange(n_step))
    done = replay.data.done[rows, env[:, None]]
    cut = replay.data.truncation[rows, env[:, None]] * (1 - done)
    # A step counts while no earlier one ended the episode and it is not itself cut off.
    open_before = jnp.cumprod(1 - jnp.pad(done[:, :-1], ((0, 0), (1, 0))), -1)
    counted = open_before * jnp.cumprod(1 - cut, -1)
    length = counted.sum(-1).astype(jnp.int32)
    weight = counted * gamma ** jnp.arange(n_step)
    terminated = jnp.any(counted * done > 0, -1)
    start = rows[:, 0]
    return Batch(
        observation=replay.data.observation[start, env],
        action=replay.data.action[start, env],
        reward=jnp.sum(weight * replay.data.reward[rows, env[:, None]], -1),
        cost=jnp.sum(weight[..., None] * replay.data.cost[rows, env[:, None]], -2),
        next_observation=replay.data.observation[_row(replay, age + length), env],
        discount=jnp.where(terminated, 0.0, gamma**length),
        policy_observation=replay.data.observation[start, env],
    )
