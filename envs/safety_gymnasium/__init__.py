"""The original Safety-Gymnasium. This imports nothing, because workers must do without JAX.

In reading order:

- `factory`: a batch of its environments for compiled code. `env`: one of them, in a worker.
- `compat`: what makes the package run on today's versions. `legacy_gymnasium`: what it imports from an older gymnasium.
- `fast_reset`, `fast_layout`, `fast_step`, `name_cache`: the same computations, faster.
"""
