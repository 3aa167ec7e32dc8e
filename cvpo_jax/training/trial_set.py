"""What the training loop needs of one trial or of many: the compiled functions, and each trial's part of their arrays.

Notation: D devices.
"""

import abc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jax

from cvpo_jax.algorithm.state import Metrics, StaticConfig, TrainState
from cvpo_jax.config import Config, Schedule
from cvpo_jax.experience.evaluation import EvaluationResult
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs.recorder import Parts
from cvpo_jax.training.epoch import Phase
from envs import VectorEnv


@dataclass(frozen=True)
class TrialSet(abc.ABC):
    """The functions compiled for `config`, the steps and updates they take, and whose the parts of their arrays are."""

    config: Config
    schedule: Schedule
    chosen: list[jax.Device]
    env: VectorEnv
    static: StaticConfig
    start: Callable[..., tuple[TrainState, CollectorState]]
    warmup: Phase
    epoch: Phase
    evaluate: Callable[[TrainState, jax.Array], EvaluationResult]

    @property
    def rows(self) -> int:
        """Rows of the replay's ring: steps of each environment."""
        return self.config.scale.replay_size // self.config.scale.num_envs

    @property
    def warmup_steps(self) -> int:
        """Environment steps of the warm-up."""
        return self.schedule.warmup * self.config.scale.num_envs

    @property
    def epoch_steps(self) -> int:
        """Environment steps per epoch."""
        return self.schedule.iterations * self.schedule.unroll * self.config.scale.num_envs

    @property
    def epoch_updates(self) -> int:
        """Updates per epoch."""
        return self.schedule.iterations * self.schedule.updates

    @property
    @abc.abstractmethod
    def trial_devices(self) -> int:
        """Devices a trial is spread over, in all processes."""

    @property
    @abc.abstractmethod
    def configs(self) -> tuple[Config, ...]:
        """The configuration of each trial."""

    @abc.abstractmethod
    def fresh(self) -> tuple[TrainState, CollectorState]:
        """States and collectors at the start of all trials."""

    @abc.abstractmethod
    def template(self) -> Parts:
        """The shapes of each trial's part."""

    @abc.abstractmethod
    def split(self, state: TrainState, collector: CollectorState) -> Iterator[Parts]:
        """Each trial's part of `state` and `collector`."""

    @abc.abstractmethod
    def join(self, parts: Sequence[Parts]) -> tuple[TrainState, CollectorState]:
        """States and collectors on the devices, from the parts of all trials."""

    @abc.abstractmethod
    def rows_of(self, metrics: Metrics) -> list[dict[str, float]]:
        """Each trial's metrics."""

    @abc.abstractmethod
    def evaluation_arguments(self, state: TrainState, keys: Sequence[jax.Array]) -> tuple[TrainState, jax.Array]:
        """What `evaluate` takes for all trials, each under its key."""

    @abc.abstractmethod
    def each_evaluation(self, episodes: EvaluationResult) -> list[EvaluationResult]:
        """Each trial's part of what `evaluate` returns."""

    def evaluations(self, state: TrainState, keys: Sequence[jax.Array]) -> list[EvaluationResult]:
        """Evaluate each trial under its key."""
        return self.each_evaluation(self.evaluate(*self.evaluation_arguments(state, keys)))

    def compile_evaluation(self, arguments: tuple[TrainState, jax.Array]) -> None:
        """Compile `evaluate` for `arguments`: JAX keeps the program for the calls to come."""
        self.evaluate.lower(*arguments).compile()  # type: ignore[attr-defined]
