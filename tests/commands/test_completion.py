"""Completion of commands and options by the shell."""

import importlib
import shutil
import subprocess

import pytest
from all_commands import COMMANDS, ON_EXPERIMENTS, console

from cvpo_jax import cli, completion

BASH = """
source {script}
complete_words() {{
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _tyro_cvpo cvpo "${{COMP_WORDS[COMP_CWORD]}}" ""
  echo "${{COMPREPLY[@]}}"
}}
complete_words cvpo ev
complete_words cvpo run --algo.cost_l
complete_words cvpo report runs/x --format ""
complete_words cvpo check tank:Tank --kw
complete -p cvpo
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(tmp_path):
    script = tmp_path / "cvpo.bash"
    script.write_text(console("completion", "bash").stdout)
    asked = BASH.format(script=script)
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=100, check=True)
    expected = [
        "evaluate",
        "--algo.cost_limit",
        "md csv latex html",
        "--kwargs",
        "complete -o default -F _tyro_cvpo cvpo",
    ]
    assert done.stdout.splitlines() == expected


def test_zsh_is_offered_every_command_and_other_shells_are_refused():
    done = console("completion", "zsh")
    assert done.stdout.startswith("#compdef cvpo")
    assert all(f"'{name}'" in done.stdout or f'"{name}"' in done.stdout for name in COMMANDS)
    assert "fish" in console("completion", "fish").stderr


def test_completion_knows_the_options_of_every_command():
    kinds = {
        name: getattr(importlib.import_module(f"cvpo_jax.{name}"), kind) for name, kind in completion.OPTIONS.items()
    }
    assert kinds == COMMANDS
    assert set(ON_EXPERIMENTS) == completion.ON_EXPERIMENTS
    assert set(cli.commands()) == set(COMMANDS)
