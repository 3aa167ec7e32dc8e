"""What arrays take and devices have, and that the peak of a process follows what it holds."""

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Bandit

from cvpo_jax import ConfigError
from cvpo_jax.runtime import memory


def test_the_peak_grows_with_what_is_held_and_does_not_fall() -> None:
    """In a process of its own, since this one may already hold gigabytes, and would have to hold as many more.

    That it has held 1.2 GB is not to be told of the other.
    Linux counts pages for each processor, and adds them up now and then: the peak may fall by some of them.
    """
    code = """if True:
        import numpy as np
        from cvpo_jax.runtime import memory
        before = memory.peak_host_bytes()
        assert before < 1e9, "of the process that started this one"
        held = np.ones(max(before, 100_000_000) // 8)
        after = memory.peak_host_bytes()
        assert after > 1.3 * before, (before, after)
        del held
        assert memory.peak_host_bytes() > 0.99 * after
    """
    np.ones(150_000_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_tree_is_as_large_as_its_arrays_or_the_shapes_that_stand_for_them() -> None:
    tree = {"a": jnp.zeros((3, 4)), "b": jax.ShapeDtypeStruct((5,), jnp.int8)}
    assert memory.tree_bytes(tree) == 4 * 12 + 5


def test_devices_of_a_cpu_share_the_memory_of_the_machine() -> None:
    one, four = memory.device_bytes(jax.devices()[:1]), memory.device_bytes(jax.devices()[:4])
    assert 4 * four <= one < 4 * (four + 1)


def test_a_replay_that_does_not_fit_is_refused_with_one_that_does() -> None:
    env = Bandit(4)
    chosen = jax.devices()[:2]
    whole = memory.device_bytes(chosen[:1])
    steps = int(0.9 * whole / memory.replay_bytes(env, 1))
    memory.require_room(env, steps, chosen, 1 / 2)
    with pytest.raises(ConfigError, match=r"--train.replay_size is .* of this machine; lower it to ([\d,]+)") as raised:
        memory.require_room(env, 2 * steps, chosen, 1 / 2)
    smaller = int(re.search(r"lower it to ([\d,]+)", str(raised.value)).group(1).replace(",", ""))
    memory.require_room(env, smaller, chosen, 1 / 2)


def test_the_peak_is_told_in_one_line() -> None:
    assert memory.describe().startswith("peak memory: ") and " GB on the host" in memory.describe()
