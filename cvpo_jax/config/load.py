"""Read an experiment file and the command line's overrides into a Config."""

import contextlib
import io
import itertools
import re
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from cvpo_jax.config.config import Config
from cvpo_jax.config.errors import ConfigError


def load_experiment(path: Path | str) -> Config:
    """The Config of an experiment file's `get_config()`; raises ConfigError where there is none."""
    path = Path(path)
    if not path.is_file():
        known = sorted(str(p) for p in Path("experiments").glob("**/[a-z]*.py"))
        raise ConfigError(f"there is no experiment {path}; those here are {', '.join(known) or 'none'}")
    get_config = runpy.run_path(str(path)).get("get_config")
    if get_config is None:
        raise ConfigError(f"{path} has no function get_config(); see experiments/point_goal.py for an example")
    config = get_config()
    if not isinstance(config, Config):
        raise ConfigError(f"get_config() of {path} returned {type(config).__name__}, not cvpo_jax.Config")
    return config


def parse_overrides(default: Config, arguments: Sequence[str], prog: str, description: str) -> Config:
    """Override `default` by `--section.option value`; `--help` prints the options and exits.

    Raises ConfigError for an unknown option or a value that cannot be read.
    """
    # One spelling for a flag, `--algo.normalize_observations False`, instead of a pair --x, --no-x.
    style = (tyro.conf.FlagConversionOff,)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _REGISTRY:
            return tyro.cli(
                Config,
                default=default,
                args=list(arguments),
                prog=prog,
                description=description,
                use_underscores=True,
                config=style,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ConfigError(_one_line(said.getvalue())) from None


_REGISTRY = ConstructorRegistry()


@_REGISTRY.primitive_rule
def _limits_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """How the command line gives a mapping from names to limits: as one word, `name=limit,name=limit`."""
    if info.type_origin is not Mapping:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME=LIMIT,...",
        instance_from_str=lambda words: read_limits(words[0]),
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda limits: [",".join(f"{name}={limit:g}" for name, limit in limits.items())],
    )


def read_limits(text: str) -> dict[str, float]:
    """Read `name=limit,name=limit`; raises ValueError, as tyro asks."""
    limits = {}
    for part in text.split(",") if text else ():
        name, sign, value = part.partition("=")
        try:
            limits[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise ValueError(f"{part!r} is not of the form name=limit, as in cost_hazards=10")
    return limits


def _one_line(box: str) -> str:
    """The message in tyro's box of several lines, with the options it found to be close."""
    title, *lines = [line.strip(" │|╭╮╰╯+") for line in box.splitlines() if line.strip()] or [box]
    # A line of dashes ends the message; after it come hints.
    sections = [
        " ".join(group) for rule, group in itertools.groupby(lines, lambda line: not line.strip("─-")) if not rule
    ]
    message, *rest = sections or [title]
    close = [option for option in re.findall(r"--[\w.]+", " ".join(rest)) if option not in f"--help {message}"]
    hint = f"; close to it: {', '.join(dict.fromkeys(close))}" if message.startswith("Unrecognized") and close else ""
    return f"{message.removesuffix('.')}{hint}; --help lists all options"
