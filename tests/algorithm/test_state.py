"""The state that training starts from."""

from dataclasses import replace

import jax
import numpy as np

from cvpo_jax import AlgoConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, init_train_state, without_numbers
from cvpo_jax.config import roles

ALGO = AlgoConfig(hidden=(8,), constraints={"cost_hazards": 3.0, "cost_gremlins": 4.0}, cost_critics=2)
STATIC = StaticConfig.from_config(ALGO, observation_size=5, action_size=2, num_constraints=2, episode_length=100)


def test_targets_and_old_policy_start_as_copies_that_can_be_donated_apart() -> None:
    state = init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(0))
    for left, right in ((state.actor, state.old_actor), (state.critics, state.target_critics)):
        jax.tree.map(np.testing.assert_array_equal, left, right)
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state) if hasattr(x, "unsafe_buffer_pointer")]
    assert len(pointers) > 20
    assert len(set(pointers)) == len(pointers)


def test_what_trials_may_differ_in_is_declared_once_in_the_configuration() -> None:
    assert tuple(sorted(Hyperparameters.__dataclass_fields__)) == tuple(sorted(roles.numbers(AlgoConfig)))
    other = replace(ALGO, gamma=0.5, cost_limit=3.0, constraints={"cost_a": 1.0, "cost_b": 2.0})
    assert without_numbers(other) == without_numbers(ALGO)
    assert without_numbers(replace(ALGO, samples=3)) != without_numbers(ALGO)
    assert hash(StaticConfig.from_config(other, **STATIC.sizes)) == hash(STATIC)


def test_sizes_follow_the_setup_and_numbers_the_configuration() -> None:
    state = init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(0))
    assert {x.shape[0] for x in jax.tree.leaves(state.critics)} == {2 + 2 * 2}
    assert state.duals.lam.shape == (2,)
    assert state.hyperparameters.cost_limit.tolist() == [3, 4]
    assert int(state.updates) == int(state.env_steps) == 0
    other = init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(1))
    differ = jax.tree.map(lambda x, y: bool(np.any(x != y)), (state.actor, state.key), (other.actor, other.key))
    assert any(jax.tree.leaves(differ[0])) and differ[1]
