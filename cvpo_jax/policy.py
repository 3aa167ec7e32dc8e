"""A trained policy from its run directory."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp

from cvpo_jax import checkpoint, learner
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.types import Hyper, Setup, TrainState
from cvpo_jax.update import normalize_observation

Policy = Callable[..., jax.Array]


def load_config(run_dir: Path) -> Config:
    """The configuration a run was started with; raises ConfigError where the folder is not a run."""
    path = Path(run_dir) / "config.json"
    if not path.exists():
        raise ConfigError(f"{run_dir} is not a run directory: it holds no config.json")
    return Config.from_json(path.read_text())


def save_setup(run_dir: Path, setup: Setup) -> None:
    """Write the sizes a policy is rebuilt from, so that it loads without its environment."""
    (run_dir / "setup.json").write_text(json.dumps(dataclasses.asdict(setup), indent=2) + "\n")


def load_state(run_dir: Path, *, step: int | None = None) -> TrainState:
    """The training state of a run's latest checkpoint, or of the one at `step`; raises ConfigError, CheckpointError."""
    hyper = Hyper.from_config(load_config(run_dir).algo)
    values = json.loads((run_dir / "setup.json").read_text())
    setup = Setup(**values | {"hidden": tuple(values["hidden"])})
    template = learner.init_state(setup, hyper, jax.random.PRNGKey(0))
    manager = checkpoint.open_checkpoints(run_dir)
    state, _ = checkpoint.restore(manager, template, None, step)
    manager.close()
    return state


def make_policy(state: TrainState) -> Policy:
    """A compiled function from an observation `[..., O]` to an action `[..., A]`: the mean, or a sample with a key."""

    @jax.jit
    def policy(observation: jax.Array, key: jax.Array | None = None) -> jax.Array:
        gaussian = state.setup.actor.apply(state.actor, normalize_observation(state, observation))
        noise = jnp.zeros_like(gaussian.mean) if key is None else jax.random.normal(key, gaussian.mean.shape)
        return jnp.clip(gaussian.sample(noise), -1, 1)

    return policy


def load_policy(run_dir: Path | str, *, step: int | None = None) -> Policy:
    """The policy of a run directory: `policy(observation [..., O], key=None) -> action [..., A]` in [-1, 1].

    Deterministic without a key, sampled with one. Takes the latest checkpoint, or the one at `step`.
    """
    return make_policy(load_state(Path(run_dir), step=step))
