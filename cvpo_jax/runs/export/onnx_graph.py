"""A policy as an ONNX graph: normalization, then Gemm and Relu for each layer, tanh and the action bounds."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvpo_jax.runs.export.policy_arrays import PolicyArrays

OPSET = 17
IR_VERSION = 8
"""Both of 2022, so that runtimes of robots that are seldom updated read the file."""


def to_onnx(policy: PolicyArrays, properties: Mapping[str, str]) -> bytes:
    """The model from `observation` `[batch, O]` to `action` `[batch, A]`, with `properties` as its metadata."""
    arrays = {
        "observation_mean": policy.observation_mean,
        "observation_std": policy.observation_std,
        "clip_low": np.float32(-policy.observation_clip),
        "clip_high": np.float32(policy.observation_clip),
        "action_center": policy.action_center,
        "action_half": policy.action_half,
        "action_low": policy.action_low,
        "action_high": policy.action_high,
    }
    steps = [("Sub", "observation_mean"), ("Div", "observation_std"), ("Clip", "clip_low", "clip_high")]
    for index, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        arrays |= {f"kernel_{index}": kernel, f"bias_{index}": bias}
        steps += [*([("Relu",)] if index else []), ("Gemm", f"kernel_{index}", f"bias_{index}")]
    steps += [
        ("Tanh",),
        ("Mul", "action_half"),
        ("Add", "action_center"),
        ("Max", "action_low"),
        ("Min", "action_high"),
    ]
    names = ["observation", *(f"value_{index}" for index in range(1, len(steps))), "action"]
    nodes = [
        helper.make_node(operator, [given, *others], [result])
        for (operator, *others), given, result in zip(steps, names, names[1:], strict=False)
    ]
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["batch", policy.observation_size])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["batch", policy.action_low.size])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
