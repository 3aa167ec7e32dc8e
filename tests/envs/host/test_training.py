"""Training on host environments: it learns from their costs, resumes, stops when asked and says what failed."""

import itertools
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from host_config import CONFIG, SOON
from processes import is_running
from toy_host import EPISODE_LENGTH, BrittleEnv, ToyEnv

from cvpo_jax import cli, run, train
from cvpo_jax.evaluate import evaluate
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.training import trainer
from envs.host.vector import HostVectorEnv


def use(monkeypatch, env):
    """Train on `env` instead of Safety-Gymnasium; returns the list of vectors as they are made."""
    made = []

    def make_env(config, num_envs, **_):
        names = tuple(config.algo.constraint_limits) if config.algo.constraints else ()
        made.append(HostVectorEnv(env, num_envs, constraints=names, num_workers=2, name="Toy"))
        return made[-1]

    monkeypatch.setattr(trainer, "make_env", make_env)
    return made


def processes(vectors):
    return [worker.pid for vector in vectors for pool in vector._pools.values() for worker in pool.workers]


def test_each_constraint_has_the_costs_of_its_component_and_no_process_stays(tmp_path, monkeypatch):
    vectors = use(monkeypatch, ToyEnv)
    algo = replace(CONFIG.algo, constraints={"cost_b": 6.0, "cost_a": 2.0})
    config = replace(CONFIG, algo=algo, run_dir=str(tmp_path / "run"))
    rows = read_metrics(train(config))
    assert [row["step"] for row in rows] == [128, 192, 256, 320]
    for row in rows:
        assert (row["cost_0_mean"], row["cost_1_mean"]) == (EPISODE_LENGTH, 3), "b costs each step, a every other"
        assert (row["cost_over_limit_0"], row["cost_over_limit_1"]) == pytest.approx((5 / 6, 3 / 2))
        assert row["train/cost"] == EPISODE_LENGTH
    assert len(processes(vectors)) == 4
    assert not any(is_running(process) for process in processes(vectors))


def test_a_failing_environment_is_named_with_its_seed_and_traceback(tmp_path, monkeypatch, capsys, caplog):
    vectors = use(monkeypatch, BrittleEnv)
    config = replace(SOON, run_dir=str(tmp_path / "run"))
    assert cli.main(lambda _: print(train(config)), []) == cli.WRONG
    first, *traceback = capsys.readouterr().err.splitlines()
    assert first.startswith("error: Toy: environment ") and "reset seed" in first and "keeps failing" in first
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[-1] == "ArithmeticError: the toy is brittle"
    assert not any("site-packages/jax" in line for line in traceback)
    assert "io_callback failed" not in caplog.text
    assert not any(is_running(process) for process in processes(vectors))


@pytest.mark.slow
def test_a_run_on_the_genuine_environment_goes_on_after_a_stop(tmp_path, capsys):
    """Through the command, with separate constraints."""
    experiment = tmp_path / "tiny.py"
    experiment.write_text(f"from cvpo_jax import *\n\n\ndef get_config():\n    return {CONFIG!r}\n")
    options = (
        "--env.id SafetyPointButton1-v0 --env.episode-length 20 --algo.constraints cost_hazards=10,cost_gremlins=15"
    )
    run_dir = tmp_path / "run"
    assert cli.main(run.command, [str(experiment), *options.split(), "--run_dir", str(run_dir)]) == 0
    assert "(gymnasium)" in capsys.readouterr().out
    assert cli.main(run.command, ["--resume", str(run_dir), "--train.steps", "380"]) == 0
    rows = read_metrics(run_dir)
    assert [row["step"] for row in rows] == [128, 192, 256, 320, 384]
    assert [row["cost_limit_0"] for row in rows] == [10] * 5 and [row["cost_limit_1"] for row in rows] == [15] * 5
    assert all(np.isfinite(row["return_mean"]) and row["cost_0_mean"] <= 20 for row in rows)
    again = evaluate(run_dir, episodes=2)
    assert (again["step"], again["episodes"]) == (384, 2) and np.isfinite(again["return_mean"])


@pytest.mark.parametrize(("signals", "status"), [(1, 0), (2, 130)])
def test_ctrl_c_ends_a_run_within_seconds_and_leaves_no_process(tmp_path, signals, status):
    """The first one after the epoch, the second one in the midst of it, in whichever thread JAX runs callbacks."""
    # A shell that starts the tests in the background has SIGINT ignored, and Python would leave it so.
    code = f"""if True:
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from dataclasses import replace
        from functools import partial
        from cvpo_jax import cli, train
        from cvpo_jax.training import trainer
        from envs.host.vector import HostVectorEnv
        from host_config import SOON
        from toy_host import SlowEnv
        env = partial(SlowEnv, {0.001 if signals == 1 else 10})
        trainer.make_env = lambda config, num_envs, **_: HostVectorEnv(env, num_envs, num_workers=1, timeout=1000.0)
        step = HostVectorEnv._host_step
        def told(self, latest, action):
            print(*(worker.pid for pool in self._pools.values() for worker in pool.workers), flush=True)
            return step(self, latest, action)
        HostVectorEnv._host_step = told
        config = replace(SOON, run_dir={str(tmp_path / "run")!r}, train=replace(SOON.train, steps=10**9))
        cli.leave(cli.main(lambda _: train(config), []))
    """
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = (line for line in process.stdout if line.strip().isdigit())
        worker = int(next(lines))
        if signals == 1:
            next(itertools.islice(lines, 100, None))
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        started = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        assert "once more to stop at once" in err and (signals == 1 or "--resume" in err)
        assert time.monotonic() - started < 30
        deadline = time.monotonic() + 15
        while is_running(worker) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not is_running(worker)
    finally:
        process.kill()
