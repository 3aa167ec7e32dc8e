"""`python -m envs.parity`: the command of `envs.parity.compare`."""

import sys

from envs.parity.compare import main

sys.exit(main())
