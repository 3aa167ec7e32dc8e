"""The units of a policy's actions: those of the environment it was trained on."""

import numpy as np

from cvpo_jax.config import ConfigError
from cvpo_jax.config.sections import EnvConfig
from envs import own
from envs.adapters.source import Source
from envs.adapters.spaces import Actions


def action_bounds(env: EnvConfig, action_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest actions `[A]`: -1 and 1, except in environments of one's own with other bounds.

    Those are made to be asked; raises ConfigError where that fails.
    """
    if not env.is_own:
        return -np.ones(action_size), np.ones(action_size)
    source = Source.parse(env.id, env.kwargs, env.folder)
    try:
        kind = own.kind(source)
        if kind == "compiled":
            return -np.ones(action_size), np.ones(action_size)
        made = source.load(num_envs=1)
        space = made.single_action_space if kind == "vector" else made.action_space
        made.close()
        actions = Actions.of(space, env.action_bound, env.id)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--env.id {env.id}, which is asked for the bounds of its actions: {error}") from error
    return actions.low, actions.high
