"""What devices send each other, counted without them, and the command that measures how an experiment scales."""

import json

import jax
import jax.numpy as jnp
import pytest
from toy import Bandit

from cvpo_jax import AlgoConfig, Config, EnvConfig, TrainConfig, bench, cli
from cvpo_jax.algorithm.state import Hyperparameters, init_train_state
from cvpo_jax.profiling import collectives, scaling
from cvpo_jax.runtime import devices
from cvpo_jax.training import trainer

CONFIG = Config(
    env=EnvConfig(num_envs=8),
    algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, mstep_iterations=3),
    train=TrainConfig(epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256),
).complete()
EXPERIMENT = f"""
from cvpo_jax import *


def get_config():
    return {CONFIG!r}
"""


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setattr(trainer, "make_env", lambda config, num_envs, **_: Bandit(num_envs))


def two_kinds(x):
    """A sum of 24 bytes, a gather of 24, then twice a sum of 4."""
    total = devices.psum(x, devices.AXIS_NAME)
    whole = devices.gather(total, 0, devices.AXIS_NAME)
    return jax.lax.scan(lambda carry, _: (devices.psum(carry, devices.AXIS_NAME), None), whole.sum(), None, length=2)[0]


def test_collectives_are_found_in_their_order_on_any_number_of_devices():
    found = collectives.find_collectives(two_kinds, jnp.ones((2, 3)), count=256)
    assert [(one.kind, one.bytes_given, one.times) for one in found] == [
        ("all-reduce", 24, 1),
        ("all-gather", 24, 1),
        ("all-reduce", 4, 2),
    ]
    # A ring of D: a reduction sends 2 (D - 1) / D of the array, a gather the arrays of all but one.
    assert [one.bytes_sent(4) for one in found] == [24 * 2 * 3 / 4, 24 * 3, 2 * 4 * 2 * 3 / 4]
    assert [one.bytes_sent(1) for one in found] == [0, 0, 0]


def test_the_collectives_alone_are_really_performed():
    found = collectives.find_collectives(two_kinds, jnp.ones((2, 3)), count=2)
    alone, values = collectives.repeat_collectives(found, devices.select(2), 5)
    compiled = alone.lower(values).compile()
    text = compiled.as_text()
    assert text.count(" all-reduce(") == 3, "one sum, then two that wait for each other"
    assert text.count(" all-gather(") == 1
    ones = jax.tree.map(lambda x: x + jnp.arange(2.0).reshape(2, *[1] * (x.ndim - 1)), values)
    (result,) = compiled(devices.place(ones, devices.select(2)))
    found = [x.ravel().tolist() for exchanged in result for x in exchanged]
    # Five times, or ten, half of the way from 0 and 1 to their mean.
    near, nearer = 0.5 - 0.5**6, 0.5 - 0.5**11
    assert found == [[near] * 6 + [1 - near] * 6] * 2 + [[nearer, 1 - nearer]]


def test_an_update_reduces_gradients_and_gathers_the_values_of_sampled_actions():
    update, collection = scaling.trace_collectives(CONFIG, 256)
    state = jax.eval_shape(
        lambda: init_train_state(
            trainer.make_static_config(CONFIG, Bandit(8)),
            Hyperparameters.from_config(CONFIG.algo),
            jax.random.PRNGKey(0),
        )
    )
    critics, actor = (4 * sum(x.size for x in jax.tree.leaves(tree)) for tree in (state.critics, state.actor))
    reduced = [one for one in update if one.kind == "all-reduce"]
    gathered = [one for one in update if one.kind == "all-gather"]
    assert sum(one.bytes_given for one in gathered) == 4 * 2 * 16 * 4, "reward and cost of 16 states, 4 actions each"
    assert [one.times for one in reduced] == [1, 3, 1]
    # Beside the gradients a few numbers: losses, KLs, a value and a scale for the metrics.
    assert critics <= reduced[0].bytes_given <= critics + 16
    assert actor <= reduced[1].bytes_given <= actor + 16
    assert reduced[2].bytes_given <= 16
    assert 0 < sum(one.bytes_given for one in collection) < 100


def test_each_device_keeps_its_load():
    wide = scaling.widened(CONFIG, 4).validate()
    assert (wide.env.num_envs, wide.algo.batch_size, wide.train.replay_size) == (32, 64, 1024)
    one, four = CONFIG.schedule(), wide.schedule()
    assert (one.unroll, one.updates, one.iterations, one.warmup) == (four.unroll, four.updates, four.iterations, 8)


@pytest.mark.parametrize("text", ["0,1", "two", "1,,2"])
def test_a_mistaken_list_is_told(text, tmp_path, capsys):
    path = tmp_path / "toy.py"
    path.write_text(EXPERIMENT)
    assert cli.main(bench.command, [str(path), "--devices", text]) == 2
    assert f"--devices is {text}" in capsys.readouterr().err


def test_of_more_devices_than_there_are_is_told_what_they_would_send(tmp_path, capsys):
    path = tmp_path / "toy.py"
    path.write_text(EXPERIMENT)
    assert cli.main(bench.command, [str(path), "--devices", "256"]) == 0
    out = capsys.readouterr().out
    assert "4 device(s) are here" in out
    assert "all-gather" in out


@pytest.mark.slow
def test_the_command_measures_each_number_of_devices(tmp_path, capsys):
    path = tmp_path / "toy.py"
    path.write_text(EXPERIMENT)
    arguments = [str(path), "--devices", "2,1,8", "--windows", "2", "--seconds", "0.01", "--json"]
    assert cli.main(bench.command, arguments) == 0
    one, two, eight = json.loads(capsys.readouterr().out)
    assert [row["devices"] for row in (one, two, eight)] == [1, 2, 8]
    assert one["steps_efficiency"] == one["updates_efficiency"] == 1
    assert two["steps_efficiency"] == pytest.approx(two["steps_per_second"] / one["steps_per_second"] / 2)
    assert two["updates_efficiency"] == pytest.approx(two["updates_per_second"] / one["updates_per_second"])
    assert 0 < two["collective_seconds_per_update"] < 1 / two["updates_per_second"]
    assert 0 == one["bytes_sent_update"] < two["bytes_sent_update"] < eight["bytes_sent_update"]
    assert "steps_per_second" not in eight
