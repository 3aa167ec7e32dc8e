"""A sweep from its command line: plan, directories, table, going on, and a trial that fails."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from toy_trainings import use_toys

from cvpo_jax import Config, ConfigError, cli, sweep
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state
from cvpo_jax.sweeps import trials

# Compiled once, by one worker: all groups below are of two trials a device on two devices, as in test_population.
pytestmark = pytest.mark.xdist_group("toys")

EXPERIMENT = """
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig


def get_config():
    return Config(
        env=EnvConfig(num_envs=8),
        algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, recent_steps=64, cost_limit=6.0),
        train=TrainConfig(
            seed=5, steps=150, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256, devices=2
        ),
        eval=EvalConfig(episodes=4, every=1),
    )
"""
NAMES = [f"algo.kl_estep={kl}_seed={seed}" for kl in ("0.05", "0.1") for seed in (5, 6, 7, 8)]
EPOCH_ENDS = [128, 192]


@pytest.fixture(scope="module", autouse=True)
def toys():
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        yield


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiments") / "toy.py"
    path.write_text(EXPERIMENT)
    return path


def arguments(experiment, folder, *more):
    grid = ["--seeds", "4", "--grid", "algo.kl_estep=0.05,0.1", "--per_device", "2", "--sweep_dir", str(folder)]
    return [str(experiment), *grid, *more]


@pytest.fixture(scope="module")
def finished(experiment, tmp_path_factory):
    """The directory of a finished sweep of eight trials, four at a time on two devices; copy it to change it."""
    folder = tmp_path_factory.mktemp("sweeps") / "toy"
    assert cli.main(sweep.command, arguments(experiment, folder)) == 0
    return folder


def table(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_trial_has_a_run_directory_of_its_own(finished):
    assert sorted(path.name for path in finished.iterdir() if path.is_dir()) == NAMES
    for name in NAMES:
        config, rows = load_config(finished / name), read_metrics(finished / name)
        assert f"algo.kl_estep={config.algo.kl_estep}_seed={config.train.seed}" == name
        assert (config.train.devices, config.run_dir) == (1, str(finished / name))
        assert [row["step"] for row in rows] == EPOCH_ENDS
        assert all(np.isfinite(row["return_mean"]) and np.isfinite(row["cost_mean"]) for row in rows)
        state = load_state(finished / name)
        assert (int(state.env_steps), int(state.updates)) == (192, 8)
        assert float(state.hyperparameters.kl_estep) == pytest.approx(config.algo.kl_estep)


def test_the_table_holds_all_settings_and_last_evaluations(finished):
    lines = table(finished)
    assert [line["run_dir"] for line in lines] == NAMES
    assert [(line["algo.kl_estep"], line["seed"], line["status"]) for line in lines[3:5]] == [
        ("0.05", "8", "done"),
        ("0.1", "5", "done"),
    ]
    for line in lines:
        last = read_metrics(finished / line["run_dir"])[-1]
        assert float(line["return_mean"]) == last["return_mean"]
        assert int(float(line["step"])) == 192


def test_what_is_finished_is_left_alone_and_the_rest_goes_on_to_the_same_end(finished, experiment, tmp_path, capsys):
    """As after a kill: three trials without their last checkpoint, three without anything, two done."""
    folder = shutil.copytree(finished, tmp_path / "toy")
    for name in NAMES[1:4]:
        shutil.rmtree(folder / name / "checkpoints" / "192")
    for name in NAMES[4:7]:
        shutil.rmtree(folder / name)
    untouched = (folder / NAMES[0] / "metrics.jsonl").stat().st_mtime_ns
    assert cli.main(sweep.command, arguments(experiment, folder, "--dry-run")) == 0
    shown = capsys.readouterr().out
    status = [line.split()[0] for line in shown.splitlines()[:8]]
    assert status == ["done", *["begun"] * 3, *["waiting"] * 3, "done"]
    assert "1 of 2: 3 trial(s) on 2 cpu device(s) from step 0" in shown
    assert "2 of 2: 3 trial(s) on 2 cpu device(s) from step 128" in shown
    assert not (folder / NAMES[4]).exists(), "a dry run writes nothing"

    assert cli.main(sweep.command, arguments(experiment, folder)) == 0
    assert (folder / NAMES[0] / "metrics.jsonl").stat().st_mtime_ns == untouched
    for name in NAMES[1:7]:
        wanted, found = read_metrics(finished / name), read_metrics(folder / name)
        assert [row["step"] for row in found] == EPOCH_ENDS
        for metric in ("return_mean", "cost_mean", "critic/loss", "estep/eta"):
            assert found[-1][metric] == pytest.approx(wanted[-1][metric], rel=1e-3, abs=1e-4), metric
    assert {line["status"] for line in table(folder)} == {"done"}
    capsys.readouterr()
    assert cli.main(sweep.command, arguments(experiment, folder)) == 0
    assert "trial(s)" not in capsys.readouterr().out, "nothing is left to do"


def test_trials_one_checkpoint_apart_go_on_together_from_the_earlier(finished, experiment, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "toy")
    for name in NAMES[:3]:
        shutil.rmtree(folder / name / "checkpoints" / "192")
    longer = arguments(experiment, folder, "--train.steps", "200")
    plan = sweep.make_plan(cli.read_invocation(sweep.SweepOptions, "sweep", longer))
    assert [(len(members.trials), members.step) for members in trials.group(plan.own)] == [(8, 128)]
    assert cli.main(sweep.command, longer) == 0
    for name in NAMES:
        assert [row["step"] for row in read_metrics(folder / name)] == [*EPOCH_ENDS, 256]


def test_a_trial_that_fails_leaves_the_others_alone(experiment, tmp_path, capsys):
    command = [str(experiment), "--train.seed", "11", "--seeds", "4", "--per_device", "2"]
    command += ["--sweep_dir", str(tmp_path / "toy")]
    assert cli.main(sweep.command, command) == 0
    status = {line["seed"]: line["status"] for line in table(tmp_path / "toy")}
    assert set(status.values()) == {"done", "failed"}
    for seed, found in status.items():
        rows = read_metrics(tmp_path / "toy" / f"seed={seed}")
        assert [row["step"] for row in rows] == (EPOCH_ENDS if found == "done" else [])
    assert capsys.readouterr().out.count(" in the warm-up") == list(status.values()).count("failed")
    assert cli.main(sweep.command, command) == 0
    assert "trial(s)" not in capsys.readouterr().out, "what failed is not tried again"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--grid", "algo.kl_estep"], "section.option=v1,v2"),
        (["--grid", "algo.kull=1"], "--algo.kull"),
        (["--grid", "train.seed=1,2"], "--seeds"),
        (["--grid", "algo.gamma=0.9,1.5"], "1.5"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--part", "2/2"], "--part"),
        (["--algo.kull", "1"], "--algo.kull"),
        (["--algo.gamma", "0.9"], "--sweep_dir"),
    ],
)
def test_mistakes_are_told_in_one_line(more, said, finished, experiment, capsys):
    capsys.readouterr()
    assert cli.main(sweep.command, arguments(experiment, finished, *more)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_values_with_commas_are_separated_by_semicolons(tmp_path):
    grid = trials.parse_grid(["algo.constraints=cost_a=1,cost_b=2;cost_a=3,cost_b=4", "--algo.actor-lr=1e-3"])
    assert grid == {"algo.constraints": ["cost_a=1,cost_b=2", "cost_a=3,cost_b=4"], "algo.actor_lr": ["1e-3"]}
    first, second = trials.expand(Config(), 1, grid, tmp_path)
    assert first.config.algo.cost_limits == (1, 2)
    assert second.run_dir.name == "algo.constraints=cost_a=3-cost_b=4_algo.actor_lr=1e-3_seed=0"


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (["algo.kl_estep=0.1,0.1"], "the same trial twice, as algo.kl_estep=0.1 seed=0 and algo.kl_estep=0.1 seed=0"),
        (["algo.kl_estep=0.1,1e-1"], "the same trial twice, as algo.kl_estep=0.1 seed=0 and algo.kl_estep=1e-1"),
        (["algo.kl_estep=0.1", "algo.kl-estep=0.2"], "algo.kl_estep is in the grid twice"),
    ],
)
def test_no_two_trials_of_a_sweep_are_the_same(grid, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        trials.expand(Config(), 1, trials.parse_grid(grid), tmp_path)


def test_a_sweep_has_a_bound_and_folders_have_names_that_fit(tmp_path):
    with pytest.raises(ConfigError, match=r"--seeds is 1000000000: these are 2,000,000,000 trials"):
        trials.expand(Config(), 10**9, trials.parse_grid(["algo.kl_estep=0.1,0.2"]), tmp_path)
    with pytest.raises(ConfigError, match=r"--train\.seed is 2147483648"):
        trials.expand(replace(Config(), train=replace(Config().train, seed=2**31 - 1)), 2, {}, tmp_path)
    widths = " ".join(["100"] * 90)
    long = trials.expand(Config(), 2, {"algo.hidden": [widths, f"{widths} 7"]}, tmp_path)
    names = {trial.run_dir.name for trial in long}
    assert len(names) == 4 and max(map(len, names)) <= 255
    for name in names:
        (tmp_path / name).mkdir()


def test_parts_share_all_trials_and_keep_shapes_together(tmp_path):
    every = trials.expand(Config(), 3, {"algo.kl_estep": ["0.1", "0.2"], "algo.samples": ["8", "16"]}, tmp_path)
    parts = [trials.share(every, part, 2) for part in range(2)]
    assert sorted(trial.run_dir for part in parts for trial in part) == sorted(trial.run_dir for trial in every)
    assert [{trial.config.algo.samples for trial in part} for part in parts] == [{8}, {16}]
    assert [len(trials.share(every, part, 5)) for part in range(5)] == [2, 2, 3, 2, 3]


def test_a_trial_that_ran_out_of_time_is_done(finished):
    config = load_config(finished / NAMES[0])
    longer = replace(config, train=replace(config.train, steps=10_000))
    seconds = read_metrics(finished / NAMES[0])[-1]["seconds"]
    for minutes, status in ((seconds / 61, "done"), (seconds / 59, "begun"), (None, "begun")):
        timed = replace(longer, train=replace(longer.train, max_minutes=minutes))
        assert trials.Trial({}, timed).status == status
    with pytest.raises(ConfigError, match=r"--algo.gamma is 0.5, but .* 0.99"):
        trials.Trial({}, replace(config, algo=replace(config.algo, gamma=0.5))).check()
