"""The comparison of a policy on both backends."""

import jax
import numpy as np
import pytest

import envs
from cvpo_jax import AlgoConfig, Config, EnvConfig, cli, transfer
from cvpo_jax.experience.evaluation import EvaluationResult
from envs.host.vector import host_scope
from envs.parity.matched_starts import PlacedVectorEnv, starts


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run whose episodes are given: (returns `[E]`, costs `[E, C]`) on the port and in the genuine environment."""

    def make(port, genuine, constraints=None):
        config = Config(env=EnvConfig(id="Task-v0"), algo=AlgoConfig(constraints=constraints or {}))
        (tmp_path / "config.json").write_text(config.to_json())

        def play(run_dir, *, episodes, repeats, seed, step, limit):
            assert (run_dir, episodes, repeats, seed, step, limit) == (tmp_path, 100, 1, 0, None, None)
            return EvaluationResult(*port), EvaluationResult(*genuine)

        monkeypatch.setattr(transfer, "play", play)
        return tmp_path

    return make


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    """Also where what a layout brings is common to both."""
    random = np.random.RandomState(0)
    hits = 0
    for _ in range(2000):
        layout = random.normal(20, 9, 100)
        port, genuine = (layout + random.normal(0, 3, 100) for _ in range(2))
        comparison = transfer.Comparison("Task-v0", "cost", port, genuine)
        assert comparison.half_width < 1.5, "what is common does not widen it"
        hits += comparison.agrees
    assert 0.93 < hits / 2000 < 0.965


@pytest.mark.parametrize(
    "task_id", ["SafetyPointButton1-v0", "SafetyCarGoal1-v0", "SafetyPointPush1-v0", "SafetyPointCircle1-v0"]
)
def test_the_port_begins_where_the_genuine_environment_does(task_id):
    with host_scope():
        host = envs.make(task_id, backend="gymnasium", num_envs=2, num_workers=1)
        env, key = envs.make(task_id), jax.random.PRNGKey(4)
        placed = PlacedVectorEnv(env, starts(env, host.factory(), host.episode_seeds(key)))
        state, genuine = placed.reset(key), host.reset(key)
        shown = slice(3, None)  # all but the accelerometer, which measures the step before
        np.testing.assert_allclose(state.obs[:, shown], genuine.obs[:, shown], atol=1e-5)
        expected = jax.eval_shape(envs.vectorize(env, 2).reset, key)
        jax.tree.map(
            lambda leaf, like: np.testing.assert_equal((leaf.shape, leaf.dtype), (like.shape, like.dtype)),
            state,
            expected,
        )


def test_a_row_for_return_and_for_each_cost(run_dir, capsys):
    count = np.arange(100) % 2
    port = (10.0 + count, np.stack([20.0 + count, 3.0 + count], 1))
    genuine = (11.1 - count, np.stack([22.0 + count, 3.0 + count], 1))
    folder = run_dir(port, genuine, {"cost_hazards": 25.0, "cost_gremlins": 5.0})
    assert cli.main(transfer.command, [str(folder)]) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert rows == [
        "| Task-v0 | return | 10.50 ± 0.05 | 10.60 ± 0.05 | +0.10 [-0.10, +0.30] | yes |",
        "| Task-v0 | cost_hazards | 20.50 ± 0.05 | 22.50 ± 0.05 | +2.00 [+2.00, +2.00] | no |",
        "| Task-v0 | cost_gremlins | 3.50 ± 0.05 | 3.50 ± 0.05 | +0.00 [+0.00, +0.00] | yes |",
    ]


def test_one_cost_has_the_name_of_the_total(run_dir, capsys):
    result = (np.zeros(100), np.ones((100, 1)))
    assert cli.main(transfer.command, [str(run_dir(result, result))]) == 0
    assert "| cost | 1.00 ± 0.00 | 1.00 ± 0.00 | +0.00 [+0.00, +0.00] | yes |" in capsys.readouterr().out


def test_several_episodes_from_each_start_are_different_ones_and_averaged():
    """The more of them, the closer to what is expected from that start."""
    expected = np.arange(500.0)

    def evaluate(key):
        noise = jax.random.normal(key, (500,))
        return EvaluationResult(expected + noise, expected[:, None] - noise[:, None])

    played = transfer.repeated(evaluate, jax.random.PRNGKey(3), 16)
    assert played.returns.shape == (500,) and played.costs.shape == (500, 1)
    assert 0.22 < np.std(played.returns - expected) < 0.28, "a quarter of the noise of one episode"
    np.testing.assert_allclose(played.costs[:, 0], 2 * expected - played.returns, rtol=1e-4, atol=1e-3)


def test_no_repeats_are_refused(tmp_path, capsys):
    assert cli.main(transfer.command, [str(tmp_path), "--repeats", "0"]) == cli.WRONG
    assert "--repeats is 0" in capsys.readouterr().err


def test_too_few_episodes_are_refused(tmp_path, capsys):
    assert cli.main(transfer.command, [str(tmp_path), "--episodes", "5"]) == cli.WRONG
    assert "--episodes is 5" in capsys.readouterr().err
