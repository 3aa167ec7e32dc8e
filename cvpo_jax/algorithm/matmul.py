"""Matrix products of the networks' hidden layers, of float32 numbers as they are or rounded to bfloat16 first.

Processors that multiply bfloat16 in hardware (AMX or AVX512-BF16 on CPUs, tensor cores on GPUs) do so two to four times
as fast. Sums, parameters and everything between the products stay float32.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from cvpo_jax.config import ConfigError
from cvpo_jax.config.algo import Precision

Product = Callable[[jax.Array, jax.Array], jax.Array]


def product_of(precision: Precision) -> Product:
    """The product of `[..., n]` and `[n, m]`, differentiable."""
    return _rounded if precision == "bfloat16" else jnp.matmul


def dense_product(precision: Precision) -> Callable[..., jax.Array] | None:
    """What `flax.linen.Dense` takes as `dot_general`."""
    if precision == "float32":
        return None

    def dot_general(inputs: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
        return _rounded(inputs, kernel)

    return dot_general


def require(precision: Precision) -> None:
    """Raise ConfigError where this machine has no such products: XLA says so when they run, not when they compile."""
    if precision == "float32":
        return
    inputs, kernels = jnp.ones((8, 4)), jnp.ones((2, 4, 8))
    try:
        gradient = jax.grad(lambda kernels: jax.vmap(_rounded, (None, 0))(inputs, kernels).sum())
        jax.block_until_ready(jax.jit(gradient)(kernels))
    except jax.errors.JaxRuntimeError as error:
        raise ConfigError(
            f"--algo.matmul_dtype is {precision}: this {jax.default_backend()} cannot multiply these; use float32"
        ) from error


@jax.custom_vjp
def _rounded(left: jax.Array, right: jax.Array) -> jax.Array:
    return _forward(left, right)[0]


def _forward(left: jax.Array, right: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    left, right = _round(left), _round(right)
    return _multiply(left, right, (left.ndim - 1,), (0,)), (left, right)


def _backward(factors: tuple[jax.Array, jax.Array], change: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients are products too, rounded alike."""
    (left, right), change = factors, _round(change)
    rows = tuple(range(left.ndim - 1))
    # The other way round, XLA for CPUs has no product of the same inputs with the changes of several networks.
    return _multiply(change, right, (change.ndim - 1,), (1,)), _multiply(change, left, rows, rows).T


def _multiply(left: jax.Array, right: jax.Array, of_left: tuple[int, ...], of_right: tuple[int, ...]) -> jax.Array:
    return lax.dot_general(left, right, ((of_left, of_right), ((), ())), preferred_element_type=jnp.float32)


def _round(array: jax.Array) -> jax.Array:
    return array.astype(jnp.bfloat16)


_rounded.defvjp(_forward, _backward)
