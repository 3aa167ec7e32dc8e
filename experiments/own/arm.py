"""A robot of one's own from an MJCF file, simulated by MJX inside the compiled loop: reach past a forbidden zone.

python -m cvpo_jax.run experiments/own/arm.py
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import mujoco
from mujoco import mjx

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig
from envs.base import Env, State

SUBSTEPS = 4  # of 10 ms for each action
ZONE = (0.25, 0.0)  # m, center of the forbidden zone, as in the MJCF file
RADIUS = 0.08  # m


class Arm(Env):
    """Two links and a fingertip; the target lies on the other side of the zone from where the arm begins."""

    episode_length = 100

    def __init__(self) -> None:
        self.mj_model = mujoco.MjModel.from_xml_path(str(Path(__file__).with_name("arm.xml")))
        self.model = mjx.put_model(self.mj_model)

    def reset(self, rng: jax.Array) -> State:
        """Begin below the zone, with a target above it."""
        keys = jax.random.split(rng, 2)
        side = jnp.array([-0.9, 0.6]) + 0.1 * jax.random.normal(keys[0], (2,))
        angle, reach = jax.random.uniform(keys[1], (2,), minval=jnp.array([0.5, 0.25]), maxval=jnp.array([1.1, 0.35]))
        target = reach * jnp.array([jnp.cos(angle), jnp.sin(angle)])
        seen = jnp.append(target, 0.0)[None]  # where pictures show it
        data = mjx.make_data(self.model).replace(qpos=side, mocap_pos=seen)
        data = mjx.forward(self.model, data)
        zero = jnp.zeros(())
        return State(data, self._observe(data, target), zero, zero, {}, {"target": target, "cost": zero})

    def step(self, state: State, action: jax.Array) -> State:
        """Apply torques; being close to the target pays, being in the zone costs."""
        data = state.pipeline_state.replace(ctrl=jnp.clip(action, -1, 1))
        data = jax.lax.fori_loop(0, SUBSTEPS, lambda _, data: mjx.step(self.model, data), data)
        target = state.info["target"]
        tip = data.site_xpos[0, :2]
        distance = jnp.linalg.norm(tip - target)
        reward = 1 - jnp.tanh(5 * distance) - 0.01 * jnp.sum(action**2)
        cost = (jnp.linalg.norm(tip - jnp.array(ZONE)) < RADIUS).astype(jnp.float32)
        return state.replace(
            pipeline_state=data,
            obs=self._observe(data, target),
            reward=reward,
            info=state.info | {"cost": cost},
        )

    def _observe(self, data: mjx.Data, target: jax.Array) -> jax.Array:
        tip = data.site_xpos[0, :2]
        return jnp.concatenate([jnp.cos(data.qpos), jnp.sin(data.qpos), data.qvel, tip, target - tip])

    @property
    def observation_size(self) -> int:
        """Sines, cosines and rates of two joints, fingertip and way to the target."""
        return 10

    @property
    def action_size(self) -> int:
        """Two motors."""
        return self.mj_model.nu

    @property
    def backend(self) -> str:
        """MJX."""
        return "mjx"


def get_config() -> Config:
    """An update every 128 steps of 128 arms."""
    return Config(
        env=EnvConfig(id="arm:Arm", num_envs=128),
        algo=AlgoConfig(cost_limit=2.0, gamma=0.97),
        train=TrainConfig(steps=1_500_000, updates_per_step=1 / 128),
        eval=EvalConfig(episodes=50, every=1),
    )
