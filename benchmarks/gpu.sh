#!/bin/sh
# Speeds on an accelerator, as JSON lines for results/: environment, collection, update and training for 1,024 to 65,536
# environments, then updates of a population of 64. The whole takes less than ten minutes: each experiment is stopped
# after its share. Usage: benchmarks/gpu.sh [FOLDER]; ENVS, POPULATION, SECONDS_EACH and EXTRA (options) make it smaller.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-results/gpu}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$folder"
for envs in ${ENVS:-1024 4096 16384 65536}; do
  # One update for 128 steps, as by default; the ring keeps 48 steps of each environment, an epoch is 32.
  timeout "${SECONDS_EACH:-110}" "$python" -m cvpo_jax.bench "${EXPERIMENT:-experiments/point_goal.py}" --json \
    --windows 3 --seconds 1 --env.num_envs "$envs" --train.warmup_steps "$((envs * 8))" \
    --train.epoch_steps "$((envs * 32))" --train.replay_size "$((envs * 48))" ${EXTRA:-} \
    > "$folder/envs_$envs.json" || { echo "$envs environments: no figures" >&2; rm -f "$folder/envs_$envs.json"; }
done
timeout "${SECONDS_EACH:-110}" "$python" benchmarks/population.py "${POPULATION:-64}" > "$folder/population.json" \
  || { echo "population: no figures" >&2; rm -f "$folder/population.json"; }
ls "$folder"
