"""Tell whether an environment can be trained on: `python -m envs.check ID [--kwargs JSON] [--folder DIR] ...`.

ID is `module:Name` or a task's id. Each line says what was looked at and what was found; where something does not fit,
the line has the remedy, and the exit status is 1. The last line is the command to train.

Notation: S steps, N environments, C constraints.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

import envs
from envs import own
from envs.adapters.source import Source
from envs.base import VectorEnv
from envs.check_request import Request

NUM_ENVS = 4
MIN_STEPS, MAX_STEPS = 250, 2000  # of each environment: at least 1,000 in all, and a whole episode unless it is long
_PORT, _ORIGINAL = "a port, inside the compiled loop", "of Safety-Gymnasium, in worker processes"
_KINDS = {
    "compiled": "steps in JAX, inside the compiled loop",
    "gymnasium": "a gymnasium.Env, in worker processes",
    "vector": "a gymnasium.vector.VectorEnv, in the training process",
}


class _UnfitError(Exception):
    """What does not fit, in one line with the remedy."""


@dataclass(frozen=True)
class Rollout:
    """Random steps from the start of an episode."""

    obs: np.ndarray  # [S, N, O]
    reward: np.ndarray  # [S, N]
    cost: np.ndarray  # [S, N], all of it
    components: dict[str, np.ndarray]  # name -> [S, N]
    done: np.ndarray  # [S, N]
    truncation: np.ndarray  # [S, N]
    seconds: float

    def episodes(self) -> Iterator[tuple[int, float, float]]:
        """Length, return and cost of each whole episode."""
        ended = (self.done > 0) | (self.truncation > 0)
        for env in range(ended.shape[1]):
            ends = np.flatnonzero(ended[:, env]) + 1
            for begin, end in zip([0, *ends[:-1]], ends, strict=True):
                yield int(end - begin), float(self.reward[begin:end, env].sum()), float(self.cost[begin:end, env].sum())


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the environment that the arguments name; returns the exit status."""
    return 0 if check(Request(**vars(_parser().parse_args(arguments)))) else 1


def check(request: Request) -> bool:
    """Print what is found of an environment, a line each, and whether it can be trained on, which is also returned."""
    try:
        with envs.host_scope():
            limit = _look(request)
    except (ValueError, ImportError, envs.HostError, _UnfitError) as error:
        print(f"FAIL  {_brief(error)}")
        return False
    print(f"train: {_command(request, limit)}")
    return True


def _brief(error: Exception) -> str:
    """The message in one line: of a traceback, which a warning has shown already, the last line alone."""
    first, found, traceback = str(error).partition("Traceback (most recent call last):")
    return " ".join(f"{first} {traceback.strip().splitlines()[-1] if found else ''}".split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m envs.check", description="Can this environment be trained on?")
    parser.add_argument("id", metavar="ID", help="module:Name, or the id of a task")
    parser.add_argument("--kwargs", type=_mapping, default={}, metavar="JSON", help="arguments of the function Name")
    parser.add_argument("--folder", metavar="DIR", help="the folder the module lies in, if not this one")
    parser.add_argument("--backend", choices=("brax", "gymnasium"), help="of a task: the port, or the original")
    parser.add_argument("--episode_length", type=int, metavar="N", help="steps of an episode")
    parser.add_argument("--action_bound", type=float, metavar="X", help="bound on actions that have none")
    parser.add_argument("--observation_key", metavar="K", help="the entry of dictionary observations that is used")
    return parser


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text} is not a JSON object, such as {{"payload": 2.0}}')
    return value


def _look(request: Request) -> float:
    """Print what is found and return the mean cost of a random episode; raises in one line where something is unfit."""
    backend = request.backend or ("brax" if request.id in envs.task_ids() else "gymnasium")
    choices: dict[str, Any] = {
        name: getattr(request, name) for name in ("episode_length", "action_bound", "observation_key")
    }
    named: dict[str, Any] = {"kwargs": request.kwargs, "folder": request.folder}
    vector = envs.make_vector(request.id, NUM_ENVS, backend=backend, **named, **choices)
    _found("kind", _kind(request.id, backend, named))
    _found("spaces", f"observations [{vector.observation_size}], actions [{vector.action_size}] in [-1, 1]")
    _found("episodes", f"of at most {vector.episode_length} steps")
    _found("costs", ", ".join(vector.cost_names))
    run = _runner(vector)
    first, second = run(jax.random.PRNGKey(0)), run(jax.random.PRNGKey(0))
    _check_values(first)
    _check_same(first, second)
    if np.array_equal(first.obs[0], run(jax.random.PRNGKey(1)).obs[0]):
        _found("seeds", "episodes begin alike, whatever the seed")
    cost = _describe(first, vector)
    _found("speed", f"{first.reward.size / second.seconds:,.0f} steps/s with {NUM_ENVS} environments")
    return cost


