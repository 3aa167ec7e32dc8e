"""Workers that are killed or hang while a training steps them: it goes on, and says so once for each."""

import os
import signal
from dataclasses import replace

import pytest
from host_config import CONFIG
from processes import is_running
from stored_run import differences
from toy_host import ToyEnv

from cvpo_jax import train
from cvpo_jax.training import trainer
from envs.host.vector import HostVectorEnv

HANGING_SECONDS = 1.0


@pytest.fixture
def vectors(monkeypatch):
    """Train on the toy instead of Safety-Gymnasium; the list of vectors, as they are made."""
    made = []

    def make_env(config, num_envs, **_):
        made.append(HostVectorEnv(ToyEnv, num_envs, num_workers=2, timeout=HANGING_SECONDS, name="Toy"))
        return made[-1]

    monkeypatch.setattr(trainer, "make_env", make_env)
    return made


def workers(vectors):
    return [worker.pid for vector in vectors for pool in list(vector._pools.values()) for worker in pool.workers]


def replacements(caplog):
    """What was said of workers that were replaced."""
    return [record.message for record in caplog.records if "starting another" in record.message]


@pytest.mark.slow  # programs with host callbacks are compiled anew each time
def test_a_worker_that_goes_between_two_steps_changes_nothing(vectors, tmp_path, monkeypatch, caplog):
    """One is killed, another hangs: the numbers are those of a training that lost none."""
    config = replace(CONFIG, run_dir=str(tmp_path / "straight"))
    straight = train(config)
    step, plan = HostVectorEnv._host_step, {20: (0, signal.SIGKILL), 40: (1, signal.SIGSTOP)}
    steps, sent = [], []

    def disturbed(self, latest, action):
        steps.append(latest)
        if len(steps) in plan:
            index, number = plan[len(steps)]
            sent.append(workers([self])[index])
            os.kill(sent[-1], number)
        return step(self, latest, action)

    monkeypatch.setattr(HostVectorEnv, "_host_step", disturbed)
    caplog.clear()
    found = train(replace(config, run_dir=str(tmp_path / "disturbed")))
    assert [name for name in differences(straight, found) if not name.endswith(".session")] == []
    killed, hung = replacements(caplog)
    assert f"{sent[0]} was killed by signal 9" in killed and f"{sent[1]} made no progress for 1 s" in hung
    assert len(caplog.records) == 2
    assert not any(is_running(process) for process in [*sent, *workers(vectors)])
