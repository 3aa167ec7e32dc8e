"""Trainings on the problems solved by hand (`toy`), by the whole of collection and `update_step`."""

from dataclasses import replace
from functools import partial

import jax
from toy import Bandit, ToyEnv

from cvpo_jax import AlgoConfig, Config, TrainConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, init_train_state
from cvpo_jax.algorithm.update import update
from cvpo_jax.experience import replay, rollout
from cvpo_jax.experience.evaluation import make_evaluation
from cvpo_jax.experience.limit_input import LimitInput

NUM_ENVS = 32
LIMIT = 6.0
MOST_ITERATIONS = 8000


class ToldBandit(LimitInput):
    """A bandit whose copies are held to two limits in turn, and told which."""

    limits = (4.0, 12.0)

    def __init__(self, num_envs: int, unit: float = 1.0) -> None:
        super().__init__(Bandit(num_envs, unit), self.limits)
        self.numbers = (unit,)


def solve(env: ToyEnv | ToldBandit, algo: AlgoConfig, updates: int, seed: int = 0, *, of: int | None = None):
    """Train on `env` with two updates a step of all environments, from the networks of `seed`; returns the state.

    These are the first updates of a training of `of`. Equal problems, options and `of` share one compiled program.
    """
    # As long a share of the training for each part as a training of so many updates has.
    paced = Config(train=TrainConfig(steps=256 * (of or updates), updates_per_step=1 / 256)).complete()
    if algo.unconstrained_updates is None:
        algo = replace(algo, unconstrained_updates=paced.algo.unconstrained_updates)
    static = StaticConfig.from_config(
        algo,
        paced.controller,
        observation_size=env.observation_size,
        action_size=env.action_size,
        num_constraints=1,
        episode_length=env.episode_length,
    )
    state = init_train_state(static, Hyperparameters.from_config(algo), jax.random.PRNGKey(seed))
    collector = rollout.start(env, 200, jax.random.PRNGKey(1))
    state, collector, _ = rollout.collect(env, state, collector, steps=20, random=True, axis_name=None)
    keys = jax.random.split(jax.random.PRNGKey(2), MOST_ITERATIONS)
    assert updates // 2 <= MOST_ITERATIONS
    return run(type(env), env.num_envs, env.numbers, updates // 2, keys, state, collector)


@partial(jax.jit, static_argnums=(0, 1))
def run(kind: type[ToyEnv] | type[ToldBandit], num_envs: int, numbers, iterations, keys, state, collector):
    """The state after `iterations` steps of all environments, each with two updates."""
    env, algo = kind(num_envs, *numbers), state.static.algo
    draw = partial(
        replay.sample,
        batch_size=algo.batch_size,
        n_step=algo.n_step,
        recent_share=algo.recent_share,
        recent_rows=20,
        limits=len(algo.limits),
    )

    def iteration(index, carry):
        state, collector = carry
        state, collector, _ = rollout.collect(env, state, collector, steps=1, random=False, axis_name=None)

        def learn(state, key):
            return update(state, draw(collector.replay, key, gamma=state.hyperparameters.gamma))

        return jax.lax.scan(learn, state, jax.random.split(keys[index]))[0], collector

    return jax.lax.fori_loop(0, iterations, iteration, (state, collector))[0]


def evaluate(env: ToyEnv, state, *, stochastic: bool) -> tuple[float, float]:
    """Mean return and cost of an episode; equal kinds of problems share one compiled program here, too."""
    episodes = play(type(env), env.num_envs, stochastic, env.numbers, state)
    return float(episodes.returns.mean()), float(episodes.costs.mean())


@partial(jax.jit, static_argnums=(0, 1, 2))
def play(kind: type[ToyEnv], num_envs: int, stochastic: bool, numbers, state):
    return make_evaluation(kind(num_envs, *numbers), stochastic=stochastic)(state, jax.random.PRNGKey(3))


def algo(**options) -> AlgoConfig:
    """Small and quick; an episode lasts 40 updates, which the policy's average must not lag behind.

    Plain critics know these few values as well, and compile in half the time.
    """
    small = AlgoConfig(cost_limit=LIMIT, gamma=0.9, n_step=1, batch_size=64, samples=16, hidden=(32,))
    small = replace(small, quantiles=1, layer_norm=False)
    return replace(small, critic_lr=3e-3, ema_rate=0.05, **options)
