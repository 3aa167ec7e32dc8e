"""How exactly K sampled actions a state give what the M-step fits, for a trained policy; independent or stratified.

`python benchmarks/samples.py RUN_DIR`. The E-step is solved on the same states with K actions of the old policy, twenty
times over; errors are root mean squares against 2048 stratified ones, in units of the old policy's standard deviation.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.gaussian import Gaussian, stratified_noise
from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.algorithm.update import estep, normalize_observation, sampled_values
from cvpo_jax.experience import rollout
from cvpo_jax.runs import directory
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import compilation_cache
from cvpo_jax.training.trainer import make_env
from envs.base import VectorEnv

STATES, STEPS, REPEATS, MANY = 256, 200, 20, 2048
Noise = Callable[[jax.Array, int, int, int], jax.Array]


def visited(env: VectorEnv, state: TrainState, key: jax.Array) -> jax.Array:
    """Observations `[STATES, O]` after `STEPS` steps of each environment under the policy."""

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        env_state, key = carry
        key, key_action = jax.random.split(key)
        return (env.step(env_state, rollout.act(state, env_state.obs, key_action, random=False)), key), None

    (env_state, _), _ = jax.lax.scan(step, (env.reset(key), key), None, length=STEPS)
    return normalize_observation(state, env_state.obs)


def independent_noise(key: jax.Array, states: int, samples: int, size: int) -> jax.Array:
    """What `stratified_noise` stands in for."""
    return jax.random.normal(key, (states, samples, size))


def moments(
    state: TrainState, observation: jax.Array, old: Gaussian, key: jax.Array, *, noise: Noise, samples: int
) -> jax.Array:
    """First and second weighted moments `[2, STATES, A]` of the noise that the old policy's actions are made of."""
    drawn = noise(key, STATES, samples, state.static.action_size)
    _, values = sampled_values(state, old, observation, drawn)
    weights = estep(state, values, None)[0].weights[..., None]
    return jnp.stack([(weights * drawn).sum(1), (weights * drawn**2).sum(1)])


def main() -> None:
    """Print the table."""
    run_dir = Path(sys.argv[1])
    compilation_cache.enable_cache()
    config, state = directory.load_config(run_dir), load_state(run_dir)
    observation = jax.jit(partial(visited, make_env(config, STATES)))(state, jax.random.PRNGKey(0))
    old = state.static.actor.apply(state.old_actor, observation)
    exact = jax.jit(partial(moments, noise=stratified_noise, samples=MANY))
    reference = exact(state, observation, old, jax.random.PRNGKey(1))
    print(f"{'noise':<12} {'products':<9} {'K':>4} {'mean':>6} {'second moment':>14}")
    for name, noise, products, counts in (
        ("independent", independent_noise, "float32", (8, 16, 32)),
        ("stratified", stratified_noise, "float32", (6, 8, 16)),
        ("stratified", stratified_noise, "bfloat16", (8, 16, MANY)),
    ):
        rounded = state.replace(static=replace(state.static, products=products))
        for samples in counts:
            estimate = jax.jit(partial(moments, noise=noise, samples=samples))
            # As many samples as the reference has show what the products alone do: the same samples, then.
            key = jax.random.PRNGKey(2)
            keys = [jax.random.PRNGKey(1)] if samples == MANY else jax.random.split(key, REPEATS)
            found = jnp.stack([estimate(rounded, observation, old, key) for key in keys])
            mean, second = jnp.sqrt(((found - reference) ** 2).mean((0, 2, 3)))
            print(f"{name:<12} {products:<9} {samples:>4} {mean:6.3f} {second:14.3f}", flush=True)


if __name__ == "__main__":
    main()
