"""Measure an experiment's speed: `python -m cvpo_jax.bench EXPERIMENT [--json] [--section.option value …]`.

`--environment` measures the environments alone and what resets add, `--devices 1,2,4` how it scales (cvpo_jax.scaling).

Environment alone, collection with the policy, updates and their parts, evaluation, the whole training loop; each the
median of several windows, compilation apart. Notation: b states on one device, E critics, K sampled actions.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cvpo_jax import cli
from cvpo_jax.algorithm import mstep, networks, update
from cvpo_jax.algorithm.gaussian import stratified_noise
from cvpo_jax.algorithm.state import Batch, KLMultipliers, TrainState
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.experience import rollout
from cvpo_jax.experience.replay import Replay
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.profiling import host_envs, scaling
from cvpo_jax.profiling.reset_cost import ResetCost, measure_resets
from cvpo_jax.profiling.timing import Measurement, Window, compiled, measure, table
from cvpo_jax.runtime import devices, memory
from cvpo_jax.training.epoch import make_draw
from cvpo_jax.training.trainer import Trainer, build
from envs.host.vector import host_scope

USAGE = "python -m cvpo_jax.bench EXPERIMENT [--json] [--windows N] [--seconds S] [--environment | --devices D1,D2,...]"


def bench_environment(config: Config, window: Window) -> tuple[Measurement, ResetCost | None]:
    """The environments alone, and what resets add; None where that cannot be told apart (host environments)."""
    trainer = build(config)
    _, collection = trainer.start(jax.random.PRNGKey(config.train.seed))
    start, keys = collection.env_state, env_keys(trainer)
    loop = compiled(environment_loop(trainer), (start, keys))
    length = trainer.schedule.iterations * trainer.schedule.unroll
    result, _ = measure("environment", "steps/s", trainer.epoch_steps, loop, (start, keys), window)
    if config.env.backend == "gymnasium" or length >= trainer.env.episode_length:
        return result, None
    return result, measure_resets(loop.call, start, keys, length, trainer.env.episode_length, window)


def bench(config: Config, window: Window) -> tuple[list[Measurement], float]:
    """All measurements of an experiment, and the floating point operations of an update as XLA counts them.

    XLA counts the body of a loop once, so that iterations of the dual's solver beyond the first are left out.
    """
    trainer = build(config)
    state, collection = trainer.start(jax.random.PRNGKey(config.train.seed))
    key, steps = jax.random.PRNGKey(0), trainer.epoch_steps

    def run(name: str, unit: str, work: float, function: Callable, *arguments: Any) -> tuple[Measurement, tuple]:
        return measure(name, unit, work, function, arguments, window)

    # Host environments cannot go back: what follows goes on from the state that the measurement before it left.
    arguments = collection.env_state, env_keys(trainer)
    result, (env_state, _) = run("environment", "steps/s", steps, environment_loop(trainer), *arguments)
    results = [result]
    state, collection, _ = trainer.warmup(state, collection.replace(env_state=env_state))
    replica = devices.first(state)
    flops = count_flops(trainer, replica, devices.first(collection))
    result, (state, collection) = run("collection", "steps/s", steps, collection_loop(trainer), state, collection)
    results.append(result)
    carry = (state, collection.key, collection.replay)
    results.append(run("update", "updates/s", trainer.epoch_updates, scaling.updates(trainer), *carry)[0])
    batch, values = _example(trainer, replica, devices.first(collection))
    for name, part in _parts(batch, values).items():
        results.append(run(f"  {name}", "updates/s", 1, jax.jit(part), replica, key)[0])
    stored = devices.first(collection).replay
    results.append(run("  rest", "updates/s", 1, jax.jit(_rest(trainer)), replica, key, stored)[0])
    episodes = config.eval.episodes * trainer.static.episode_length
    results.append(run("evaluation", "steps/s", episodes, _evaluation(trainer), replica, key)[0])
    # Last, since it donates its arguments.
    results.append(run("training", "steps/s", steps, trainer.epoch, state, collection)[0])
    return results, flops


def env_keys(trainer: Trainer) -> jax.Array:
    """A key for each device."""
    return jnp.tile(jax.random.PRNGKey(0), (len(trainer.chosen), 1))


def environment_loop(trainer: Trainer) -> Callable:
    """All environments under random actions for as many steps as in an epoch."""
    env, length = trainer.env, trainer.schedule.iterations * trainer.schedule.unroll

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        env_state, key = carry
        key, key_action = jax.random.split(key)
        action = jax.random.uniform(key_action, (env.num_envs, env.action_size), minval=-1.0, maxval=1.0)
        return (env.step(env_state, action), key), None

    return devices.parallel(lambda *carry: jax.lax.scan(step, carry, None, length=length)[0], trainer.chosen)


def collection_loop(trainer: Trainer) -> Callable:
    """Acting by the policy and writing to the replay for as many steps as in an epoch."""
    steps = trainer.schedule.iterations * trainer.schedule.unroll
    collect = partial(rollout.collect, trainer.env, steps=steps, random=False, axis_name=devices.AXIS_NAME)
    return devices.parallel(collect, trainer.chosen)


def _evaluation(trainer: Trainer) -> Callable:
    """One evaluation, with another key each time."""

    def evaluate(state: TrainState, key: jax.Array) -> tuple:
        return state, jax.random.split(key)[0], trainer.evaluate(state, key)

    return jax.jit(evaluate)


def _example(trainer: Trainer, state: TrainState, collection: CollectorState) -> tuple[Batch, jax.Array]:
    """A batch of one device and all critics' values `[E, b, K]` of actions sampled at its states."""
    draw = make_draw(trainer.config, len(trainer.chosen))
    batch = jax.jit(draw)(collection.replay, jax.random.PRNGKey(1), gamma=state.hyperparameters.gamma)
    values = jax.jit(_sampled_values)(state, batch, jax.random.PRNGKey(2))
    return batch, values


