"""A trained policy as files that run without the trainer.

In reading order:

- `policy_arrays`: the policy's mean, with observation statistics and action bounds, as plain arrays.
- `action_bounds`: the units of its actions.
- `files`: those arrays as an npz, as StableHLO and as ONNX (`onnx_graph`), each checked against the policy.
- `numpy_policy`: the code that is written beside an npz, which runs it.
- `model_card`: what it was trained for, and what it was measured to do.
"""
