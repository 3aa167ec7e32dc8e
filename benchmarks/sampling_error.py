"""The error in what the M-step fits, for a trained policy, by the number K and kind of sampled actions per state.

`python benchmarks/sampling_error.py RUN_DIR`. The E-step is solved on the same states with K actions of the old policy,
twenty times; errors are root mean squares against 2048 stratified actions, in the old policy's standard deviations.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.gaussian import Gaussian, stratified_noise
from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.algorithm.update import estep, normalize_observation, sampled_values
from cvpo_jax.config.algo import Precision
from cvpo_jax.experience import rollout
from cvpo_jax.runs import directory
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import compilation_cache
from cvpo_jax.training.trainer import make_env
from envs.base import VectorEnv

STATES, STEPS, REPEATS, REFERENCE_SAMPLES = 256, 200, 20, 2048
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
    """Standard normal noise, drawn independently for each sample; `stratified_noise` replaces it."""
    return jax.random.normal(key, (states, samples, size))


def moments(
    state: TrainState, observation: jax.Array, old: Gaussian, key: jax.Array, *, noise: Noise, samples: int
) -> jax.Array:
    """First and second weighted moments `[2, STATES, A]` of the noise that generates the old policy's actions."""
    drawn = noise(key, STATES, samples, state.static.action_size)
    _, values = sampled_values(state, old, observation, drawn)
    weights = estep(state, values, None)[0].weights[..., None]
    return jnp.stack([(weights * drawn).sum(1), (weights * drawn**2).sum(1)])


CASES: tuple[tuple[str, Noise, Precision, tuple[int, ...]], ...] = (
    ("independent", independent_noise, "float32", (8, 16, 32)),
    ("stratified", stratified_noise, "float32", (6, 8, 16)),
    ("stratified", stratified_noise, "bfloat16", (8, 16, REFERENCE_SAMPLES)),
)
"""Name and function of the noise, matmul dtype and numbers of samples K of each row of the table."""


def main() -> None:
    """Print the errors as a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run_dir", type=Path)
    run_dir = parser.parse_args().run_dir
    compilation_cache.enable_cache()
    config, state = directory.load_config(run_dir), load_state(run_dir)
    observation = jax.jit(partial(visited, make_env(config, STATES)))(state, jax.random.PRNGKey(0))
    old = state.static.actor.apply(state.old_actor, observation)
    exact = jax.jit(partial(moments, noise=stratified_noise, samples=REFERENCE_SAMPLES))
    reference = exact(state, observation, old, jax.random.PRNGKey(1))
    print(f"{'noise':<12} {'matmul':<9} {'K':>4} {'mean':>6} {'second moment':>14}")
    for name, noise, dtype, counts in CASES:
        rounded = state.replace(static=replace(state.static, algo=replace(state.static.algo, matmul_dtype=dtype)))
        for samples in counts:
            estimate = jax.jit(partial(moments, noise=noise, samples=samples))
            # With as many samples as the reference, the same samples: what is left is the error of the products alone.
            key = jax.random.PRNGKey(2)
            keys = [jax.random.PRNGKey(1)] if samples == REFERENCE_SAMPLES else jax.random.split(key, REPEATS)
            found = jnp.stack([estimate(rounded, observation, old, key) for key in keys])
            mean, second = jnp.sqrt(((found - reference) ** 2).mean((0, 2, 3)))
            print(f"{name:<12} {dtype:<9} {samples:>4} {mean:6.3f} {second:14.3f}", flush=True)


if __name__ == "__main__":
    main()
