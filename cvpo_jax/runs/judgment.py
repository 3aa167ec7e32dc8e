"""Whether a run can go on from what it holds: the values its environment gave, and its own numbers.

Notation: D devices, S rows of the replay, R of them filled, N environments of a device, O observation size,
C constraints, E episodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.experience.evaluation import EvaluationResult
from cvpo_jax.experience.replay import Replay
from cvpo_jax.experience.rollout import LARGEST, CollectorState


@dataclass(frozen=True, order=True)
class Fault:
    """A value that an environment may not return; faults are in the order of time."""

    step: int
    """Environment steps of the run when it was returned."""
    name: str
    """`observation[3]`, `reward`, or the name of a cost."""
    env: int
    value: float

    def __str__(self) -> str:
        return f"{self.name} of environment {self.env} was {self.value:g} at step {self.step:,}"


def first_fault(state: TrainState, collector: CollectorState, costs: Sequence[str]) -> Fault | None:
    """The oldest bad value that the collector still holds; None if it was overwritten.

    `costs` are the names of the constraints.
    """
    collector = jax.device_get(collector)
    step = int(state.env_steps)
    replay, num_envs = collector.replay, int(np.prod(np.shape(collector.env_state.reward)))
    rows = int(replay.size[0])
    latest = np.asarray(collector.env_state.obs)[:, None]
    found = [
        # An observation was there before the step whose reward and costs are stored beside it.
        *_faults("observation", np.concatenate([_in_order(replay, replay.data.observation), latest], 1), rows),
        *_faults("reward", _in_order(replay, replay.data.reward)[..., None], rows - 1),
        *_faults("cost", _in_order(replay, replay.data.cost), rows - 1),
    ]
    named = [
        Fault(step - age * num_envs, _name(what, component, costs), env, value)
        for what, age, env, component, value in found
    ]
    return min(named, default=None)


def _name(what: str, component: int, costs: Sequence[str]) -> str:
    return {"observation": f"observation[{component}]", "reward": "reward"}.get(what) or costs[component]


def _in_order(replay: Replay, x: jax.Array | np.ndarray) -> np.ndarray:
    """What the replay holds, oldest first: from `[D, S, N, …]` to `[D, R, N, …]`."""
    rows, size, position = x.shape[1], int(replay.size[0]), int(replay.position[0])
    return np.asarray(x)[:, (position - size + np.arange(size)) % rows]


def _faults(what: str, values: np.ndarray, newest: int) -> Iterator[tuple[str, int, int, int, float]]:
    """The first bad one of `values` `[D, R, N, K]`: what, age in rows, environment, component and value."""
    bad = ~(np.abs(values) <= LARGEST)
    if what == "cost":
        bad |= values < 0
    if bad.any():
        row = int(np.argmax(bad.any((0, 2, 3))))
        device, env, component = (int(index) for index in np.argwhere(bad[:, row])[0])
        yield what, newest - row, device * values.shape[2] + env, component, float(values[device, row, env, component])


def evaluation_fault(episodes: EvaluationResult, costs: Sequence[str]) -> str:
    """Which sums over episodes are not finite or absurd, and how many of the E; empty if all can be used."""
    sums = {"return": np.asarray(episodes.returns)}
    sums |= {name: np.asarray(episodes.costs)[:, index] for index, name in enumerate(costs)}
    for name, values in sums.items():
        bad = ~(np.abs(values) <= LARGEST) | ((values < 0) & (name != "return"))
        if bad.any():
            return f"{name} of {bad.sum()} of {len(values)} episodes was {values[bad][0]:g}"
    return ""


def state_fault(state: TrainState) -> str:
    """The first array of the training state that is not finite; empty if all are."""
    for path, x in jax.tree_util.tree_leaves_with_path(jax.device_get(state)):
        if np.issubdtype(np.asarray(x).dtype, np.floating) and not np.isfinite(x).all():
            return jax.tree_util.keystr(path).lstrip(".")
    return ""