def _sampled_values(state: TrainState, batch: Batch, key: jax.Array) -> jax.Array:
    old = state.static.actor.apply(state.old_actor, batch.policy_observation)
    noise = stratified_noise(key, old.mean.shape[0], state.static.algo.samples, state.static.action_size)
    return update.sampled_values(state, old, batch.policy_observation, noise)[1]


def _parts(batch: Batch, values: jax.Array) -> dict[str, Callable]:
    """Parts of an update on one device, each a function of state and key that returns them first.

    Called one by one, each also pays for its dispatch (some 0.1 ms), which the whole update inside a scan does not.
    """

    def critics(state: TrainState, key: jax.Array) -> tuple:
        key, key_next = jax.random.split(key)
        return (update.update_critics(state, batch, key_next, None)[0], key)

    def sampled_values(state: TrainState, key: jax.Array) -> tuple:
        key, key_samples = jax.random.split(key)
        return state, key, _sampled_values(state, batch, key_samples)

    def dual(state: TrainState, key: jax.Array) -> tuple:
        return state.replace(duals=update.estep(state, values, None)[0].duals), key

    def fit(state: TrainState, key: jax.Array) -> tuple:
        old = state.static.actor.apply(state.old_actor, batch.policy_observation)
        action = old.expand(1).sample(jnp.ones((*values.shape[1:], state.static.action_size)))
        weights, bounds = (
            jax.nn.softmax(values[0]),
            KLMultipliers(state.hyperparameters.kl_mean, state.hyperparameters.kl_covariance),
        )
        problem = mstep.Problem(batch.policy_observation, action, weights, old, bounds)
        return update.fit_policy(state, problem, None)[0], key

    return {"critics": critics, "Q of samples": sampled_values, "dual": dual, "M-step": fit}


def _rest(trainer: Trainer) -> Callable:
    """What else an update does on one device: the draw from the replay, its observations' scaling, the targets."""
    draw = make_draw(trainer.config, len(trainer.chosen))

    def rest(state: TrainState, key: jax.Array, stored: Replay) -> tuple:
        key, key_batch = jax.random.split(key)
        batch = update.normalize(state, draw(stored, key_batch, gamma=state.hyperparameters.gamma))
        return update.move_targets(state), key, stored, batch

    return rest


def count_flops(trainer: Trainer, state: TrainState, collection: CollectorState) -> float:
    """Floating point operations of one update on one device, as XLA counts them in the compiled program.

    Added is what it leaves out of the loop over critics and states that a CPU values the sampled actions in.
    """
    batch, values = _example(trainer, state, collection)
    analysis = jax.jit(update.update).lower(state, batch).compile().cost_analysis() or {}
    uncounted = 0.0
    if trainer.chosen[0].platform == "cpu":
        uncounted = networks.uncounted_operations(values.shape, state.static.action_size, state.static.algo.hidden)
    return float(analysis.get("flops", float("nan"))) + uncounted


def command(arguments: Sequence[str]) -> None:
    """Measure and print."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--json", action="store_true")
    first.add_argument("--windows", type=int, default=5)
    first.add_argument("--seconds", type=float, default=1.0)
    first.add_argument("--devices", default="")
    first.add_argument("--environment", action="store_true")
    known, rest = first.parse_known_args(arguments)
    if known.windows < 1:
        raise ConfigError(f"--windows is {known.windows}: at least one is needed")
    if not rest:
        raise ConfigError("name an experiment first, as in experiments/point_goal.py")
    default = Config() if rest[0] in ("-h", "--help") else load_experiment(rest.pop(0))
    description = (
        "Measure an experiment's speed: the median of --windows windows (5) of --seconds seconds (1) each. "
        "--environment: the environments alone, under random actions, and what resets add. "
        "--devices 1,2,4: how it scales over devices instead, each with the environments and batch given here."
    )
    config = parse_overrides(default, rest, USAGE, description).validate()
    window = Window(known.windows, known.seconds)
    if known.devices:
        scales = scaling.scale(config, scaling.read_counts(known.devices), window)
        print(json.dumps([one.summary(scales[0]) for one in scales]) if known.json else scaling.table(scales))
        return
    # What compiling costs is measured too: a cache of compiled programs would hide it.
    jax.config.update("jax_enable_compilation_cache", False)
    flops, resets = math.nan, None
    with host_scope():
        if known.environment:
            result, resets = bench_environment(config, window)
            results = [result]
        else:
            results, flops = bench(config, window)
    genuine = _compare_genuine(config, known.windows) if config.env.backend == "gymnasium" else None
    if known.json:
        report: dict[str, Any] = {
            "flops_per_update": flops if math.isfinite(flops) else None,
            "peak_host_bytes": memory.peak_host_bytes(),
            "peak_device_bytes": memory.peak_device_bytes(),
            "measurements": [result.summary() for result in results],
        }
        report |= {"resets": resets.summary()} if resets else {}
        print(json.dumps(report | ({"genuine": genuine} if genuine else {})))
    else:
        print(table(results))
        if math.isfinite(flops):
            print(f"{flops:,.0f} floating point operations an update on one device, the dual's loops counted once")
        print(memory.describe())
        if resets:
            print(resets.describe())
        if genuine:
            print(host_envs.table(genuine))


def _compare_genuine(config: Config, windows: int) -> dict[str, Any]:
    """The genuine environments of the experiment's task against the package's own asynchronous vector of them."""
    workers = min(config.env.num_envs, len(os.sched_getaffinity(0)))
    return host_envs.compare(config.env.id, workers, windows)


if __name__ == "__main__":
    sys.exit(cli.main(command))
