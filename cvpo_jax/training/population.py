"""Trials that share one compiled program: vmapped on a device, spread over devices, each as if it were alone.

A trial lives on one device. Notation: D devices, P trials a device, N environments of a trial.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cvpo_jax.algorithm import matmul
from cvpo_jax.algorithm.state import (
    Hyperparameters,
    Metrics,
    StaticConfig,
    TrainState,
    init_train_state,
    without_numbers,
)
from cvpo_jax.config import Config
from cvpo_jax.experience import rollout
from cvpo_jax.experience.evaluation import EvaluationResult, make_evaluation
from cvpo_jax.experience.limit_input import require_equal_shares
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs.recorder import Parts
from cvpo_jax.runtime import devices, memory
from cvpo_jax.training import trainer
from cvpo_jax.training.epoch import make_loop, make_phases
from cvpo_jax.training.trial_set import TrialSet
from envs import VectorEnv
from envs.base import State


def shape(config: Config) -> tuple[Config, tuple[str, ...]]:
    """What two trials must have in common to share a program: all but seed, the limit, or those of constraints, and the
    options that are numbers. Several limits in one training are among what they share: environments are made for them.
    """
    train = replace(config.train, seed=0, devices=1)
    common = replace(config, algo=without_numbers(config.algo), train=train, run_dir=None)
    return common, tuple(config.algo.constraints)


class TrialEnv:
    """N copies of an environment, which under `vmap` over P trials step as one vector of P N copies.

    Under a plain `vmap` the condition "has any episode ended" becomes a selection, for which each step computes a reset
    of everything: measured 20 times slower on SafetyPointGoal1.
    """

    def __init__(self, make: Callable[[int], VectorEnv], num_envs: int) -> None:
        """`make(n)` makes a vector of n copies."""
        env = make(num_envs)
        self.num_envs = num_envs
        self.observation_size = env.observation_size
        self.action_size = env.action_size
        self.episode_length = env.episode_length
        self.cost_names = env.cost_names
        self.num_constraints = env.num_constraints
        self.reward_scale = env.reward_scale
        self.reset = env.reset
        self._step = jax.custom_batching.custom_vmap(env.step)
        self._step.def_vmap(partial(_step_all, make, num_envs))

    def step(self, state: State, action: jax.Array) -> State:
        """One step of all under `action` `[N, A]`."""
        return self._step(state, action)


def _step_all(
    make: Callable[[int], VectorEnv], num_envs: int, trials: int, batched: Any, state: State, action: jax.Array
) -> tuple[State, Any]:
    """One step of the environments of all trials, leaves `[P, N, ...]`, and which of the results are batched: all."""

    def flat(x: jax.Array, is_batched: bool) -> jax.Array:
        x = x if is_batched else jnp.broadcast_to(x, (trials, *x.shape))
        return x.reshape(trials * num_envs, *x.shape[2:])

    stepped = make(trials * num_envs).step(*jax.tree.map(flat, (state, action), tuple(batched)))
    stepped = jax.tree.map(lambda x: x.reshape(trials, num_envs, *x.shape[1:]), stepped)
    return stepped, jax.tree.map(lambda _: True, stepped)


@dataclass(frozen=True)
class PopulationTrainer(TrialSet):
    """Several trials; the leading axes of states, collectors and metrics are `[D, P]`.

    Where the trials do not fill D x P, copies of the last one do; their results are left aside.
    """

    trials: tuple[Config, ...] = ()

    @property
    def trial_devices(self) -> int:
        """A trial lives on one device."""
        return 1

    @property
    def configs(self) -> tuple[Config, ...]:
        """The configuration of each trial."""
        return self.trials

    def fresh(self) -> tuple[TrainState, CollectorState]:
        """State and collectors at the start of all trials."""
        keys = [jax.random.PRNGKey(config.train.seed) for config in self.trials]
        hyperparameters = [Hyperparameters.from_config(config.algo) for config in self.trials]
        return self.start(self.spread(keys), self.spread(hyperparameters))

    def template(self) -> Parts:
        """The shapes of each trial's part."""
        config = self.config
        key, hyperparameters = jax.random.PRNGKey(0), Hyperparameters.from_config(config.algo)
        state, collector = jax.eval_shape(
            lambda *start: _begin(self.static, self.env, self.rows, *start), key, hyperparameters
        )
        return state, jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), collector)

    def split(self, state: TrainState, collector: CollectorState) -> Iterator[Parts]:
        """Each trial's part, on the host, where one device's share is at a time."""
        left = len(self.trials)
        for device in range(len(self.chosen)):
            share = jax.tree.map(partial(_on_host, device=device), (state, collector))
            for index in range(min(left, self._per_device)):
                one = jax.tree.map(lambda x, index=index: x[index : index + 1], share)
                yield devices.first(one[0]), one[1]
            left -= self._per_device

    def join(self, parts: Sequence[Parts]) -> tuple[TrainState, CollectorState]:
        """State and collectors on the devices, from the parts of all trials."""
        states = [state for state, _ in parts]
        return self.spread(states), self.spread([devices.first(collector) for _, collector in parts])

    def rows_of(self, metrics: Metrics) -> list[dict[str, float]]:
        """Each trial's metrics."""
        flat = {name: np.asarray(value).ravel() for name, value in metrics.items()}
        return [{name: float(value[index]) for name, value in flat.items()} for index in range(len(self.trials))]

    def evaluation_arguments(self, state: TrainState, keys: Sequence[jax.Array]) -> tuple[TrainState, jax.Array]:
        """All states, and the trials' keys beside them."""
        return state, self.spread(keys)

    def each_evaluation(self, episodes: EvaluationResult) -> list[EvaluationResult]:
        """Each trial's, on the host."""
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), jax.device_get(episodes))
        return [jax.tree.map(lambda x, index=index: x[index], flat) for index in range(len(self.trials))]

    @property
    def _per_device(self) -> int:
        return -(-len(self.trials) // len(self.chosen))

    def spread(self, trees: Sequence[Any]) -> Any:
        """One tree of leaves `[D, P, ...]` on the devices, from one a trial."""
        filled = [*trees, *[trees[-1]] * (len(self.chosen) * self._per_device - len(trees))]
        grid = (len(self.chosen), self._per_device)

        def stack(*leaves: Any) -> np.ndarray:
            strong = [np.asarray(x, jnp.result_type(x)) for x in leaves]
            return np.stack(strong).reshape(*grid, *strong[0].shape)

        return devices.place(jax.tree.map(stack, *filled), self.chosen)


def _on_host(x: jax.Array, device: int) -> np.ndarray:
    """The part of `x` `[D, P, ...]` on a device: `[P, ...]`."""
    return np.asarray(x.addressable_shards[device].data)[0]


def build(configs: Sequence[Config], chosen: list[jax.Device]) -> PopulationTrainer:
    """The trainer of trials of equal `shape`, spread over `chosen`; raises ConfigError as `trainer.build` does."""
    configs = [config.validate().complete() for config in configs]
    config = replace(configs[0], train=replace(configs[0].train, devices=1))
    schedule = config.schedule()
    env = TrialEnv(partial(trainer.make_env, config, staggered=True), config.scale.num_envs)
    evaluation_env = TrialEnv(partial(trainer.make_env, config), trainer.evaluation_envs(config))
    memory.require_room(env, config.scale.replay_size, chosen, -(-len(configs) // len(chosen)))
    matmul.require(config.algo.matmul_dtype)
    static = trainer.make_static_config(config, env)
    require_equal_shares(static, env.num_envs, 1)
    rows = config.scale.replay_size // config.scale.num_envs

    def place(function: Callable) -> Callable:
        return devices.parallel(jax.vmap(function), chosen, placement=config.train.placement)

    loop = jax.vmap(make_loop(config, schedule, env, 1), in_axes=(None, 0, 0))
    return PopulationTrainer(
        config=config,
        schedule=schedule,
        chosen=chosen,
        env=env,
        static=static,
        start=place(partial(_begin, static, env, rows)),
        **make_phases(loop, chosen, config.train.placement),
        evaluate=place(make_evaluation(evaluation_env, stochastic=config.eval.stochastic)),
        trials=tuple(configs),
    )


def _begin(
    static: StaticConfig, env: VectorEnv, rows: int, key: jax.Array, hyperparameters: Hyperparameters
) -> tuple[TrainState, CollectorState]:
    """State and collector of one trial, as `trainer.build` starts them on one device."""
    key_learner, key_collection = jax.random.split(key)
    state = init_train_state(static, hyperparameters, key_learner)
    return devices.without_weak_types(state), rollout.start(env, rows, jax.random.split(key_collection, 1)[0])
