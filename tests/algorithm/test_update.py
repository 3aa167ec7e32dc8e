"""update_step: purity, its transforms, what it does with numbers that are not finite, and with swapped signals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.training.types import UInt64
from learning import make_batch, make_state

from cvpo_jax import AlgoConfig, update_step
from cvpo_jax.algorithm.state import StaticConfig
from cvpo_jax.algorithm.update import normalize, update, update_critics


def assert_close(left, right, tolerance: float) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance), left, right)


def test_it_is_pure_and_donates_its_state() -> None:
    first, _ = update_step(make_state(), make_batch())
    given = make_state()
    second, metrics = update_step(given, make_batch())
    assert_close(first, second, 0)
    assert given.critics["params"] is not None
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(given.critics))
    assert int(second.updates) == 1
    assert all(np.isfinite(value) for value in metrics.values())
    before = make_state()
    for name in ("actor", "critics", "target_critics", "old_actor"):
        moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), getattr(second, name), getattr(before, name))
        assert max(jax.tree.leaves(moved)) > 0, name


def test_a_vmap_over_seeds_of_a_scan_of_updates_equals_each_seeds_updates_one_by_one() -> None:
    """Both transforms at once, as a population's epoch has them, since each alone takes as long to compile."""
    states = jax.tree.map(lambda *x: jnp.stack(x), make_state(0), make_state(1))
    batches = [[make_batch(2 * update + seed) for update in range(3)] for seed in range(2)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *(jax.tree.map(lambda *x: jnp.stack(x), *of) for of in batches))
    together, _ = jax.jit(jax.vmap(partial(jax.lax.scan, update)))(states, stacked)
    for seed in range(2):
        alone = make_state(seed)
        for batch in batches[seed]:
            alone, _ = update_step(alone, batch)
        assert_close(jax.tree.map(lambda x, seed=seed: x[seed], together), alone, 2e-5)


def test_swapping_reward_and_cost_swaps_the_critics() -> None:
    """With the critics' parameters swapped as well, each learns what the other learned."""
    static = StaticConfig.from_config(
        AlgoConfig(hidden=(16, 16), samples=8, cost_critics=2, normalize_observations=False),
        observation_size=3,
        action_size=2,
        num_constraints=1,
        episode_length=100,
    )
    batch = make_batch().replace(discount=jnp.zeros(16))
    swapped = batch.replace(reward=batch.cost[:, 0], cost=batch.reward[:, None])

    def swap(critics):
        return jax.tree.map(lambda x: jnp.concatenate([x[2:], x[:2]]), critics)

    state = make_state(static=static)
    other = state.replace(critics=swap(state.critics))

    @jax.jit
    def learn(state, batch):
        return update_critics(state, normalize(state, batch), state.key, None)[0]

    learned, mirrored = learn(state, batch), learn(other, swapped)
    assert_close(swap(learned.critics), mirrored.critics, 1e-6)


@pytest.mark.parametrize("field", ["reward", "cost", "observation"])
def test_a_batch_that_is_not_finite_changes_nothing_and_is_counted(field: str) -> None:
    batch = make_batch()
    poisoned = batch.replace(**{field: getattr(batch, field).at[3].set(jnp.nan)})
    state, metrics = update_step(make_state(), poisoned)
    assert metrics["update/skipped"] == 1
    fresh = make_state()
    for name in ("actor", "critics", "critic_optimizer", "actor_optimizer", "duals", "multipliers", "old_actor"):
        assert_close(getattr(state, name), getattr(fresh, name), 0)
    assert int(state.updates) == 1


def test_counters_pass_four_billion() -> None:
    state = make_state()
    state = state.replace(updates=UInt64(hi=0, lo=2**32 - 1))
    state, _ = update_step(state, make_batch())
    assert int(state.updates) == 2**32
