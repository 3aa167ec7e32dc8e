"""The speed of an experiment piece by piece: environments, collection, updates and their parts, evaluation, training.

Notation: b states on one device, E critics, K sampled actions a state.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm import mstep, networks, sac_lag, update
from cvpo_jax.algorithm.gaussian import stratified_noise
from cvpo_jax.algorithm.state import Batch, KLMultipliers, TrainState
from cvpo_jax.config import Config
from cvpo_jax.experience.replay import Replay
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.profiling import loops
from cvpo_jax.profiling.reset_cost import ResetCost, measure_resets
from cvpo_jax.profiling.timing import Measurement, Window, compiled, measure
from cvpo_jax.runtime import devices
from cvpo_jax.training.epoch import make_draw
from cvpo_jax.training.trainer import Trainer, build


def measure_environment(config: Config, window: Window) -> tuple[Measurement, ResetCost | None]:
    """The environments alone, and what resets add; None where that cannot be told apart (host environments)."""
    trainer = build(config)
    _, collector = trainer.start(jax.random.PRNGKey(config.train.seed))
    start, keys = collector.env_state, loops.env_keys(trainer)
    loop = compiled(loops.environment_loop(trainer), (start, keys))
    length = loops.epoch_length(trainer)
    result, _ = measure("environment", "steps/s", trainer.epoch_steps, loop, (start, keys), window)
    if config.env.backend == "gymnasium" or length >= trainer.env.episode_length:
        return result, None
    return result, measure_resets(loop.call, start, keys, length, trainer.env.episode_length, window)


def measure_experiment(config: Config, window: Window) -> tuple[list[Measurement], float]:
    """All measurements of an experiment, and the floating point operations of an update as XLA counts them.

    XLA counts the body of a loop once, so that iterations of the dual's solver beyond the first are left out.
    """
    trainer = build(config)
    state, collector = trainer.start(jax.random.PRNGKey(config.train.seed))
    key, steps = jax.random.PRNGKey(0), trainer.epoch_steps

    def run(name: str, unit: str, work: float, function: Callable, *arguments: Any) -> tuple[Measurement, tuple]:
        return measure(name, unit, work, function, arguments, window)

    # Host environments cannot go back: what follows starts from the state that the measurement before it left.
    arguments = collector.env_state, loops.env_keys(trainer)
    result, (env_state, _) = run("environment", "steps/s", steps, loops.environment_loop(trainer), *arguments)
    results = [result]
    state, collector, _ = trainer.warmup(state, collector.replace(env_state=env_state))
    replica = devices.first(state)
    flops = count_flops(trainer, replica, devices.first(collector))
    result, (state, collector) = run("collection", "steps/s", steps, loops.collection_loop(trainer), state, collector)
    results.append(result)
    carry = (state, collector.key, collector.replay)
    results.append(run("update", "updates/s", trainer.epoch_updates, loops.update_loop(trainer), *carry)[0])
    batch, values = _example(trainer, replica, devices.first(collector))
    parts = _parts_of_sac_lag(batch) if config.algo.name == "sac_lag" else _parts(batch, values)
    for name, part in ({"critics": _update_critics(batch)} | parts).items():
        results.append(run(f"  {name}", "updates/s", 1, jax.jit(part), replica, key)[0])
    stored = devices.first(collector).replay
    results.append(run("  rest", "updates/s", 1, jax.jit(_rest(trainer)), replica, key, stored)[0])
    episodes = config.eval.episodes * trainer.static.episode_length
    results.append(run("evaluation", "steps/s", episodes, _evaluation(trainer), replica, key)[0])
    # Last, since it donates its arguments.
    results.append(run("training", "steps/s", steps, trainer.epoch, state, collector)[0])
    return results, flops


def _evaluation(trainer: Trainer) -> Callable:
    """One evaluation, with another key each time."""

    def evaluate(state: TrainState, key: jax.Array) -> tuple:
        return state, jax.random.split(key)[0], trainer.evaluate(state, key)

    return jax.jit(evaluate)


def _example(trainer: Trainer, state: TrainState, collector: CollectorState) -> tuple[Batch, jax.Array]:
    """A batch of one device and all critics' values `[E, b, K]` of actions sampled at its states."""
    draw = make_draw(trainer.config, len(trainer.chosen))
    batch = jax.jit(draw)(collector.replay, jax.random.PRNGKey(1), gamma=state.hyperparameters.gamma)
    values = jax.jit(_sampled_values)(state, batch, jax.random.PRNGKey(2))
    return batch, values


