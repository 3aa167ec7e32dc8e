#!/bin/sh
# A virtual environment of the peers' own, apart from ours: benchmarks/peers/.venvs/peers. Needs Python 3.11.
set -eu
cd "$(dirname "$0")"
python=.venvs/peers/bin/python
[ -x "$python" ] || "${PYTHON:-python3}" -m venv .venvs/peers
# Each pins versions of what the other needs, or that Python 3.11 has no wheels of: --no-deps for these, the rest named.
"$python" -m pip install --quiet -r requirements.txt
"$python" -m pip install --quiet --no-deps fast-safe-rl==0.1.0 tianshou==0.5.0 safety-gymnasium==1.0.0 \
  gymnasium-robotics==1.2.2
