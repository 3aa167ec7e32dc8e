"""FSRL's CVPO at its navigation setting in PyTorch on one thread: `update`, or `training` at 0.2 updates per step."""

import sys
import time
import warnings
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from fsrl.agent import CVPOAgent
from fsrl.data import FastCollector
from gymnasium.envs.registration import EnvSpec
from safety_gymnasium_peer import load
from tianshou.data import Batch, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from window import serve

TASK = "SafetyPointButton1Gymnasium-v0"
OBSERVATION, ACTION, BATCH, ENVS = 76, 2, 256, 10


class Sizes(gymnasium.Env):
    """An environment with only the sizes of PointButton1; updates need no more."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATION,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTION,))
    spec = EnvSpec("Sizes-v0", max_episode_steps=1000)


def make_agent(env: gymnasium.Env) -> CVPOAgent:
    """An agent with FSRL's options for navigation tasks."""
    return CVPOAgent(env, cost_limit=25, thread=1, gamma=0.995, n_step=3, hidden_sizes=(128, 128), unbounded=True)


def random_buffer(steps: int = 20_000) -> VectorReplayBuffer:
    """Random transitions in episodes of 1000 steps."""
    random, buffer = np.random.default_rng(0), VectorReplayBuffer(2 * steps, ENVS)
    for step in range(steps // ENVS):
        end = np.full(ENVS, step % 1000 == 999)
        observation = random.normal(size=(2, ENVS, OBSERVATION)).astype(np.float32)
        row = Batch(
            obs=observation[0],
            act=random.uniform(-1, 1, (ENVS, ACTION)).astype(np.float32),
            rew=random.normal(size=ENVS),
            terminated=np.zeros(ENVS, bool),
            truncated=end,
            done=end,
            obs_next=observation[1],
            info=Batch(cost=random.uniform(size=ENVS)),
        )
        buffer.add(row, buffer_ids=np.arange(ENVS))
    return buffer


def updates(agent: CVPOAgent, buffer: VectorReplayBuffer, count: int) -> float:
    """Make `count` updates as FSRL's trainer does; returns `count`."""
    agent.policy.train()
    agent.policy.pre_update_fn()
    for _ in range(count):
        agent.policy.update(BATCH, buffer)
    agent.policy.post_update_fn()
    return float(count)


def training() -> Callable[[], float]:
    """A cycle of FSRL's trainer: an episode in each of ten environments, then 0.2 updates for each of their steps."""
    load()  # registers the task
    make = lambda: gymnasium.make(TASK)  # noqa: E731
    agent = make_agent(make())
    buffer = VectorReplayBuffer(200_000, ENVS)
    collector = FastCollector(agent.policy, DummyVectorEnv([make] * ENVS), buffer, exploration_noise=True)

    def work() -> float:
        agent.policy.train()
        begin = time.perf_counter()
        steps = collector.collect(n_episode=ENVS)["n/st"]
        collected = time.perf_counter() - begin
        count = max(1, steps // 50)
        begin = time.perf_counter()
        updates(agent, buffer, count)
        # A tenth of the cycle's updates is timed: all of them take minutes.
        whole = collected + 10 * (time.perf_counter() - begin)
        return steps * (time.perf_counter() - begin + collected) / whole

    return work


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if sys.argv[1] == "training":
        serve(training())
    else:
        agent, buffer = make_agent(Sizes()), random_buffer()
        serve(lambda: updates(agent, buffer, 20))
