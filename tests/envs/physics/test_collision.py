"""Contacts of shapes: known distances, and box pairs as MuJoCo 2.3.3 listed them."""

import jax
import jax.numpy as jnp
import numpy as np
from paths import DATA

from envs.physics import collision, quaternion
from envs.physics.collision_boxes import box_box
from envs.physics.contact import Box, frame_from_normal, impedance


def upright(position: tuple[float, float, float], half: float) -> Box:
    return Box(jnp.array(position), jnp.eye(3), jnp.full(3, half))


def real(contacts) -> np.ndarray:
    """Rows (distance, position, normal) of the contacts that count."""
    rows = np.column_stack([contacts.distance, contacts.position, contacts.normal])
    return rows[rows[:, 0] <= 0]


def test_spheres_touch_halfway():
    contact = collision.sphere_sphere(jnp.zeros(3), jnp.array(0.1), jnp.array([0.0, 0.15, 0.0]), jnp.array(0.1))
    np.testing.assert_allclose(real(contact), [[-0.05, 0, 0.075, 0, 0, 1, 0]], atol=1e-7)


def test_sphere_outside_and_inside_a_box():
    box = upright((0.0, 0.0, 0.0), 0.1)
    outside = collision.sphere_box(jnp.array([0.18, 0.0, 0.02]), jnp.array(0.1), box)
    np.testing.assert_allclose(real(outside), [[-0.02, 0.09, 0, 0.02, -1, 0, 0]], atol=1e-6)
    apart = collision.sphere_box(jnp.array([0.18, 0.18, 0.0]), jnp.array(0.1), box)
    np.testing.assert_allclose(apart.distance, [np.hypot(0.08, 0.08) - 0.1], atol=1e-6)
    assert len(real(apart)) == 0


def test_a_box_stands_on_its_four_lower_corners():
    rows = real(collision.floor_box(upright((1.0, 2.0, 0.0999), 0.1)))
    assert rows.shape[0] == 4
    np.testing.assert_allclose(rows[:, 0], -1e-4, atol=1e-7)
    np.testing.assert_allclose(np.sort(rows[:, 1]), [0.9, 0.9, 1.1, 1.1], atol=1e-6)


def test_a_wheel_rolls_on_two_points_of_its_rims():
    contacts = collision.floor_wheel(jnp.array([0.0, 0.0, 0.0495]), jnp.array([1.0, 0.0, 0.0]), 0.05, 0.025)
    np.testing.assert_allclose(contacts.distance, -5e-4, atol=1e-7)
    np.testing.assert_allclose(np.abs(contacts.position[:, 0]), 0.025, atol=1e-7)


def test_a_wheel_meets_a_sphere_at_its_rim():
    hub, size = jnp.zeros(3), jnp.array([0.05, 0.025])
    beside = collision.wheel_sphere(hub, jnp.eye(3), size, jnp.array([0.0, 0.14, 0.0]), jnp.array(0.1))
    np.testing.assert_allclose(real(beside), [[-0.01, 0, 0.045, 0, 0, 1, 0]], atol=1e-6)


def test_a_wheel_meets_a_box_beside_it_and_one_hovering_over_it():
    hub, size = jnp.zeros(3), jnp.array([0.05, 0.025])
    beside = collision.wheel_box(hub, jnp.eye(3), size, upright((0.12, 0.0, 0.0), 0.1))
    np.testing.assert_allclose(real(beside)[:, [0, 1, 4]], [[-0.005, 0.0225, 1.0]], atol=1e-6)
    over = collision.wheel_box(hub, jnp.eye(3), size, upright((0.02, 0.03, 0.149), 0.1))
    np.testing.assert_allclose(real(over), [[-0.001, 0, 0, 0.0495, 0, 0, 1]], atol=1e-6)
    assert len(real(collision.wheel_box(hub, jnp.eye(3), size, upright((0.02, 0.03, 0.151), 0.1)))) == 0


def test_frames_are_right_handed():
    normals = jax.random.normal(jax.random.PRNGKey(0), (50, 3))
    normals = normals / jnp.linalg.norm(normals, axis=1, keepdims=True)
    frames = np.asarray(jax.vmap(frame_from_normal)(normals))
    np.testing.assert_allclose(frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(frames), 1, atol=1e-5)


def test_impedance_rises_from_nine_tenths():
    np.testing.assert_allclose(impedance(jnp.array([0.0, -5e-4, 1e-3, 1.0])), [0.9, 0.925, 0.95, 0.95], rtol=1e-6)


def test_box_pairs_as_recorded():
    with np.load(DATA / "parity" / "box_box.npz") as file:
        pose, recorded = file["pose"], file["contacts"]

    def pair(pose: jax.Array):
        first = Box(pose[:3], quaternion.matrix(pose[3:7]).T, jnp.full(3, 0.05))
        second = Box(pose[7:10], quaternion.matrix(pose[10:14]).T, jnp.full(3, 0.1))
        return box_box(first, second)

    with jax.enable_x64(True):
        found = jax.jit(jax.vmap(pair))(jnp.asarray(pose))
    for index, rows in enumerate(recorded):
        expected = rows[~np.isnan(rows[:, 0])]
        got = real(jax.tree.map(lambda leaf, index=index: np.asarray(leaf[index]), found))
        assert len(got) == len(expected)
        gap = np.abs(got[:, None] - expected).max(axis=-1)
        assert max(gap.min(axis=0).max(), gap.min(axis=1).max()) < 1e-12