def _kind(task_id: str, backend: str, named: dict[str, Any]) -> str:
    """What the environment is, and how it is run."""
    if ":" in task_id:
        return _KINDS[own.kind(Source.parse(task_id, **named))]
    return _PORT if backend == "brax" else _ORIGINAL


def _runner(vector: VectorEnv) -> Callable[[jax.Array], Rollout]:
    """A function from a key to random steps, the same for the same key."""
    steps = min(max(MIN_STEPS, vector.episode_length), MAX_STEPS)

    @jax.jit
    def roll(key: jax.Array) -> dict[str, Any]:
        def step(state: Any, key: jax.Array) -> tuple[Any, dict[str, Any]]:
            shape = (vector.num_envs, vector.action_size)
            state = vector.step(state, jax.random.uniform(key, shape, minval=-1, maxval=1))
            parts = {name: state.info[name] for name in ("cost", "truncation")}
            components = state.info["cost_components"]
            return state, parts | {
                "obs": state.obs,
                "reward": state.reward,
                "done": state.done,
                "components": components,
            }

        start, actions = jax.random.split(key)
        return jax.lax.scan(step, vector.reset(start), jax.random.split(actions, steps))[1]

    def run(key: jax.Array) -> Rollout:
        started = time.perf_counter()
        rows = jax.tree.map(np.asarray, jax.block_until_ready(roll(key)))
        return Rollout(**rows | {"cost": rows["cost"].sum(-1)}, seconds=time.perf_counter() - started)

    return run


def _check_values(rollout: Rollout) -> None:
    """Raise _UnfitError for values that are not finite and for negative costs."""
    named = {"observation": rollout.obs, "reward": rollout.reward, "cost": rollout.cost} | rollout.components
    for name, values in named.items():
        if not np.isfinite(values).all():
            step, env, *_ = np.argwhere(~np.isfinite(values))[0]
            raise _UnfitError(
                f"values: {name} is {values[step, env]} in step {step} of environment {env}: keep it finite"
            )
    for name, values in {"cost": rollout.cost, **rollout.components}.items():
        if (values < 0).any():
            raise _UnfitError(
                f"costs: {name} is {values.min():g} in some step: a limit bounds costs from above, have none below 0"
            )
    _found("values", f"finite, and no negative cost in {rollout.reward.size:,} random steps")


def _check_same(first: Rollout, second: Rollout) -> None:
    """Raise _UnfitError unless both, of the same seed and actions, are equal."""
    for name in ("obs", "reward", "cost", "done", "truncation"):
        one, other = getattr(first, name), getattr(second, name)
        if not np.array_equal(one, other):
            step = int(np.argwhere(one != other)[0][0])
            raise _UnfitError(
                f"determinism: {name} differs in step {step} between two runs of the same seed and actions: let all "
                "randomness follow from the seed of reset, and have reset put back whatever steps change"
            )
    _found("determinism", "two runs of the same seed and actions agree")


def _describe(rollout: Rollout, vector: VectorEnv) -> float:
    """Print length, return and cost of random episodes; returns the mean cost of one."""
    episodes = np.array(list(rollout.episodes())).reshape(-1, 3)
    if len(episodes):
        length, gain, cost = episodes.mean(0)
        whole = f"{len(episodes)} episodes of {length:.0f} steps on average"
    else:
        length = vector.episode_length
        gain, cost = (float(values.mean() * length) for values in (rollout.reward, rollout.cost))
        whole = f"the first {len(rollout.reward)} steps, as if episodes went on so for {length}"
    _found("random actions", f"return {gain:.4g}, cost {cost:.4g} on average ({whole})")
    if len(rollout.components) > 1:
        means = {name: length * values.mean() for name, values in rollout.components.items()}
        _found("components", ", ".join(f"{name} {mean:.4g}" for name, mean in means.items()) + " an episode")
    if cost == 0:
        print("note  random actions cost nothing: does the cost arise at all, and is it told in every step?")
    return float(cost)


def _found(what: str, text: str) -> None:
    print(f"ok    {what}: {text}")


def _command(request: Request, cost: float) -> str:
    """The command to train, with half of what random actions cost as the limit to begin with."""
    words = ["python", "-m", "cvpo_jax.run", "--env.id", request.id]
    if request.backend:
        words += ["--env.backend", request.backend]
    if request.kwargs:
        words += ["--env.kwargs", json.dumps(dict(request.kwargs))]
    for name in ("folder", "episode_length", "action_bound", "observation_key"):
        if (value := getattr(request, name)) is not None:
            words += [f"--env.{name}", f"{value}"]
    if cost > 0:
        words += ["--algo.cost_limit", f"{float(f'{cost / 2:.2g}'):g}"]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
