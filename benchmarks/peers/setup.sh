#!/bin/sh
# Make a virtual environment for the peers, separate from ours: benchmarks/peers/.venvs/peers. Needs Python 3.11.
set -eu
cd "$(dirname "$0")"
python=.venvs/peers/bin/python
[ -x "$python" ] || "${PYTHON:-python3}" -m venv .venvs/peers
# --no-deps: each pins versions that the other, or Python 3.11, cannot use; requirements.txt names the dependencies.
"$python" -m pip install --quiet -r requirements.txt
"$python" -m pip install --quiet --no-deps fast-safe-rl==0.1.0 tianshou==0.5.0 safety-gymnasium==1.0.0 \
  gymnasium-robotics==1.2.2
