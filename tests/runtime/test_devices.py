"""Collectives and placement on forced devices; one update is the same on one device as on several."""

import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax import AlgoConfig, ConfigError
from cvpo_jax.algorithm.state import Batch, Hyperparameters, StaticConfig, init_train_state
from cvpo_jax.algorithm.update import update
from cvpo_jax.runtime import devices

STATIC = StaticConfig.from_config(
    AlgoConfig(hidden=(16, 16), samples=8), observation_size=5, action_size=2, num_constraints=1, episode_length=50
)


def test_as_many_devices_are_selected_as_asked():
    assert devices.select(None) == jax.local_devices()
    assert devices.select(2) == jax.local_devices()[:2]
    with pytest.raises(ConfigError, match=r"--train.devices is 99, but 4 are here"):
        devices.select(99)


def test_collectives_on_four_devices():
    chosen = devices.select(4)
    x = jnp.arange(8.0).reshape(4, 2)

    def collect(x):
        mean = devices.pmean(x, devices.AXIS_NAME)
        whole = devices.gather(x, 0, devices.AXIS_NAME)
        return mean, whole, devices.shard(whole, devices.AXIS_NAME), devices.count(devices.AXIS_NAME)

    mean, whole, share, count = devices.parallel(collect, chosen)(x)
    assert mean.tolist() == [[3.0, 4.0]] * 4
    assert whole.tolist() == [list(range(8))] * 4
    assert share.tolist() == x.tolist()
    assert count.tolist() == [4] * 4


def test_collectives_are_the_identity_outside():
    x = jnp.arange(6.0).reshape(3, 2)
    assert devices.count(None) == 1
    for y in (devices.pmean(x, None), devices.gather(x, 0, None), devices.shard(x, None)):
        assert y.tolist() == x.tolist()


def test_replicas_are_placed_as_pmap_returns_them():
    chosen = devices.select(2)
    tree = {"strong": jnp.ones(3), "weak": jnp.asarray(2.0), "python": 0.5}
    given = devices.replicate(tree, chosen)
    assert given["strong"].shape == (2, 3)
    returned = devices.parallel(lambda tree: jax.tree.map(lambda x: x + 1, tree), chosen)(given)
    for name in tree:
        assert given[name].sharding == returned[name].sharding
        assert not given[name].weak_type
    np.testing.assert_array_equal(devices.first(returned)["strong"], 2 * np.ones(3))


def test_a_replica_that_differs_in_one_bit_is_seen():
    same = {"x": jnp.ones((2, 3)), "n": jnp.zeros(2, jnp.int32)}
    assert devices.all_equal(same)
    assert not devices.all_equal(same | {"x": same["x"].at[1, 2].set(np.nextafter(np.float32(1), np.float32(2)))})


def random_batch(key, size):
    keys = jax.random.split(key, 6)
    draw = jax.random.normal
    return Batch(
        observation=draw(keys[0], (size, 5)),
        action=jnp.tanh(draw(keys[1], (size, 2))),
        reward=draw(keys[2], (size,)),
        cost=jnp.abs(draw(keys[3], (size, 1))),
        next_observation=draw(keys[4], (size, 5)),
        discount=jnp.full(size, 0.95),
        policy_observation=draw(keys[5], (size, 5)),
    )


@pytest.mark.parametrize(
    ("count", "name"),
    [(4, "cvpo"), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((2, "cvpo"), (4, "sac_lag")))],
)
def test_an_update_is_the_same_on_several_devices(count, name):
    chosen = devices.select(count)
    static = replace(STATIC, algo=replace(STATIC.algo, name=name))
    state = init_train_state(static, Hyperparameters.from_config(AlgoConfig()), jax.random.PRNGKey(0))
    batch = random_batch(jax.random.PRNGKey(1), 32)
    shards = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)
    spread = devices.parallel(lambda state, batch: update(state, batch, axis_name=devices.AXIS_NAME), chosen)
    many, metrics_many = jax.block_until_ready(spread(devices.replicate(state, chosen), shards))
    one, metrics_one = jax.jit(update)(state, batch)
    assert devices.all_equal(many)
    assert float(metrics_one["update/skipped"]) == 0
    learned = ("duals", "multipliers", "actor", "critics", "target_critics", "old_actor", "controller")
    wanted = jax.tree_util.tree_leaves_with_path({name: getattr(one, name) for name in learned})
    found = jax.tree.leaves({name: devices.first(getattr(many, name)) for name in learned})
    for (path, x), y in zip(wanted, found, strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5, err_msg=jax.tree_util.keystr(path))
    for name, value in metrics_one.items():
        np.testing.assert_allclose(metrics_many[name][0], value, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"JAX_ENABLE_X64": "1"}, "JAX_ENABLE_X64 is on"),
        ({"JAX_PLATFORMS": "cuda"}, "JAX_PLATFORMS is cuda, but JAX finds no such device"),
        ({"JAX_PLATFORMS": "colour"}, "JAX_PLATFORMS is colour, but JAX finds no such device"),
    ],
)
def test_surroundings_that_cannot_be_used_are_told(environment, said):
    code = "from cvpo_jax.runtime import devices\ndevices.select(None)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"cvpo_jax.config.errors.ConfigError: {said}") and "unset it" in last
