"""A policy in a file: what is written for each format, and a check that it acts as the policy does.

Notation: B observations of size O, A action dimensions.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from cvpo_jax.config import ConfigError
from cvpo_jax.runs.export.policy_arrays import PolicyArrays

Format = Literal["npz", "stablehlo", "onnx"]
Act = Callable[[np.ndarray], np.ndarray]
PLATFORMS = ("cpu", "cuda", "tpu")
RUNNER = Path(__file__).with_name("numpy_policy.py")


def require_packages(kind: Format) -> None:
    """Raise ConfigError where the package that writes the format is not installed."""
    try:
        if kind == "onnx":
            import onnx  # noqa: F401
        elif kind == "stablehlo":
            import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"--format is {kind}: it needs the package {error.name}, which the extra `export` brings: "
            f"pip install {error.name}"
        ) from error


def encode(policy: PolicyArrays, kind: Format, properties: dict[str, str]) -> bytes:
    """The content of the file; `properties` go into formats that have a place for them."""
    if kind == "npz":
        return _to_npz(policy)
    if kind == "stablehlo":
        return _to_stablehlo(policy)
    from cvpo_jax.runs.export.onnx_graph import to_onnx

    return to_onnx(policy, properties)


def decode(content: bytes, kind: Format) -> Act:
    """What the file does: a function from observations `[B, O]` to actions `[B, A]`."""
    if kind == "npz":
        from cvpo_jax.runs.export.numpy_policy import Policy

        return Policy(io.BytesIO(content))
    if kind == "stablehlo":
        from jax import export

        exported = export.deserialize(bytearray(content))
        return lambda observations: np.asarray(exported.call(observations))
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(content)
    return lambda observations: session.run(None, {"observation": observations})[0]


class Difference(NamedTuple):
    """How far a file's actions are from those of the policy."""

    largest: float
    """Of actions in [-1, 1]."""
    of_rounding: float
    """Relative to what float32 may make at each observation: beyond 1 the file is another policy."""


def difference(act: Act, policy: Callable[[jax.Array], jax.Array], arrays: PolicyArrays, count: int) -> Difference:
    """The largest differences between `act` and `policy`, whose actions lie in [-1, 1], in units of the latter.

    On `count` random observations, of the spread that was met in training and beyond, where they are clipped.
    """
    random = np.random.default_rng(0)
    spread = random.normal(size=(count, arrays.observation_size)) * random.choice([1.0, 3.0, 30.0], size=(count, 1))
    observations = (arrays.observation_mean + arrays.observation_std * spread).astype(np.float32)
    wanted = arrays.action_center + arrays.action_half * np.asarray(policy(observations))
    apart = np.abs(act(observations) - wanted)
    unit = np.where(arrays.action_half > 0, arrays.action_half, 1)
    return Difference(float(np.max(apart / unit)), float(np.max(apart / arrays.rounding(observations))))


def _to_npz(policy: PolicyArrays) -> bytes:
    layers = {f"kernel_{index}": kernel for index, kernel in enumerate(policy.kernels)}
    layers |= {f"bias_{index}": bias for index, bias in enumerate(policy.biases)}
    file = io.BytesIO()
    np.savez(
        file,
        observation_mean=policy.observation_mean,
        observation_std=policy.observation_std,
        observation_clip=np.float32(policy.observation_clip),
        action_low=policy.action_low,
        action_high=policy.action_high,
        **layers,  # type: ignore[arg-type]
    )
    return file.getvalue()


def from_npz(content: Mapping[str, np.ndarray]) -> PolicyArrays:
    """The arrays of an npz file; raises KeyError where it is none of ours."""
    layers = range(sum(name.startswith("kernel_") for name in content))
    return PolicyArrays(
        observation_mean=content["observation_mean"],
        observation_std=content["observation_std"],
        observation_clip=float(content["observation_clip"]),
        kernels=tuple(content[f"kernel_{index}"] for index in layers),
        biases=tuple(content[f"bias_{index}"] for index in layers),
        action_low=content["action_low"],
        action_high=content["action_high"],
    )


def _to_stablehlo(policy: PolicyArrays) -> bytes:
    """As `jax.export` serializes a function of any number of observations, for every platform."""
    from jax import export

    (batch,) = export.symbolic_shape("batch")
    shape = jax.ShapeDtypeStruct((batch, policy.observation_size), np.float32)
    return bytes(export.export(jax.jit(policy.act), platforms=PLATFORMS)(shape).serialize())
