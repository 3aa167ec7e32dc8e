"""The comparison of a policy on both backends."""

import numpy as np
import pytest

from cvpo_jax import AlgoConfig, Config, EnvConfig, terminal, transfer
from cvpo_jax.episodes import Episodes, summarize


def evaluation(returns, costs, limits):
    return {"episodes": len(returns)} | summarize(Episodes(np.array(returns), np.array(costs)), limits)


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run whose evaluations are given: backend -> (returns `[E]`, costs `[E, C]`)."""

    def make(results, constraints=""):
        algo = AlgoConfig(constraints=constraints)
        (tmp_path / "config.json").write_text(Config(env=EnvConfig(id="Task-v0"), algo=algo).to_json())

        def evaluate(run_dir, *, backend, episodes, seed):
            assert (run_dir, episodes, seed) == (tmp_path, 100, 0)
            return evaluation(*results[backend], algo.cost_limits)

        monkeypatch.setattr(transfer, "evaluate", evaluate)
        return tmp_path

    return make


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    random = np.random.RandomState(0)
    hits = 0
    for _ in range(2000):
        rows = [evaluation(random.normal(5, 2, 100), random.normal(mean, 9, (100, 1)), (25.0,)) for mean in (20, 20)]
        pair = [transfer._mean(row, "cost") for row in rows]
        hits += transfer.Comparison("Task-v0", "cost", *pair[0], *pair[1]).agrees
    assert 0.93 < hits / 2000 < 0.965


def test_a_row_for_return_and_for_each_cost(run_dir, capsys):
    count = np.arange(100) % 2
    port = (10.0 + count, np.stack([20.0 + count, 3.0 + count], 1))
    genuine = (10.1 + count, np.stack([22.0 + count, 3.0 + count], 1))
    folder = run_dir({"brax": port, "gymnasium": genuine}, "cost_hazards=25,cost_gremlins=5")
    assert terminal.main(transfer.command, [str(folder)]) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert rows == [
        "| Task-v0 | return | 10.50 ± 0.05 | 10.60 ± 0.05 | +0.10 [-0.04, +0.24] | yes |",
        "| Task-v0 | cost_hazards | 20.50 ± 0.05 | 22.50 ± 0.05 | +2.00 [+1.86, +2.14] | no |",
        "| Task-v0 | cost_gremlins | 3.50 ± 0.05 | 3.50 ± 0.05 | +0.00 [-0.14, +0.14] | yes |",
    ]


def test_one_cost_has_the_name_of_the_total(run_dir, capsys):
    result = (np.zeros(100), np.ones((100, 1)))
    assert terminal.main(transfer.command, [str(run_dir({"brax": result, "gymnasium": result}))]) == 0
    assert "| cost | 1.00 ± 0.00 | 1.00 ± 0.00 | +0.00 [+0.00, +0.00] | yes |" in capsys.readouterr().out


def test_too_few_episodes_are_refused(tmp_path, capsys):
    assert terminal.main(transfer.command, [str(tmp_path), "--episodes", "5"]) == terminal.WRONG
    assert "--episodes is 5" in capsys.readouterr().err
