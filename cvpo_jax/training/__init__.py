"""From a configuration to a trained run.

- `train`: the loop on the host: warm-up, epochs, evaluations, checkpoints.
- `trainer`: what is compiled for one experiment, placed on devices.
- `population`: the same for many trials at once.
- `epoch`: the compiled loop itself: steps of all environments, then updates.
- `timer`: seconds trained and rates; `reshard`: going on with another number of devices.
"""
