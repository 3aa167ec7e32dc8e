"""The front that commands share: options, exit statuses and lines, and the console script."""

import dataclasses
import errno
import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from all_commands import COMMANDS, ON_EXPERIMENTS, ON_RUNS, console

from cvpo_jax import (
    Config,
    ConfigError,
    __version__,
    check,
    cli,
    evaluate,
    plot,
    render,
    run,
    transfer,
)
from cvpo_jax.runs import directory
from cvpo_jax.runs.checkpoint import CheckpointError
from cvpo_jax.training.train import TrainingError
from envs.host.pool import HostError


def command_of(name):
    return importlib.import_module(f"cvpo_jax.{name}").command


def raising(error):
    def command(arguments):
        raise error

    return command


@pytest.mark.parametrize("kind", [ConfigError, CheckpointError, TrainingError, HostError])
def test_what_a_user_can_mend_is_one_line_and_status_2(kind, capsys):
    assert cli.main(raising(kind("--x is 1: make it 2")), []) == cli.WRONG == 2
    assert capsys.readouterr() == ("", "error: --x is 1: make it 2\n")


def test_an_interrupt_says_how_to_resume(capsys):
    assert cli.main(raising(KeyboardInterrupt()), []) == cli.INTERRUPTED == 130
    assert "--resume" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.main(raising(ZeroDivisionError()), [])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENOENT])
def test_a_disk_that_fails_is_one_line(number, capsys):
    assert cli.main(raising(OSError(number, os.strerror(number), "runs/x")), []) == cli.WRONG
    assert capsys.readouterr().err == f"error: runs/x: {os.strerror(number)}; what was written before is whole\n"


def test_an_error_of_the_operating_system_that_is_no_users_keeps_its_traceback():
    with pytest.raises(OSError, match="Bad file"):
        cli.main(raising(OSError(errno.EBADF, "Bad file descriptor")), [])


def test_debug_shows_pythons_message_above_the_line(tmp_path, capsys):
    path = tmp_path / "odd.py"
    path.write_text("def get_config():\n    return 1 / 0\n")
    for more in ([], ["--debug"]):
        assert cli.main(run.command, [*more, str(path)]) == cli.WRONG
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1] == f"error: {path}, line 2: ZeroDivisionError: division by zero; --debug shows more"
        assert (len(lines) > 1) == bool(more) == any("return 1 / 0" in line for line in lines)


def test_a_tilde_is_the_home_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.read_options(evaluate.EvaluateOptions, "evaluate", ["~/run"]).run_dir == tmp_path / "run"
    assert cli.read_options(plot.PlotOptions, "plot", ["~/a", "--out=~/b"]).run_dirs == (tmp_path / "a",)
    assert cli.read_options(plot.PlotOptions, "plot", ["~/a", "--out=~/b"]).out == tmp_path / "b"
    assert cli.read_invocation(run.RunOptions, "run", ["--resume=~/run"]).options.resume == tmp_path / "run"
    assert directory.choose(Config(run_dir="~/run")) == tmp_path / "run"


