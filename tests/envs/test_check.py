"""`python -m envs.check`: what it says of environments of every kind, and its exit status."""

import json
import shlex
import subprocess
import sys

import pytest

from envs import HostError, check


def lines(capsys, *arguments):
    """The exit status and the lines of a check."""
    status = check.main(arguments)
    return status, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("task_id", "kind", "facts"),
    [
        (
            "own_gymnasium:pendulum_parts",
            "a gymnasium.Env, in worker processes",
            ["observations [3], actions [1]", "200 steps", "cost_speed, cost_turned", "4 episodes of 200 steps"],
        ),
        ("own_gymnasium:vector", "a gymnasium.vector.VectorEnv", ["observations [2], actions [2]", "of 6 steps"]),
        ("own_compiled:Point", "in JAX, inside the compiled loop", ["164 episodes of 6 steps on average"]),
        ("own_compiled:playground", "in JAX, inside the compiled loop", ["observations [1]", "costs: cost"]),
    ],
)
def test_what_fits_ends_in_the_command_to_train(capsys, task_id, kind, facts):
    status, said = lines(capsys, task_id)
    text = "\n".join(said)
    assert status == 0 and kind in said[0]
    assert all(fact in text for fact in facts), text
    assert all(word in text for word in ("no negative cost in 1,0", "same seed and actions agree", "steps/s"))
    assert all(line.startswith(("ok    ", "train: ")) for line in said)
    words = shlex.split(said[-1])
    assert words[1:6] == ["python", "-m", "cvpo_jax.run", "--env.id", task_id] and words[6] == "--algo.cost_limit"


@pytest.mark.parametrize(
    ("task_id", "facts"),
    [
        ("own_gymnasium:cheetah", ["a gymnasium.Env", "observations [17], actions [6]", "of 1000 steps"]),
        pytest.param(
            "own_compiled:cartpole",
            ["in JAX", "observations [5], actions [1]", "of 1000 steps"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "own_compiled:inverted_pendulum",
            ["in JAX", "observations [4], actions [1]", "episodes of 6 steps"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_environments_of_others_fit(capsys, task_id, facts):
    chosen = ["--episode_length", "200"] if task_id.endswith("pendulum") else []
    status, said = lines(capsys, task_id, *chosen)
    text = "\n".join(said)
    assert status == 0 and all(fact in text for fact in facts), text


def test_the_command_has_all_that_was_chosen(capsys):
    status, said = lines(
        capsys, "own_gymnasium:toy", "--kwargs", '{"limit": null, "action": "infinite", "observation": "dict"}',
        "--episode_length", "5", "--action_bound", "2.0", "--observation_key", "b",
    )  # fmt: skip
    words = shlex.split(said[-1])
    chosen = dict(zip(words[4::2], words[5::2], strict=True))
    assert status == 0 and "observations [2]" in said[1]
    assert json.loads(chosen["--env.kwargs"]) == {"limit": None, "action": "infinite", "observation": "dict"}
    assert (chosen["--env.episode_length"], chosen["--env.action_bound"]) == ("5", "2.0")
    assert chosen["--env.observation_key"] == "b" and chosen["--algo.cost_limit"] == "2.5"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["own_gymnasium:toy", "--kwargs", '{"fault": "random"}'], ["determinism: reward differs in step", "of reset"]),
        (["own_gymnasium:toy", "--kwargs", '{"limit": 40, "fault": "late nan"}'], ["observed is nan"]),
        (["own_gymnasium:toy", "--kwargs", '{"costs": "none"}'], ["has no cost", "with_cost"]),
        (["own_gymnasium:tyo"], ['no callable "tyo"', "toy"]),
        (["own_compiled:Point", "--kwargs", '{"fault": "nan"}'], ["reward is nan in step 2", "finite"]),
        (["own_compiled:Point", "--kwargs", '{"fault": "negative"}'], ["cost is -1", "none below 0"]),
        (["SafetyPointGaol1-v0", "--backend", "brax"], ["SafetyPointGoal1-v0"]),
        (["no_such_module:make"], ["no module no_such_module"]),
    ],
)
def test_what_does_not_fit_gets_one_line_and_status_1(capsys, arguments, words):
    status, said = lines(capsys, *arguments)
    assert status == 1 and said[-1].startswith("FAIL  ") and not any(line.startswith("FAIL") for line in said[:-1])
    assert all(word in said[-1] for word in words), said[-1]


def test_costs_that_never_arise_are_noted(capsys):
    status, said = lines(capsys, "own_gymnasium:pendulum", "--kwargs", '{"limit": 99}')
    assert status == 0 and "note  random actions cost nothing" in said[-3] and "cost_limit" not in said[-1]


def test_bad_json_is_refused(capsys):
    for text, word in [("{", "not JSON"), ("3", "not a JSON object")]:
        with pytest.raises(SystemExit):
            check.main(["own_gymnasium:toy", "--kwargs", text])
        assert word in capsys.readouterr().err


def test_it_is_a_command_for_the_original_too():
    command = [sys.executable, "-m", "envs.check", "SafetyPointGoal1-v0", "--backend", "gymnasium"]
    result = subprocess.run([*command, "--episode_length", "30"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "of Safety-Gymnasium, in worker processes" in result.stdout
    assert "--env.id SafetyPointGoal1-v0 --env.backend gymnasium --env.episode_length 30" in result.stdout


def test_of_a_traceback_the_last_line_is_told():
    error = HostError("my:toy keeps failing: it raised\nTraceback (most recent call last):\n  x\nValueError: late\n")
    assert check._brief(error) == "my:toy keeps failing: it raised ValueError: late"
    assert check._brief(ValueError("two\nlines")) == "two lines"
