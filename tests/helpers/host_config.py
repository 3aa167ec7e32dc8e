"""A training on host environments that takes seconds."""

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig

CONFIG = Config(
    env=EnvConfig(backend="gymnasium", num_envs=4),
    algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, cost_limit=2.0),
    train=TrainConfig(steps=300, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=400, devices=1),
    eval=EvalConfig(episodes=3, every=1),
)
