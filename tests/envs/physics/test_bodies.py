"""Movable bodies on their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs import physics
from envs.navigation.robots import Point
from envs.navigation.scene import scene_of
from envs.physics.engine import carried

TIMESTEP, LAG = 0.002, 0.09


@pytest.mark.parametrize("travel", [0.35, 0.3])
def test_a_gremlin_trails_its_circle(travel: float) -> None:
    options = {} if travel == 0.35 else {"gremlin_travel": travel}
    scene = scene_of(envs.make("SafetyPointButton1-v0", **options).task, Point())
    home = jnp.array([0.5, -0.2])
    body = jax.tree.map(lambda leaf: leaf[0], physics.at_rest(scene.body, home[None], jnp.array([1.0])))
    steps = 1000
    body = jax.jit(lambda body: carried(scene, body, jnp.float32(0), TIMESTEP, steps))(body)
    # It trails its target by .09 s within 1.1 mm and hovers at .2 m (measured on the original).
    moment = steps * TIMESTEP - LAG
    circle = travel * np.array([np.sin(moment), np.cos(moment)])
    np.testing.assert_allclose(body.position[:2] - home, circle, atol=2e-3)
    assert float(body.position[2]) == pytest.approx(0.2, abs=2e-3)
