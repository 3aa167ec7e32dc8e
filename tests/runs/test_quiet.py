"""What the libraries of checkpoints say besides, which is kept from the terminal."""

import subprocess
import sys

SAID = """
import warnings
from cvpo_jax.runs.quiet import quiet_checkpoints

async def create_paths():
    pass

quiet_checkpoints()
create_paths()
warnings.warn("worth reading", RuntimeWarning)
"""


def test_work_that_was_given_up_is_not_mentioned_and_other_warnings_are():
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, check=True)
    assert "worth reading" in done.stderr
    assert "never awaited" not in done.stderr
