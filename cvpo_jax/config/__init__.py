"""What a user may set. Imports nothing else of this package.

- `sections`: the sections on task, training and evaluation, a frozen dataclass each, with options and their meaning.
- `algo`, `controller`: those on the algorithm, and on the controller that keeps the limit, likewise.
- `roles`: what the program does with an option, declared in its field: static or array, and what shapes a checkpoint.
- `config`: the whole configuration, the checks across sections, and the schedule that follows from it.
- `value_types`: whether values are of their options' types, and fit the compiled program.
- `command_line`: any dataclass of options from the command line, with errors in one line.
- `load`: from an experiment file and the command line to a configuration.
- `errors`: ConfigError, the one line a user gets for an option that cannot be used.
"""

from cvpo_jax.config.algo import AlgoConfig
from cvpo_jax.config.config import Config, Schedule
from cvpo_jax.config.controller import ControllerConfig
from cvpo_jax.config.errors import ConfigError
from cvpo_jax.config.sections import EnvConfig, EvalConfig, TrainConfig

__all__ = [
    "AlgoConfig",
    "Config",
    "ConfigError",
    "ControllerConfig",
    "EnvConfig",
    "EvalConfig",
    "Schedule",
    "TrainConfig",
]
