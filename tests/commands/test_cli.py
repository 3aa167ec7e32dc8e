"""Exit statuses and lines of entry points."""

import subprocess
import sys

import pytest

from cvpo_jax import ConfigError, cli
from cvpo_jax.runs.checkpoint import CheckpointError
from cvpo_jax.training.train import TrainingError


def raising(error):
    def command(arguments):
        raise error

    return command


@pytest.mark.parametrize("kind", [ConfigError, CheckpointError, TrainingError])
def test_what_a_user_can_mend_is_one_line_and_status_2(kind, capsys):
    assert cli.main(raising(kind("--x is 1: make it 2")), []) == cli.WRONG == 2
    assert capsys.readouterr() == ("", "error: --x is 1: make it 2\n")


def test_an_interrupt_says_how_to_go_on(capsys):
    assert cli.main(raising(KeyboardInterrupt()), []) == cli.INTERRUPTED == 130
    assert "--resume" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.main(raising(ZeroDivisionError()), [])


def test_a_command_gets_the_arguments_given_or_those_of_the_process(monkeypatch):
    seen = []
    assert cli.main(seen.append, ["a", "b"]) == 0
    monkeypatch.setattr(sys, "argv", ["trainer", "c"])
    assert cli.main(seen.append) == 0
    assert seen == [["a", "b"], ["c"]]


def test_a_line_leaves_the_process_when_it_is_printed():
    """Through a pipe, where Python would hold it back until the end."""
    code = "from cvpo_jax import terminal\nterminal.main(lambda arguments: (print('early'), input()), [])\n"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "early\n"
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("status", [0, cli.WRONG, cli.INTERRUPTED])
def test_an_interrupted_process_does_not_wait_for_what_still_runs(status):
    """As Python otherwise does for threads, and JAX for a compilation."""
    code = (
        "import sys, threading, time\nfrom cvpo_jax import terminal\n"
        f"threading.Thread(target=time.sleep, args=(1000,), daemon={status != cli.INTERRUPTED}).start()\n"
        f"print('last words', end='')\nterminal.leave({status})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (status, "last words")