@pytest.mark.parametrize(
    ("path", "said"),
    [("missing/x.png", "there is no folder missing"), ("x.mp3", "must end in .png or .gif"), ("x.png", "a folder is")],
)
def test_a_file_that_cannot_be_written_is_refused_before_work_begins(path, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").mkdir()
    with pytest.raises(ConfigError, match=rf"--out is {path}: .*{said}"):
        cli.require_output("out", Path(path), (".png", ".gif"))
    cli.require_output("out", Path("y.GIF"), (".png", ".gif"))


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (evaluate.command, "--episodes 0", "--episodes is 0"),
        (evaluate.command, "--episodes 1000000000", "--episodes is 1000000000"),
        (evaluate.command, "--seed 4294967296", "--seed is 4294967296"),
        (render.command, "--seed -1", "--seed is -1"),
        (render.command, "--out missing/x.gif", "there is no folder missing"),
        (plot.command, "--out missing/x.png", "there is no folder missing"),
        (plot.command, "--out x.mp3", "must end in .png or .pdf or .svg"),
        (transfer.command, "--repeats 0", "--repeats is 0"),
        (transfer.command, "--episodes 2", "--episodes is 2"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(command, words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(command, ["run", *words.split()]) == cli.WRONG
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_a_command_gets_the_arguments_given_or_those_of_the_process(monkeypatch):
    seen = []
    assert cli.main(seen.append, ["a", "b"]) == 0
    monkeypatch.setattr(sys, "argv", ["trainer", "c"])
    assert cli.main(seen.append) == 0
    assert seen == [["a", "b"], ["c"]]


def test_a_line_leaves_the_process_when_it_is_printed():
    """Through a pipe, where Python would hold it back until the end."""
    code = "from cvpo_jax import cli\ncli.main(lambda arguments: (print('early'), input()), [])\n"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "early\n"
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("status", [0, cli.WRONG, cli.INTERRUPTED])
def test_an_interrupted_process_does_not_wait_for_what_still_runs(status):
    """As Python otherwise does for threads, and JAX for a compilation."""
    code = (
        "import sys, threading, time\nfrom cvpo_jax import cli\n"
        f"threading.Thread(target=time.sleep, args=(1000,), daemon={status != cli.INTERRUPTED}).start()\n"
        f"print('last words', end='')\ncli.leave({status})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (status, "last words")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_lists_every_option_of_every_command(name, capsys):
    with pytest.raises(SystemExit) as stop:
        command_of(name)(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: python -m cvpo_jax.{name} " in shown
    assert ("RUN_DIR" in shown, "EXPERIMENT" in shown) == (name in ON_RUNS, name in ON_EXPERIMENTS)
    for field in dataclasses.fields(COMMANDS[name]):
        assert field.name in ("run_dir", "run_dirs", "id", "shell", "folder") or f"--{field.name} " in shown
    assert ("--algo.gamma" in shown) == (name in ON_EXPERIMENTS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--colour", "3"], "--colour"),
        (["--colour", "3", "last"], "--colour"),
        (["stray", "--seed", "many"], "many"),
    ],
)
def test_mistakes_end_in_one_line_and_status_2(name, more, said, tiny_experiment, capsys):
    words = [str(tiny_experiment), *more] if name in ON_EXPERIMENTS else more
    assert cli.main(command_of(name), words) == cli.WRONG
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    if name in ("evaluate", "render", "transfer") or "--colour" in more:
        assert said in err


@pytest.mark.parametrize("name", sorted(ON_RUNS))
def test_a_command_on_runs_needs_one(name, capsys):
    assert cli.main(command_of(name), []) == cli.WRONG
    assert capsys.readouterr().err == "error: RUN_DIR is missing; --help lists all options\n"


@dataclass(frozen=True)
class Own:
    """Options of a command that there is not."""

    sweep_dir: Path | None = None
    """A folder."""
    dry_run: bool = False
    """A flag."""


@pytest.mark.parametrize("words", ["--sweep_dir a --dry_run", "--sweep-dir a --dry-run", "--dry-run --sweep-dir=a"])
def test_options_are_spelled_with_either_sign_and_stand_anywhere(words, tiny_experiment):
    assert cli.read_options(Own, "own", words.split()) == Own(Path("a"), True)
    override = ["--algo.cost-limit", "7"]
    for arguments in (
        [str(tiny_experiment), *words.split(), *override],
        [*words.split(), str(tiny_experiment), *override],
        [str(tiny_experiment), *override, *words.split()],
    ):
        invocation = cli.read_invocation(Own, "own", arguments)
        assert (invocation.options, invocation.experiment) == (Own(Path("a"), True), tiny_experiment)
        config = invocation.config()
        assert (config.algo.cost_limit, config.train.seed) == (7.0, 3)


@pytest.mark.parametrize(
    ("name", "word"),
    [("bench", "--json"), ("run", "--distributed"), ("run", "--no-distributed"), ("sweep", "--dry-run")],
)
def test_a_flag_leaves_the_overrides_alone(name, word, tiny_experiment):
    invocation = cli.read_invocation(COMMANDS[name], name, [str(tiny_experiment), word, "--train.seed", "9"])
    assert getattr(invocation.options, word.removeprefix("--").replace("-", "_")) is True
    assert invocation.config().train.seed == 9


def test_a_default_takes_the_place_of_an_experiment():
    invocation = cli.read_invocation(Own, "own", ["--algo.gamma", "0.9"])
    assert invocation.experiment is None
    assert invocation.config(Config()).algo.gamma == 0.9
    with pytest.raises(ConfigError, match="name an experiment first"):
        invocation.config()


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0)])
def test_the_console_script_lists_all_commands(arguments, status):
    done = console(*arguments)
    assert done.returncode == status
    assert set(re.findall(r"^  (\w+) ", done.stdout, flags=re.MULTILINE)) == set(COMMANDS)
    assert all(line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if line.startswith("  "))


def test_the_list_of_commands_may_be_cut_off():
    """As by `head`, which closes the pipe."""
    code = "import sys; sys.argv = ['cvpo', '--help']; from cvpo_jax import cli; cli.console()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_console_script_runs_the_command_of_a_name(tmp_path):
    assert console("fly").stderr.startswith("error: there is no command fly; the commands are bench, check,")
    assert console("--version").stdout == f"cvpo_jax {__version__}\n"
    assert console("fly").returncode == cli.WRONG
    assert "usage: cvpo ray_tune " in console("ray-tune", "--help").stdout
    done = console("evaluate", str(tmp_path))
    assert done.returncode == cli.WRONG
    assert done.stderr == f"error: {tmp_path} is not a run directory: it holds no config.json\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_does_not_wait_for_jax(name):
    code = (
        "import json, sys\n"
        f"from cvpo_jax import {name}\n"
        f"try:\n    {name}.command(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted({'jax', 'brax', 'flax', 'matplotlib', 'scipy', 'orbax'} & sys.modules.keys())))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_an_environment_that_does_not_fit_is_status_2(capsys):
    assert cli.main(check.command, ["own_gymnasium:missing"]) == cli.WRONG
    out, err = capsys.readouterr()
    assert out.startswith("FAIL  ") and err.startswith("error: own_gymnasium:missing cannot be trained on yet")


def test_an_environment_that_fits_is_told_how_to_be_trained_on(capsys):
    assert cli.main(check.command, ["own_compiled:Point", "--kwargs", "{}"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1].startswith("train: python -m cvpo_jax.run --env.id own_compiled:Point")
    )
