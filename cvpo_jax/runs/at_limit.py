"""One limit of a run that was trained at several: its policy without the input, and its configuration.

Notation: O observation size without the limit, H width of the first hidden layer.
"""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.state import Params, TrainState
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.config import Config
from cvpo_jax.config.errors import require
from cvpo_jax.experience.limit_input import limit_feature


def require_limit(run_dir: Path, config: Config, limit: float | None) -> None:
    """Raise ConfigError unless `limit` is one that the run's policy knows: None where it was trained at one alone."""
    limits = config.algo.limits
    choices = ", ".join(f"{each:g}" for each in limits)
    if not limits:
        require(limit is None, f"--limit is {limit}: {run_dir} was not trained at several; leave the option out")
        return
    require(
        limit is not None,
        f"{run_dir} was trained at the limits {choices}: choose one of them, or one between, by --limit",
    )
    assert limit is not None
    require(
        limits[0] <= limit <= limits[-1],
        f"--limit is {limit:g}: {run_dir} was trained at {choices}; choose one of them, or one between",
    )


def config_at(config: Config, limit: float | None) -> Config:
    """The configuration of a training at this limit alone, whose environment does not tell it; None: as it is."""
    return config if limit is None else replace(config, algo=config.algo.at_limit(limit))


def state_at(state: TrainState, limit: float) -> TrainState:
    """`state` whose averaged policy takes observations `[..., O]`: the limit's feature is part of a bias.

    Only what acts is changed, and fits together: actor, statistics and sizes.
    """
    static, size = state.static, state.static.observation_size - 1
    observation = jnp.zeros(size + 1).at[-1].set(limit_feature(limit))
    feature = normalize_observation(state, observation)[-1]
    statistics = state.observation_statistics
    short = {name: getattr(statistics, name)[:size] for name in ("mean", "std", "summed_variance")}
    return state.replace(
        static=replace(static, observation_size=size, algo=replace(static.algo, limits=())),
        average_actor=_without_input(state.average_actor, feature),
        observation_statistics=statistics.replace(**short),
    )


def _without_input(actor: Params, feature: jax.Array) -> Params:
    """The network without its last input, which always is `feature` `[]`."""
    first = actor["params"]["hidden_0"]
    bias = first["bias"] + feature * first["kernel"][-1]
    return {"params": actor["params"] | {"hidden_0": {"kernel": first["kernel"][:-1], "bias": bias}}}
