"""A policy for Button on the port and in the original environment, with the same sequence of goals on both sides.

`python benchmarks/paired_button.py RUN_DIR [--episodes E] [--repeats R] [--seed S]`. `cvpo_jax.transfer` starts pairs
of episodes from the same layout, first goal and heading, but each side draws the goals that follow, and that luck
accounts for most of the difference between two episodes. Here the k-th press of an episode is followed by the same
button on both sides, and the port plays R episodes from each start, with velocities about 1e-6 m/s apart (contact and
the robot's yaw servo amplify them). What remains between the sides comes from the two simulations, and a difference
shows with a quarter of the episodes.

Notation: E episodes, R repeats, T episode length.
"""

import argparse
import dataclasses
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import envs
from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.experience.evaluation import reset_key
from cvpo_jax.runs import directory
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import compilation_cache
from envs.base import State
from envs.host.protocol import episode_seed
from envs.navigation.tasks.button import Button
from envs.navigation.world import World
from envs.parity.matched_starts import PlacedVectorEnv, starts
from envs.safety_gymnasium.env import SafetyGymnasiumEnv

BUTTONS, MAX_PRESSES = 4, 400
QUANTITIES = ("return", "presses", "cost_buttons", "cost_hazards", "cost_gremlins")


@dataclasses.dataclass(frozen=True)
class GivenGoals(Button):
    """Button whose goals after the first are taken from `World.memory["draws"]`, one for each press."""

    def begin(self, world: World, key: jax.Array) -> World:
        """Begin as Button does, with nothing drawn yet."""
        return with_draws(super().begin(world, key), jnp.zeros(MAX_PRESSES, jnp.int32))

    def _pick(self, world: World, wanted: jax.Array, key: jax.Array, timer: jax.Array | int) -> World:
        if "draws" not in world.memory:
            return super()._pick(world, wanted, key, timer)
        memory = world.memory
        button = jnp.where(wanted, memory["draws"][memory["presses"]], memory["goal_button"])
        memory |= {
            "goal_button": button,
            "timer": jnp.where(wanted, timer, memory["timer"]).astype(jnp.int32),
            "presses": memory["presses"] + wanted,
        }
        return world.replace(memory=memory, objects=world.objects | {"goal": world.objects["buttons"][button][None]})


def with_draws(world: World, draws: jax.Array) -> World:
    """`world` with `draws` `[..., MAX_PRESSES]` as the goals to come."""
    presses = jnp.zeros(draws.shape[:-1], jnp.int32)
    return world.replace(memory=world.memory | {"draws": draws, "presses": presses})


def placed(
    task_id: str, genuine: SafetyGymnasiumEnv, seeds: list[int], draws: np.ndarray, *, repeats: int, key: jax.Array
) -> PlacedVectorEnv:
    """The port at the starts of the episodes of `seeds`, with the goals `draws` `[E, MAX_PRESSES]`, R times over."""
    env = envs.make(task_id)
    env.task = GivenGoals(**{field.name: getattr(env.task, field.name) for field in dataclasses.fields(env.task)})
    world = with_draws(starts(env, genuine, seeds), jnp.asarray(draws, jnp.int32))
    world = jax.tree.map(lambda leaf: jnp.tile(leaf, (repeats,) + (1,) * (leaf.ndim - 1)), world)
    perturbation = 1e-6 * jax.random.normal(key, world.robot.velocity.shape)
    return PlacedVectorEnv(env, world.replace(robot=world.robot.replace(velocity=world.robot.velocity + perturbation)))


def act(state: TrainState, observation: jax.Array) -> jax.Array:
    """The deployed policy's mean actions `[N, A]`."""
    policy = state.static.actor.apply(state.average_actor, normalize_observation(state, observation))
    return jnp.clip(policy.sample(jnp.zeros_like(policy.mean)), -1, 1)


def on_port(env: PlacedVectorEnv, state: TrainState, key: jax.Array) -> jax.Array:
    """The QUANTITIES of one episode of each environment, `[5, R E]`."""

    def step(env_state: State, _: None) -> tuple[State, jax.Array]:
        goal = env_state.pipeline_state.memory["goal_button"]
        stepped = jax.vmap(env.env.step)(env_state, act(state, env_state.obs))
        pressed = jnp.take_along_axis(stepped.pipeline_state.touch.obstacles, goal[:, None], 1)[:, 0]
        costs = [stepped.info["cost_components"][name] for name in QUANTITIES[2:]]
        return stepped, jnp.stack([stepped.reward, pressed.astype(stepped.reward.dtype), *costs])

    return jax.lax.scan(step, env.reset(key), None, length=env.episode_length)[1].sum(0)


def one_by_one(goals: np.ndarray) -> Callable[[int], int]:
    """A stand-in for the `choice` of the original environment's generator: returns `goals` one after the other."""
    drawn = iter(goals.tolist())
    return lambda _: next(drawn)


def on_genuine(worlds: list[SafetyGymnasiumEnv], state: TrainState, seeds: list[int], draws: np.ndarray) -> np.ndarray:
    """The QUANTITIES `[5, E]` of the episodes of `seeds`, in one process."""
    observations = [world.reset(seed) for world, seed in zip(worlds, seeds, strict=True)]
    for world, goals in zip(worlds, draws, strict=True):
        world.task.random_generator.choice = one_by_one(goals)
    policy, totals = jax.jit(act), np.zeros((len(QUANTITIES), len(worlds)))
    for _ in range(worlds[0].spec.episode_length):
        actions = np.asarray(policy(state, np.stack(observations).astype(np.float32)))
        for index, (world, action) in enumerate(zip(worlds, actions, strict=True)):
            step = world.step(action)
            observations[index] = step.observation
            costs = dict(zip(world.spec.component_names, step.components, strict=True))
            # A press of the goal button earns 1; approaching it never earns half of that in one step.
            pressed = step.reward > 0.5
            totals[:, index] += [step.reward, pressed, *(costs[name] for name in QUANTITIES[2:])]
    return totals


def main() -> None:
    """Print the means of both sides, and the mean difference of the pairs with its 95 % interval."""
    parser = argparse.ArgumentParser(description="Button on both backends, with the same sequence of goals.")
    parser.add_argument("run_dir", type=Path)
    for name, default in (("episodes", 120), ("repeats", 8), ("seed", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    compilation_cache.enable_cache()
    state, task_id = load_state(options.run_dir), directory.load_config(options.run_dir).env.id
    key, count = jax.random.PRNGKey(options.seed), options.episodes
    bits = jax.random.bits(reset_key(key), (count,), jnp.uint32)
    seeds = [episode_seed(int(seed), 0) for seed in bits]
    draws = np.random.RandomState(options.seed + 77).randint(0, BUTTONS, (count, MAX_PRESSES))
    worlds = [SafetyGymnasiumEnv(task_id) for _ in range(count)]
    env = placed(task_id, worlds[0], seeds, draws, repeats=options.repeats, key=key)
    played = jax.jit(partial(on_port, env))(state, key)
    port = np.asarray(played).reshape(len(QUANTITIES), options.repeats, count).mean(1)
    genuine = on_genuine(worlds, state, seeds, draws)
    for name, ours, theirs in zip(QUANTITIES, port, genuine, strict=True):
        difference = theirs - ours
        mean, error = difference.mean(), 1.96 * difference.std() / math.sqrt(count - 1)
        interval = f"{mean:+.2f} [{mean - error:+.2f}, {mean + error:+.2f}]"
        print(f"| {name} | {ours.mean():.2f} | {theirs.mean():.2f} | {interval} |")


if __name__ == "__main__":
    main()
