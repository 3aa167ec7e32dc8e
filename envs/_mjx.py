"""Import MuJoCo's MJX, which Brax needs, without the lines it prints where NVIDIA's optional Warp is not installed.

Modules that import Brax import this first.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import mujoco.mjx  # noqa: F401  (for the side effects of the import)
