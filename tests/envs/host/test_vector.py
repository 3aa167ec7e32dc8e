"""Host environments under `jit`, `lax.scan` and `pmap`."""

import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_host import EPISODE_LENGTH, ToyEnv

from envs.base import episode_of
from envs.host.pool import HostError
from envs.host.protocol import episode_seed
from envs.host.vector import HostVectorEnv, host_errors

NUM_ENVS = 3


@pytest.fixture(scope="module")
def env():
    env = HostVectorEnv(ToyEnv, NUM_ENVS, num_workers=2, name="Toy")
    yield env
    env.close()


def roll(env, state, actions):
    """Step through `actions` `[T, N, A]` in one scan; returns the last state and all."""

    def step(state, action):
        state = env.step(state, action)
        return state, state

    return jax.lax.scan(step, state, actions)


def actions(steps, *shape):
    return jax.random.uniform(jax.random.PRNGKey(1), (steps, *shape, 2), minval=-1, maxval=1)


def test_a_scan_steps_in_order_and_begins_new_episodes(env):
    played = actions(EPISODE_LENGTH + 2, NUM_ENVS)
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    assert state.obs.shape == (NUM_ENVS, env.observation_size) and not state.obs[:, 1:].any()
    _, states = jax.jit(lambda state: roll(env, state, played))(state)
    ended = np.zeros((EPISODE_LENGTH + 2, NUM_ENVS))
    ended[EPISODE_LENGTH - 1] = 1
    np.testing.assert_array_equal(states.info["truncation"], ended)
    np.testing.assert_array_equal(states.done, 0 * ended)
    counts = [*range(1, EPISODE_LENGTH), 0, 1, 2]
    np.testing.assert_array_equal(states.obs[:, :, 1], np.array(counts)[:, None] + np.zeros(NUM_ENVS))
    np.testing.assert_array_equal(episode_of(states).steps[:, 0], counts)
    sums = np.cumsum(np.asarray(played[:EPISODE_LENGTH]).sum(2), 0)
    np.testing.assert_allclose(states.reward[:EPISODE_LENGTH], sums, rtol=1e-5)


def test_the_key_alone_decides_the_episodes(env):
    first, again, other = (env.reset(jax.random.PRNGKey(seed)).obs for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.intersect1d(first[:, 0], other[:, 0]).size
    seed = int(jax.random.bits(jax.random.PRNGKey(0), (NUM_ENVS,), jnp.uint32)[2])
    assert first[2, 0] == np.float32(ToyEnv().reset(episode_seed(seed, 0))[0])


def test_total_or_chosen_costs():
    played = actions(2, NUM_ENVS)
    for constraints, expected in [((), [[1.0], [1.0]]), (("cost_b", "cost_a"), [[1.0, 1.0], [1.0, 0.0]])]:
        env = HostVectorEnv(ToyEnv, NUM_ENVS, constraints=constraints, num_workers=1)
        assert env.num_constraints == len(expected[0])
        _, states = roll(env, env.reset(jax.random.PRNGKey(0)), played)
        np.testing.assert_array_equal(states.info["cost"][:, 0], expected)
        np.testing.assert_array_equal(states.info["cost_components"]["cost_a"][:, 0], [1.0, 0.0])
        env.close()
    with pytest.raises(ValueError, match='"cost_c" is not among the costs here: cost_a, cost_b'):
        HostVectorEnv(ToyEnv, NUM_ENVS, constraints=("cost_c",))
    with pytest.raises(ValueError, match="num_envs is 0"):
        HostVectorEnv(ToyEnv, 0)


def test_a_state_of_the_past_is_refused(env):
    past = env.reset(jax.random.PRNGKey(0))
    env.step(past, jnp.zeros((NUM_ENVS, 2)))
    with pytest.raises(HostError, match="cannot go back"), host_errors():
        jax.block_until_ready(env.step(past, jnp.zeros((NUM_ENVS, 2))))


def test_after_a_restart_the_next_episodes_begin(env):
    """As on `--resume`: another process has the state, and none of the worlds it is of."""
    state = env.step(env.reset(jax.random.PRNGKey(0)), jnp.ones((NUM_ENVS, 2)))
    restarted = HostVectorEnv(ToyEnv, NUM_ENVS, num_workers=1)
    restarted.reset(jax.random.PRNGKey(9))
    step = jax.jit(restarted.step)
    cut = step(state, jnp.ones((NUM_ENVS, 2)))
    assert cut.info["truncation"].all() and not cut.reward.any() and not cut.done.any()
    starts = [ToyEnv().reset(episode_seed(int(seed), 1)) for seed in state.pipeline_state.seed]
    np.testing.assert_array_equal(cut.obs, np.float32(starts))
    after = step(cut, jnp.ones((NUM_ENVS, 2)))
    assert not after.info["truncation"].any()
    np.testing.assert_array_equal(after.reward, np.full(NUM_ENVS, 2.0))
    restarted.close()


def test_every_device_of_a_pmap_has_environments_of_its_own():
    devices = jax.local_devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices")
    env = HostVectorEnv(ToyEnv, NUM_ENVS, num_workers=1)
    played = actions(EPISODE_LENGTH + 1, 2, NUM_ENVS).swapaxes(0, 1)

    def run(key, played):
        return roll(env, env.reset(key), played)[1]

    keys = jax.random.split(jax.random.PRNGKey(0), 2)
    states = jax.pmap(run, axis_name="devices", devices=devices)(keys, played)
    alone = HostVectorEnv(ToyEnv, NUM_ENVS, num_workers=1)
    for device in range(2):
        _, expected = roll(alone, alone.reset(keys[device]), played[device])
        np.testing.assert_array_equal(states.obs[device], expected.obs)
        np.testing.assert_array_equal(states.info["truncation"][device], expected.info["truncation"])
    env.close()
    alone.close()


@pytest.mark.parametrize("transform", ["jit", "pmap"])
def test_ctrl_c_ends_a_compiled_loop_within_seconds(transform):
    # A shell that starts the tests in the background has SIGINT ignored, and Python would leave it so.
    code = f"""if True:
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import jax, jax.numpy as jnp
        from envs.host.vector import HostVectorEnv, host_errors
        from toy_host import ToyEnv
        env = HostVectorEnv(ToyEnv, 2, num_workers=1)
        def step(state, _):
            state = env.step(state, jnp.zeros((2, 2)))
            return state, None
        def run(key):
            state = env.reset(key)
            jax.debug.callback(lambda obs: print("running", flush=True), state.obs)
            return jax.lax.scan(step, state, None, length=10**7)[0].obs
        keys = jax.random.split(jax.random.PRNGKey(0), 2)
        try:
            with host_errors():
                if "{transform}" == "pmap":
                    jax.block_until_ready(jax.pmap(run, axis_name="devices")(keys))
                else:
                    jax.block_until_ready(jax.jit(run)(keys[0]))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout.readline() == "running\n"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert output.splitlines()[-1] == "interrupted"
        assert time.monotonic() - started < 10
    finally:
        process.kill()
