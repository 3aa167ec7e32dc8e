"""Robots say what they sense."""

import jax.numpy as jnp
import numpy as np
import pytest

from envs.navigation.robots import ROBOTS, Car, Point, Robot


@pytest.mark.parametrize("robot", [Point(), Car()], ids=list(ROBOTS))
def test_readings_are_where_the_robot_says(robot: Robot) -> None:
    state = robot.initial(jnp.zeros(2), jnp.float32(np.pi / 2))
    readings = robot.sensors(state)
    assert readings.shape == (robot.sensor_size,)
    np.testing.assert_allclose(readings[robot.readings_of("accelerometer")], [0, 0, 9.81], rtol=1e-6)
    np.testing.assert_allclose(readings[robot.readings_of("magnetometer")], [-0.5, 0, 0], atol=1e-6)


def test_the_caster_of_a_car_has_readings_of_its_own() -> None:
    assert Car().readings_of("ballquat_rear") == slice(15, 24)
    assert Point().sensor_size == 12


@pytest.mark.parametrize("robot", [Point(), Car()], ids=list(ROBOTS))
def test_the_ego_frame_has_the_robot_at_its_origin(robot: Robot) -> None:
    state = robot.initial(jnp.array([1.0, 2.0]), jnp.float32(np.pi / 2))
    points = jnp.array([[1.0, 3.0], [0.0, 2.0]])
    np.testing.assert_allclose(robot.ego_frame(state, points), [[1, 0], [0, 1]], atol=1e-6)
