"""Bad values for every option, made from the options' types: none is taken, and none ends in anything but one line."""

import dataclasses
import math
import typing

import pytest

from cvpo_jax import Config, ConfigError, cli, run
from cvpo_jax.config.config import SECTIONS

NUMBERS = (math.nan, math.inf, -math.inf, 1e38, -1e38)
WHOLE = (2**31, -(2**31), 2**70, 1.5, True)
OTHERS = {
    float: (*NUMBERS, "much", True, [1.0]),
    int: (*WHOLE, math.nan, "many", [1]),
    bool: ("yes", 2, 0.0, [True]),
    str: (3, 2.5, ["x"], {}),
    tuple: ((), [8], (0,), (-3,), (2**40,), (1.5,), ("8",), 8, "8"),
    dict: ("x=1", [1], {3: 1.0}, {"x": object()}, 5),
}
HOST_ONLY = {"train.steps": {2**31, 2**70}}
"""Values that these options take."""


def kinds(hint):
    """The types an option takes, None apart."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return [str]
    if origin in (tuple,):
        return [tuple]
    arguments = typing.get_args(hint)
    if origin is not None and type(None) in arguments:
        return [kind for each in arguments if each is not type(None) for kind in kinds(each)]
    return [hint if hint in OTHERS else dict]


def cases():
    """Section, option and value; a Literal also gets a text that is none of its own."""
    for section, kind in SECTIONS.items():
        for name, hint in typing.get_type_hints(kind).items():
            (taken,) = kinds(hint)
            more = ("nonsense",) if "Literal" in str(hint) else ()
            for value in (*OTHERS[taken], *more):
                if value == getattr(kind(), name):
                    continue  # no limits at all
                whole = type(value) is int and value in HOST_ONLY.get(f"{section}.{name}", ())
                if not whole:
                    yield section, name, value


CASES = list(cases())


def test_there_are_as_many_as_are_promised():
    assert len(CASES) >= 300
    assert {f"{section}.{name}" for section, name, _ in CASES} == {
        f"{section}.{field.name}" for section, kind in SECTIONS.items() for field in dataclasses.fields(kind)
    }


def test_every_one_is_refused_in_one_line_that_names_the_option():
    for section, name, value in CASES:
        config = Config()
        changed = dataclasses.replace(getattr(config, section), **{name: value})
        with pytest.raises(ConfigError) as raised:
            dataclasses.replace(config, **{section: changed}).validate()
        message = str(raised.value)
        assert name in message and "\n" not in message, (section, name, value, message)


@pytest.mark.slow
def test_none_comes_through_the_command_line(tmp_path, capsys):
    """As words, on an experiment; a text that a shell cannot give is left out."""
    path = tmp_path / "plain.py"
    path.write_text("from cvpo_jax import Config\n\n\ndef get_config():\n    return Config()\n")
    for section, name, value in CASES:
        if isinstance(value, bool | list | dict | tuple) or name in ("hidden", "limits"):
            continue
        if typing.get_type_hints(SECTIONS[section])[name] in (str, str | None):
            continue  # every word is a text
        capsys.readouterr()
        status = cli.main(run.command, [str(path), f"--{section}.{name}={value}", "--run_dir", str(tmp_path / "run")])
        err = capsys.readouterr().err
        assert (status, err.count("\n")) == (cli.WRONG, 1), (section, name, value, err)
        assert not (tmp_path / "run").exists()
