"""Quaternions (w, x, y, z) and rotation matrices; further axes of all arrays come behind those named."""

import jax
import jax.numpy as jnp

from envs.physics.linalg import add_up, cross, dot


def from_yaw(yaw: jax.Array) -> jax.Array:
    """The unit quaternions `[..., 4]` (components last) of rotations by `yaw` `[...]` (rad) about z."""
    zero = jnp.zeros_like(yaw)
    return jnp.stack([jnp.cos(yaw / 2), zero, zero, jnp.sin(yaw / 2)], axis=-1)


def multiply(left: jax.Array, right: jax.Array) -> jax.Array:
    """The product of two quaternions `[4, ...]`."""
    scalar = left[0] * right[0] - dot(left[1:], right[1:])
    vector = left[0] * right[1:] + right[0] * left[1:] + cross(left[1:], right[1:])
    return jnp.concatenate([scalar[None], vector])


def conjugate(quaternion: jax.Array) -> jax.Array:
    """The inverse of a unit quaternion `[4, ...]`."""
    return jnp.concatenate([quaternion[:1], -quaternion[1:]])


def matrix(quaternion: jax.Array) -> jax.Array:
    """The rotation matrix `[3, 3, ...]` of a unit quaternion `[4, ...]`; its columns are the body's axes."""
    w, x, y, z = quaternion
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.stack([entry for row in rows for entry in row]).reshape(3, 3, *w.shape)


def advance(quaternion: jax.Array, angular: jax.Array, timestep: float) -> jax.Array:
    """`quaternion` `[4, ...]` rotated for `timestep` (s) at `angular` `[3, ...]` (rad/s) in the body's own frame."""
    speed = jnp.sqrt(dot(angular, angular))
    half = 0.5 * timestep * speed
    factor = jnp.where(half > 0, jnp.sin(half) / jnp.where(half > 0, speed, 1), 0.0)
    turned = multiply(quaternion, jnp.concatenate([jnp.cos(half)[None], factor * angular]))
    return turned / jnp.sqrt(add_up(jnp.square(turned)))
