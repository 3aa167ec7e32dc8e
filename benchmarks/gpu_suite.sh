#!/bin/sh
# Throughput and trainings on a GPU, stored as results/ stores them: steps per second of the environment, of collection
# and of training for 1,024 to 65,536 environments; updates of a population of 64; twelve seeds at each of three limits,
# trained to their end. It takes less than ten minutes on an H200: each part is stopped after its share of them.
# Usage: benchmarks/gpu_suite.sh [FOLDER]; ENVS, POPULATION, SEEDS and EXPERIMENT make it smaller or different.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-results}
python=${PYTHON:-.venv/bin/python}
experiment=${EXPERIMENT:-experiments/point_goal.py}
training=$folder/training/$(basename "$experiment" .py)
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$folder/speed" "$training"
timeout 240 "$python" benchmarks/gpu_throughput.py "$experiment" --envs "${ENVS:-1024,8192,65536}" \
  > "$folder/speed/gpu_throughput.jsonl" || echo "throughput: not finished" >&2
timeout 90 "$python" benchmarks/population_updates.py "${POPULATION:-64}" > "$folder/speed/population_updates.json" \
  || echo "population: not finished" >&2
timeout 270 "$python" benchmarks/many_seeds.py "$experiment" "$training" --seeds "${SEEDS:-12}" --limits 10,25,50 \
  || echo "seeds: not finished" >&2
ls "$folder/speed" "$training"
