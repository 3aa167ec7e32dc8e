"""How far one env step of a port is from the original's: `python -m envs.parity FILE.npz … [--x64] [--json]`.

From every recorded state the port makes one step under the recorded action, and the outcome is compared with the next
recorded state, of which nothing is read before. The recording's contact lists divide the steps into four kinds: contact
(the robot touches something solid at either end), near (it touches nothing at the ends, but something is in reach
within the step), free, and, for robots that roll, the first step after a reset, which depends on rounding.

Notation: R rows, O observation size.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.navigation.env import NavigationEnv
from envs.navigation.robots import Robot
from envs.navigation.world import World
from envs.parity.recording import Recording, read, worlds
from envs.registry import make

QUANTILES = (("median", 50), ("p90", 90), ("p99", 99), ("max", 100))
_REWARD_TOLERANCE = 1e-4  # up to which a reward is right: far below the bonus of 1, above the noise of float32


class Outcome(NamedTuple):
    """What the port makes of the recorded states, with a leading axis `[R]`."""

    moved: World  # after the physics, before goals change
    reward: jax.Array  # [R]
    costs: dict[str, jax.Array]  # [R] each
    advanced: World  # after goals and timers
    obs: jax.Array  # [R, O] of the step
    start_obs: jax.Array  # [R, O] of the recorded state itself
    in_reach: jax.Array  # bool [R]


def predict(env: NavigationEnv, before: World, action: jax.Array) -> Outcome:
    """Make one step of `env` from each of `before` under `action` `[R, A]`."""

    def one(before: World, action: jax.Array) -> tuple[Any, ...]:
        moved = env.move(before, jnp.clip(action, -1.0, 1.0))
        reward = jnp.clip(env.task.reward(before, moved), -env.task.reward_limit, env.task.reward_limit)
        advanced = env.task.advance(moved, before.key)
        return moved, reward, dict(env.task.costs(moved)), advanced, env.observe(advanced), env.observe(before)

    return Outcome._make((*jax.jit(jax.vmap(one))(before, action), jax.vmap(env.in_reach)(before)))


def _norm(difference: np.ndarray) -> np.ndarray:
    """The greatest absolute component `[R]` of `[R, ...]`."""
    flat = np.abs(difference).reshape(len(difference), -1)
    return flat.max(axis=1) if flat.shape[1] else np.zeros(len(flat))


def _errors(recording: Recording, outcome: Outcome, env: NavigationEnv) -> dict[str, np.ndarray]:
    """The one-step errors `[R]` by quantity."""
    truth = worlds(recording, env, after=True)
    found, robot = outcome.moved.robot, truth.robot
    turn = np.asarray(found.yaw - robot.yaw, np.float64)
    errors = {
        "xy": _norm(np.asarray(found.position - robot.position)),
        "yaw": np.abs(turn - 2 * np.pi * np.round(turn / (2 * np.pi))),
        "velocity": _norm(np.asarray(found.velocity - robot.velocity)),
    }
    obs = recording.rows("obs", after=True)
    difference = np.asarray(outcome.obs, np.float64) - obs
    errors["yaw rate"] = np.abs(difference[:, env.robot.readings_of("gyro")][:, 2])
    errors |= _caster_errors(difference, env.robot)
    if truth.bodies.position.shape[1]:
        errors["bodies xy"] = _norm(np.asarray(outcome.moved.bodies.position - truth.bodies.position)[..., :2])
    errors["accelerometer"] = _norm(difference[:, env.robot.readings_of("accelerometer")])
    errors["reward"] = np.abs(np.asarray(outcome.reward) - recording.rows("reward", after=True))
    return errors


def _caster_errors(difference: np.ndarray, robot: Robot) -> dict[str, np.ndarray]:
    """The errors `[R]` of the caster of a robot that has one, from the `difference` `[R, O]` of observations."""
    sensors = dict(robot.sensor_sizes)
    named = {"ballangvel": "ballangvel_rear", "ball matrix": "ballquat_rear"}
    return {name: _norm(difference[:, robot.readings_of(key)]) for name, key in named.items() if key in sensors}


def _state_errors(recording: Recording, outcome: Outcome, env: NavigationEnv) -> dict[str, np.ndarray]:
    """The errors `[R]` of the observation at the recorded states, accelerometer excluded: it depends on a step."""
    difference = np.asarray(outcome.start_obs, np.float64) - recording.rows("obs", after=False)
    first, size = env.robot.readings_of("accelerometer").stop, env.robot.sensor_size
    return {
        "sensors at the state": _norm(difference[:, first:size]),
        "lidars at the state": _norm(difference[:, size:]),
    }


def _classes(recording: Recording, outcome: Outcome, robot: Robot) -> dict[str, np.ndarray]:
    """Which rows, bool `[R]`, are of which kind."""
    touching = (recording.rows("robot_contacts", after=False) != "") | (
        recording.rows("robot_contacts", after=True) != ""
    )
    steps = recording.arrays["qpos"].shape[1] - 1
    first = (np.arange(len(touching)) % steps == 0) & (robot.wheels is not None)
    near = np.asarray(outcome.in_reach) & ~touching
    kinds = {"free": ~touching & ~near & ~first, "near": near & ~first, "contact": touching & ~first, "first": first}
    return {name: rows for name, rows in kinds.items() if rows.any()}


def _mismatches(recording: Recording, outcome: Outcome, errors: dict[str, np.ndarray]) -> dict[str, int]:
    """The numbers of steps whose reward, cost, cost components or timer differ."""
    count = {"reward": int(np.sum(errors["reward"] > _REWARD_TOLERANCE))}
    total = np.minimum(sum((np.asarray(value) for value in outcome.costs.values()), np.zeros(len(errors["xy"]))), 1.0)
    count["cost"] = int(np.sum(total != recording.rows("cost", after=True)))
    for name, value in outcome.costs.items():
        recorded = np.nan_to_num(recording.rows(f"info_{name}", after=True))
        count[name] = int(np.sum(np.asarray(value) != recorded))
    if "timer" in outcome.advanced.memory:
        count["timer"] = int(
            np.sum(np.asarray(outcome.advanced.memory["timer"]) != recording.rows("timer", after=True))
        )
    return count


def _summary(values: np.ndarray) -> dict[str, float]:
    return {name: float(np.percentile(values, share)) for name, share in QUANTILES}


def compare(path: Path) -> dict[str, Any]:
    """The parity of one recording, in the floating-point type that JAX is set to.

    Returns the task, the number of steps of each kind, the errors by kind and quantity (median, p90, p99, max) and the
    numbers of mismatches. Raises ValueError for a file that is not a recording and for a task that is not ported.
    """
    recording = read(path)
    env = make(f"Safety{recording.task}-v0")
    outcome = predict(env, worlds(recording, env, after=False), jnp.asarray(recording.rows("action", after=True)))
    errors = _errors(recording, outcome, env)
    classes = _classes(recording, outcome, env.robot)
    table = {kind: {name: _summary(values[rows]) for name, values in errors.items()} for kind, rows in classes.items()}
    table["all"] = {name: _summary(values) for name, values in _state_errors(recording, outcome, env).items()}
    return {
        "task": recording.task,
        "steps": {kind: int(rows.sum()) for kind, rows in classes.items()} | {"all": len(errors["xy"])},
        "errors": table,
        "mismatches": _mismatches(recording, outcome, errors),
    }


def _lines(result: dict[str, Any]) -> list[str]:
    """The Markdown table of one file."""
    head = " | ".join(name for name, _ in QUANTILES)
    lines = [f"### {result['task']}", "", f"| steps | quantity | {head} |", "|---|---|" + "---|" * len(QUANTILES)]
    for kind, quantities in result["errors"].items():
        for name, values in quantities.items():
            cells = " | ".join(f"{values[key]:.1e}" for key, _ in QUANTILES)
            lines.append(f"| {kind} ({result['steps'][kind]}) | {name} | {cells} |")
    wrong = ", ".join(f"{name} {number}" for name, number in result["mismatches"].items())
    return [*lines, "", f"Steps that differ, of {result['steps']['all']}: {wrong}.", ""]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m envs.parity", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="recordings (npz)")
    parser.add_argument("--x64", action="store_true", help="double precision")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    options = parser.parse_args(arguments)
    jax.config.update("jax_enable_x64", options.x64)
    for path in options.files:
        try:
            result = compare(path)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        print(json.dumps(result) if options.json else "\n".join(_lines(result)))
    return 0
