"""A port under Brax's own agents: their wrappers, their training loop."""

from typing import Any

import brax.envs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.training.agents.sac import train as sac

import envs


def replicate(tree: Any, devices: list[jax.Device]) -> Any:
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * len(devices)), tree)


@pytest.mark.slow
def test_brax_sac_trains_on_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    # Brax 0.14.2 calls this function of JAX's, which JAX 0.10 has dropped.
    monkeypatch.setattr(jax, "device_put_replicated", replicate, raising=False)
    env = brax.envs.get_environment("SafetyPointCircle1-v0")
    assert isinstance(env, envs.SafeEnv)
    seen: list[dict] = []
    make_policy, params, _ = sac.train(
        env,
        num_timesteps=384,
        episode_length=48,
        num_envs=8,
        batch_size=16,
        min_replay_size=64,
        max_replay_size=512,
        grad_updates_per_step=1,
        num_evals=2,
        num_eval_envs=4,
        max_devices_per_host=1,
        progress_fn=lambda _, metrics: seen.append(metrics),
    )
    assert len(seen) == 2 and seen[-1]["eval/avg_episode_length"] == 48
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params))
    action, _ = make_policy(params, deterministic=True)(np.zeros(env.observation_size), jax.random.PRNGKey(0))
    assert action.shape == (env.action_size,)
