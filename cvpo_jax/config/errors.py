"""How a user hears that an option cannot be used."""

from typing import Any

MANY = 1_000_000
"""More environments, episodes or states at a time than any machine holds."""


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the option, its value and the remedy."""


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def require_positive(section: str, config: Any, *names: str) -> None:
    """Raise ConfigError unless each of these options is greater than 0, or None where it may be left out."""
    for name in names:
        value = getattr(config, name)
        require(value is None or value > 0, f"--{section}.{name} is {value}: it must be greater than 0")


def require_seed(seed: int, option: str = "--seed") -> None:
    """Raise ConfigError unless the seed can be told apart from all others in 32 bits."""
    require(0 <= seed < 2**31, f"{option} is {seed}: it must lie between 0 and {2**31 - 1:,}")


def require_at_most(section: str, config: Any, **bounds: int) -> None:
    """Raise ConfigError where one of these options is greater than its bound, beyond which no machine could hold it."""
    for name, bound in bounds.items():
        value = getattr(config, name)
        require(value is None or value <= bound, f"--{section}.{name} is {value}: it must be at most {bound:,}")


def require_share(section: str, config: Any, *names: str) -> None:
    """Raise ConfigError unless each of these options lies in [0, 1]."""
    for name in names:
        value = getattr(config, name)
        require(0 <= value <= 1, f"--{section}.{name} is {value}: it must lie in [0, 1]")
