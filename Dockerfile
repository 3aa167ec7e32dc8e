# Trains in a container. It was written where no Docker daemon ran, and has not been built yet.
#
#     docker build -t cvpo .                                     # for CPUs
#     docker build -t cvpo --build-arg EXTRAS='[cuda]' .         # for NVIDIA GPUs; docker run needs --gpus all
#     docker run -v "$PWD:/home/cvpo" cvpo init                  # example experiments, in this folder
#     docker run -v "$PWD:/home/cvpo" cvpo run experiments/point_goal.py
ARG PYTHON=3.11
FROM python:${PYTHON}-slim
ARG EXTRAS=""

# What MuJoCo draws with where there is no display, and what writes films.
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg libegl1 libgl1-mesa-dri && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml setup.py README.md LICENSE /home/source/
COPY cvpo_jax /home/source/cvpo_jax
COPY envs /home/source/envs
COPY experiments /home/source/experiments
RUN pip install --no-cache-dir "/home/source${EXTRAS}" && rm -r /home/source

WORKDIR /home/cvpo
ENTRYPOINT ["cvpo"]
CMD ["--help"]
