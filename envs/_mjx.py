"""Import MuJoCo's MJX, which Brax needs, without the lines it prints where NVIDIA's optional warp is not installed.

To be imported before Brax.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import mujoco.mjx  # noqa: F401  (for what importing it does)
