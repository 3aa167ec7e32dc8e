"""Many trials.

- `trials`: which there are, how far each has come, which can be trained together.
- `runner`: the plan of a sweep and carrying it out.
- `search`: which trials to train next, by Optuna.
"""
