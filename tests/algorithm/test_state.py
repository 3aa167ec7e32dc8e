"""The state that training starts from."""

import jax
import numpy as np

from cvpo_jax import AlgoConfig
from cvpo_jax.algorithm import init
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig

ALGO = AlgoConfig(hidden=(8,), constraints="cost_hazards=3,cost_gremlins=4", cost_critics=2)
STATIC = StaticConfig.from_config(ALGO, observation_size=5, action_size=2, num_constraints=2, episode_length=100)


def test_targets_and_old_policy_start_as_copies_that_can_be_donated_apart() -> None:
    state = init.init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(0))
    for left, right in ((state.actor, state.old_actor), (state.critics, state.target_critics)):
        jax.tree.map(np.testing.assert_array_equal, left, right)
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state) if hasattr(x, "unsafe_buffer_pointer")]
    assert len(pointers) > 20
    assert len(set(pointers)) == len(pointers)


def test_sizes_follow_the_setup_and_numbers_the_configuration() -> None:
    state = init.init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(0))
    assert {x.shape[0] for x in jax.tree.leaves(state.critics)} == {2 + 2 * 2}
    assert state.duals.lam.shape == (2,)
    assert state.hyperparameters.cost_limit.tolist() == [3, 4]
    assert int(state.updates) == int(state.env_steps) == 0
    other = init.init_train_state(STATIC, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(1))
    differ = jax.tree.map(lambda x, y: bool(np.any(x != y)), (state.actor, state.key), (other.actor, other.key))
    assert any(jax.tree.leaves(differ[0])) and differ[1]
