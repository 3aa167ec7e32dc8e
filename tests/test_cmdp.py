"""The whole of collection and `update_step` on constrained problems solved by hand (tests/toy.py)."""

import jax
import pytest
from toy import Bandit, Chain, ToyEnv

from cvpo_jax import AlgoConfig, learner, replay, rollout
from cvpo_jax.episodes import make_evaluation
from cvpo_jax.types import Hyper, Setup
from cvpo_jax.update import update

NUM_ENVS = 32
LIMIT = 6.0


def solve(env: ToyEnv, algo: AlgoConfig, updates: int):
    """Train on `env` with two updates a step of all environments; returns the final state."""
    setup = Setup.from_config(
        algo,
        observation_size=env.observation_size,
        action_size=env.action_size,
        num_constraints=1,
        episode_length=env.episode_length,
    )
    state = learner.init_state(setup, Hyper.from_config(algo), jax.random.PRNGKey(0))
    collection = rollout.start(env, 200, jax.random.PRNGKey(1))
    state, collection, _ = rollout.collect(env, state, collection, steps=20, random=True, axis=None)

    def iteration(carry, key):
        state, collection = carry
        state, collection, _ = rollout.collect(env, state, collection, steps=1, random=False, axis=None)
        for key_update in jax.random.split(key):
            batch = replay.sample(
                collection.replay,
                key_update,
                batch_size=algo.batch_size,
                n_step=algo.n_step,
                gamma=state.hyper.gamma,
                recent_share=algo.recent_share,
                recent_rows=20,
            )
            state, metrics = update(state, batch)
        return (state, collection), metrics

    run = jax.jit(lambda carry: jax.lax.scan(iteration, carry, jax.random.split(jax.random.PRNGKey(2), updates // 2)))
    (state, _), _ = run((state, collection))
    return state


def evaluate(env: ToyEnv, state, *, stochastic: bool) -> tuple[float, float]:
    episodes = make_evaluation(env, stochastic=stochastic)(state, jax.random.PRNGKey(3))
    return float(episodes.returns.mean()), float(episodes.costs.mean())


def algo(**options) -> AlgoConfig:
    return AlgoConfig(
        cost_limit=LIMIT, gamma=0.9, n_step=1, batch_size=64, samples=16, hidden=(32,), critic_lr=3e-3, **options
    )


def test_the_controller_holds_the_bandits_measured_cost_just_under_its_limit() -> None:
    env = Bandit(NUM_ENVS)
    _, costs = evaluate(env, solve(env, algo(greedy_share=1.0), 16_000), stochastic=False)
    assert 0.8 * LIMIT <= costs <= LIMIT


def test_the_papers_threshold_settles_where_its_formula_says() -> None:
    """The bandit's critic sums over an endless future, the threshold over T steps: c / (1 - gamma) = eps1."""
    env = Bandit(NUM_ENVS)
    options = algo(limit_mode="paper", greedy_share=1.0)
    returns, costs = evaluate(env, solve(env, options, 8000), stochastic=False)
    expected = LIMIT * (1 - options.gamma**env.episode_length)
    assert costs == pytest.approx(expected, abs=0.3)
    assert returns == pytest.approx(2 * expected - env.episode_length, abs=0.6)


def test_the_chain_mixes_its_states_up_to_the_limit() -> None:
    env = Chain(NUM_ENVS)
    returns, costs = evaluate(env, solve(env, algo(greedy_share=0.0), 8000), stochastic=True)
    assert returns == costs
    assert 0.7 * LIMIT <= returns <= LIMIT
