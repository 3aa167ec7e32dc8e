"""The compiled pieces of one experiment: start, warm-up, epoch and evaluation, placed on devices.

Notation: D devices, N environments over all devices, n = N / D on one, T episode length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax

import envs
from cvpo_jax.algorithm import matmul
from cvpo_jax.algorithm.state import Hyperparameters, Metrics, StaticConfig, TrainState, init_train_state
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.sections import PORT_OPTIONS
from cvpo_jax.experience import rollout
from cvpo_jax.experience.evaluation import EvaluationResult, make_evaluation
from cvpo_jax.experience.limit_input import LimitInput, require_equal_shares
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs.recorder import Parts
from cvpo_jax.runtime import devices, distributed, memory
from cvpo_jax.training.epoch import make_loop, make_phases
from cvpo_jax.training.trial_set import TrialSet
from envs import VectorEnv


@dataclass(frozen=True)
class Trainer(TrialSet):
    """One trial; states and collectors have a leading axis D."""

    @property
    def trial_devices(self) -> int:
        """Devices a trial is spread over, in all processes."""
        return len(devices.all_devices(self.chosen))

    @property
    def configs(self) -> tuple[Config, ...]:
        """The configuration of each trial: here of the only one."""
        return (self.config,)

    def fresh(self) -> tuple[TrainState, CollectorState]:
        """State and collectors at the start of a run."""
        return self.start(jax.random.PRNGKey(self.config.train.seed))

    def template(self) -> Parts:
        """The shapes of each trial's part."""
        state, collector = jax.eval_shape(self.fresh)
        whole = jax.tree.map(lambda x: jax.ShapeDtypeStruct((self.trial_devices, *x.shape[1:]), x.dtype), collector)
        return jax.eval_shape(devices.first, state), whole

    def split(self, state: TrainState, collector: CollectorState) -> Iterator[Parts]:
        """Each trial's part of `state` and `collector`."""
        yield devices.first(state), distributed.gather(collector)

    def join(self, parts: Sequence[Parts]) -> tuple[TrainState, CollectorState]:
        """State and collectors on the devices, from the parts of all trials."""
        ((state, collector),) = parts
        return devices.replicate(state, self.chosen), devices.place(distributed.local_part(collector), self.chosen)

    def rows_of(self, metrics: Metrics) -> list[dict[str, float]]:
        """Each trial's metrics."""
        return [{name: float(value[0]) for name, value in metrics.items()}]

    def evaluation_arguments(self, state: TrainState, keys: Sequence[jax.Array]) -> tuple[TrainState, jax.Array]:
        """One replica, and the key of the only trial."""
        return devices.first(state), keys[0]

    def each_evaluation(self, episodes: EvaluationResult) -> list[EvaluationResult]:
        """The only one."""
        return [episodes]


def make_env(config: Config, num_envs: int, *, staggered: bool = False) -> VectorEnv:
    """`num_envs` environments of the experiment's task in one vector; raises ConfigError where there is none.

    With several limits each environment is told its own (`limit_input`). `staggered` spreads those of the port over the
    phases of an episode, so that a mean over fewer steps sees them all.
    """
    env, limits = config.env, config.algo.limits
    options = {name: value for name in PORT_OPTIONS if (value := getattr(env, name)) is not None}
    if env.layout != "random":
        options["layout"] = env.layout
    try:
        made = envs.make_vector(
            env.id,
            num_envs,
            backend=env.backend,
            kwargs=env.kwargs,
            folder=env.folder,
            staggered=staggered,
            constraints=tuple(config.algo.constraints),
            episode_length=env.episode_length,
            action_bound=env.action_bound,
            observation_key=env.observation_key,
            **options,
        )
    except (ValueError, ImportError) as error:
        where = "" if env.is_own else f" --env.backend {env.backend}"
        raise ConfigError(f"--env.id {env.id}{where}: {error}") from error
    return LimitInput(made, limits) if limits else made


def evaluation_envs(config: Config) -> int:
    """How many environments an evaluation plays: `eval.episodes`, for each of the limits where there are several."""
    return config.eval.episodes * (len(config.algo.limits) or 1)


def build(config: Config) -> Trainer:
    """Make the environments and the functions to compile; raises ConfigError where they do not fit the devices."""
    config = config.validate().complete()
    schedule = config.schedule()
    chosen = devices.select(config.train.devices)
    everywhere = devices.all_devices(chosen)
    for name, value in (("env.num_envs", config.scale.num_envs), ("algo.batch_size", config.algo.batch_size)):
        if value % len(everywhere):
            raise ConfigError(f"--{name} is {value}: it must be a multiple of the {len(everywhere)} devices")
    env = make_env(config, config.scale.num_envs // len(everywhere), staggered=True)
    memory.require_room(env, config.scale.replay_size, chosen, 1 / len(everywhere))
    matmul.require(config.algo.matmul_dtype)
    static = make_static_config(config, env)
    require_equal_shares(static, env.num_envs, len(everywhere))
    rows = config.scale.replay_size // config.scale.num_envs
    loop = partial(make_loop(config, schedule, env, len(everywhere)), axis_name=devices.AXIS_NAME)
    place = partial(devices.parallel, placement=config.train.placement)
    return Trainer(
        config=config,
        schedule=schedule,
        chosen=chosen,
        env=env,
        static=static,
        start=partial(_start, config, static, chosen, place(partial(rollout.start, env, rows), everywhere)),
        **make_phases(loop, chosen, config.train.placement),
        evaluate=make_evaluation(make_env(config, evaluation_envs(config)), stochastic=config.eval.stochastic),
    )


def make_static_config(config: Config, env: VectorEnv) -> StaticConfig:
    """The static choices of `config` for `env`."""
    return StaticConfig.from_config(
        config.algo,
        config.controller,
        observation_size=env.observation_size,
        action_size=env.action_size,
        num_constraints=env.num_constraints,
        episode_length=env.episode_length,
        reward_scale=config.algo.reward_scale or env.reward_scale,
    )


def _start(
    config: Config, static: StaticConfig, chosen: list[jax.Device], start: Callable, key: jax.Array
) -> tuple[TrainState, CollectorState]:
    """Fresh state and collectors; environments and exploration differ by device, the learner does not."""
    key_learner, key_collection = jax.random.split(key)
    state = init_train_state(static, Hyperparameters.from_config(config.algo), key_learner)
    keys = jax.random.split(key_collection, len(devices.all_devices(chosen)))
    return devices.replicate(state, chosen), start(distributed.local_part(keys))
