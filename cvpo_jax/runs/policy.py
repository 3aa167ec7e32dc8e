"""A trained policy from its run directory."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.state import Hyperparameters, TrainState, init_train_state
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.runs import at_limit, checkpoint, directory
from cvpo_jax.runs.checkpoint import Which
from cvpo_jax.runtime import devices

Policy = Callable[..., jax.Array]


def load_state(run_dir: Path, *, step: Which = None, limit: float | None = None) -> TrainState:
    """The training state of a run's latest checkpoint, or of the one `step` names; raises ConfigError, CheckpointError.

    Of a run at several limits with the policy at one `limit`, or with that which takes the limit as an input.
    Its matrix products are exact, since a policy is also used where there are no others (`algorithm.matmul`).
    """
    devices.require_devices()
    hyperparameters = Hyperparameters.from_config(directory.load_config(run_dir).algo)
    static = directory.load_static_config(run_dir)
    static = replace(static, algo=replace(static.algo, matmul_dtype="float32"))
    template = jax.eval_shape(partial(init_train_state, static, hyperparameters), jax.random.PRNGKey(0))
    with checkpoint.open_checkpoints(run_dir) as manager:
        state = checkpoint.restore_state(manager, template, step)
    return state if limit is None else at_limit.state_at(state, limit)


def make_policy(state: TrainState) -> Policy:
    """A compiled function from an observation `[..., O]` to an action `[..., A]`: the mean, or a sample with a key."""

    @jax.jit
    def policy(observation: jax.Array, key: jax.Array | None = None) -> jax.Array:
        gaussian = state.static.actor.apply(state.average_actor, normalize_observation(state, observation))
        noise = jnp.zeros_like(gaussian.mean) if key is None else jax.random.normal(key, gaussian.mean.shape)
        return jnp.clip(gaussian.sample(noise), -1, 1)

    return policy


def load_policy(run_dir: Path | str, *, step: Which = None, limit: float | None = None) -> Policy:
    """The policy of a run directory: `policy(observation [..., O], key=None) -> action [..., A]` in [-1, 1].

    Deterministic without a key, sampled with one. Takes the latest checkpoint, the one at `step`, or with
    `step="best"` the one whose evaluation earned most within the limits. Of a run at several limits, `limit` is one of
    them, or one between.
    Raises ConfigError where the folder is not a run, CheckpointError where it holds no readable checkpoint.
    """
    run_dir = Path(run_dir)
    at_limit.require_limit(run_dir, directory.load_config(run_dir), limit)
    return make_policy(load_state(run_dir, step=step, limit=limit))