def _sampled_values(state: TrainState, batch: Batch, key: jax.Array) -> jax.Array:
    """All critics' values `[E, b, K]` of actions that the old policy samples at the batch's states."""
    old = state.static.actor.apply(state.old_actor, batch.policy_observation)
    noise = stratified_noise(key, old.mean.shape[0], state.static.algo.samples, state.static.action_size)
    return update.sampled_values(state, old, batch.policy_observation, noise)[1]


def _update_critics(batch: Batch) -> Callable:
    """The critics' part of an update on one device, a function of state and key that returns them first.

    Called by itself it also pays for its dispatch (some 0.1 ms), as other parts do; the update inside a scan does not.
    """

    def critics(state: TrainState, key: jax.Array) -> tuple:
        key, key_next = jax.random.split(key)
        return (update.update_critics(state, batch, key_next, None)[0], key)

    return critics


def _parts_of_sac_lag(batch: Batch) -> dict[str, Callable]:
    """What SAC-Lagrangian's update does besides, likewise."""

    def policy(state: TrainState, key: jax.Array) -> tuple:
        key, key_samples = jax.random.split(key)
        return (sac_lag.update_policy(state, batch, key_samples, None)[0], key)

    return {"policy": policy}


def _parts(batch: Batch, values: jax.Array) -> dict[str, Callable]:
    """What CVPO's update does besides, likewise."""

    def sampled_values(state: TrainState, key: jax.Array) -> tuple:
        key, key_samples = jax.random.split(key)
        return state, key, _sampled_values(state, batch, key_samples)

    def dual(state: TrainState, key: jax.Array) -> tuple:
        return state.replace(duals=update.estep(state, values, None)[0].duals), key

    def fit(state: TrainState, key: jax.Array) -> tuple:
        old = state.static.actor.apply(state.old_actor, batch.policy_observation)
        action = old.expand(1).sample(jnp.ones((*values.shape[1:], state.static.action_size)))
        bounds = KLMultipliers(state.hyperparameters.kl_mean, state.hyperparameters.kl_covariance)
        problem = mstep.Problem(batch.policy_observation, action, jax.nn.softmax(values[0]), old, bounds)
        return update.fit_policy(state, problem, None)[0], key

    return {"Q of samples": sampled_values, "dual": dual, "M-step": fit}


def _rest(trainer: Trainer) -> Callable:
    """What else an update does on one device: the draw from the replay, its observations' scaling, the targets."""
    draw = make_draw(trainer.config, len(trainer.chosen))

    def rest(state: TrainState, key: jax.Array, stored: Replay) -> tuple:
        key, key_batch = jax.random.split(key)
        batch = update.normalize(state, draw(stored, key_batch, gamma=state.hyperparameters.gamma))
        return update.move_targets(state), key, stored, batch

    return rest


def count_flops(trainer: Trainer, state: TrainState, collector: CollectorState) -> float:
    """Floating point operations of one update on one device, as XLA counts them in the compiled program.

    NaN where it does not tell. Added is what it leaves out of the loop over critics and states that a CPU values the
    sampled actions in.
    """
    batch, values = _example(trainer, state, collector)
    analysis = jax.jit(update.update).lower(state, batch).compile().cost_analysis() or {}
    uncounted = 0.0
    if trainer.chosen[0].platform == "cpu" and trainer.config.algo.name == "cvpo":
        uncounted = uncounted_operations(values.shape, state.static.action_size, state.static.algo.hidden)
    return float(analysis.get("flops", math.nan)) + uncounted


def uncounted_operations(shape: tuple[int, ...], action_size: int, hidden: Sequence[int]) -> float:
    """Floating point operations of `networks.values_in_blocks` for values `[E, B, K]` that XLA's count leaves out.

    It counts the bodies of the two loops once, so for one block.
    """
    critics, states, samples = shape
    widths = [action_size, *hidden, 1]
    a_row = sum(2 * rows * columns for rows, columns in pairwise(widths))
    block = min(states, max(1, networks.BLOCK_ROWS // samples))
    return float(a_row * samples * (critics * states - block))
