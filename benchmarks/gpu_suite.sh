#!/bin/sh
# Speeds and trainings on a GPU, as JSON for results/: steps a second of the environment, of collection and of training
# for 1,024 to 65,536 environments; updates of a population of 64; twelve seeds at each of three limits, trained to
# their end. Less than ten minutes on an H200: each part is stopped after its share.
# Usage: benchmarks/gpu.sh [FOLDER]; ENVS, POPULATION, SEEDS and EXPERIMENT make it smaller or another.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-results/gpu}
python=${PYTHON:-.venv/bin/python}
experiment=${EXPERIMENT:-experiments/point_goal.py}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$folder"
timeout 240 "$python" benchmarks/gpu_speeds.py "$experiment" --envs "${ENVS:-1024,8192,65536}" \
  > "$folder/speeds.jsonl" || echo "speeds: not finished" >&2
timeout 90 "$python" benchmarks/population.py "${POPULATION:-64}" > "$folder/population.json" \
  || echo "population: not finished" >&2
timeout 270 "$python" benchmarks/seeds.py "$experiment" "$folder/seeds" --seeds "${SEEDS:-12}" --limits 10,25,50 \
  || echo "seeds: not finished" >&2
ls "$folder"
