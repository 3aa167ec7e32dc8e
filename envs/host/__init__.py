"""Environments in worker processes. This imports nothing, because workers must do without JAX.

In reading order:

- `protocol`: what one environment on the host is. `worker`: the process that steps some of them.
- `shared_memory`: the arrays in which workers leave their results.
- `process`, `pool`: the workers as seen from outside, replaced when they die or hang.
- `vector`: a pool as a `VectorEnv` for compiled code, the only module here that imports JAX.
"""
