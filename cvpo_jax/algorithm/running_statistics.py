"""Running statistics of observations, and 64-bit counters, from Brax's training code.

Of Brax only that code is maintained; this is the one module of the package that imports it.
"""

import envs._mjx  # noqa: F401  (first: it keeps the import of Brax quiet)

# isort: split
from brax.training.acme.running_statistics import RunningStatisticsState, init_state, normalize, update
from brax.training.types import UInt64

__all__ = ["RunningStatisticsState", "UInt64", "init_state", "normalize", "update"]
