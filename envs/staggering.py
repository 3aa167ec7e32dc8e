"""First episodes of different lengths, which spread environments side by side over the phases of an episode.

Episodes of one length that begin together are all at the same phase for good: what a few steps cost then says little
about a whole episode.
"""

import numpy as np

_ORDER = (16, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)  # any first few lie far apart
PHASES = len(_ORDER)
"""Staggered episodes end at this many different steps."""


def first_lengths(num_envs: int, episode_length: int) -> np.ndarray:
    """Steps `[num_envs]` (int32) after which the first episode of each environment is cut; episodes then are whole."""
    return -(-np.resize(np.array(_ORDER, np.int32), num_envs) * episode_length // PHASES)
