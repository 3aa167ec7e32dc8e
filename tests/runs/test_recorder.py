"""What a run reports of its numbers, and where it writes."""

import jax
import numpy as np
import pytest

from cvpo_jax import Config, TrainConfig
from cvpo_jax.algorithm.state import StaticConfig
from cvpo_jax.runs import recorder
from cvpo_jax.runs.recorder import Recorder, open_recorder
from cvpo_jax.runtime import distributed

STATIC = StaticConfig.from_config(
    Config().algo, observation_size=3, action_size=1, num_constraints=1, episode_length=10
)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"negative_costs": 0.0, "nonfinite": 0.0}, ""),
        ({"negative_costs": 0.0, "nonfinite": 0.0, "update/skipped": recorder.MOST_SKIPPED}, ""),
        (
            {"negative_costs": 0.0, "nonfinite": 0.0, "update/skipped": 0.25},
            "25% of the updates in the test .*--algo.critic_lr",
        ),
        (
            {"negative_costs": 0.0, "nonfinite": 3.0, "update/skipped": 0.25},
            "environment is at fault: 3 observations, rewards or costs were not finite or beyond 1e.09 in the test",
        ),
        (
            {"negative_costs": 2.0, "nonfinite": 0.0, "update/skipped": 0.25},
            "environment is at fault: 2 costs were below 0, .* start again: there is no checkpoint yet",
        ),
    ],
)
def test_numbers_that_went_bad_are_a_problem(row, said):
    judged = Recorder(Config())
    judged.judge(row, "the test")
    if said:
        with pytest.raises(RuntimeError, match=said):
            raise RuntimeError(judged.problem)
    else:
        assert judged.problem == ""


def test_the_evaluations_key_follows_from_seed_and_step():
    keys = [
        Recorder(Config(train=TrainConfig(seed=seed))).evaluation_key(step)
        for seed, step in ((0, 10), (0, 10), (0, 11), (1, 10), (0, 2**31 + 11))
    ]
    np.testing.assert_array_equal(keys[0], keys[1])
    assert len(np.unique(np.stack(keys[1:4]), axis=0)) == 3
    assert jax.numpy.shape(keys[4]) == (2,), "counters beyond 31 bits are folded in too"


@pytest.mark.parametrize("first", [True, False])
def test_only_the_first_process_writes(first, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "is_first", lambda: first)
    (tmp_path / "metrics.jsonl").write_text('{"step": 5}\n{"step": 9}\n')
    with open_recorder(tmp_path, Config(), None, static=STATIC, step=5, num_devices=2, quiet=True) as opened:
        opened.say("something")
        opened.progress(6, 1.0, {})
    assert (tmp_path / "config.json").exists() == first
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == (1 if first else 2), "what came after the step that a run goes on from is forgotten"


def test_a_quiet_recorder_says_nothing(tmp_path, capsys):
    for quiet in (True, False):
        with open_recorder(tmp_path, Config(), None, static=STATIC, step=0, num_devices=1, quiet=quiet) as opened:
            opened.say("heard")
        assert capsys.readouterr().out == ("" if quiet else "heard\n")
