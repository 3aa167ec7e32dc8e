"""A training on host environments that takes seconds."""

from dataclasses import replace

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig

CONFIG = Config(
    env=EnvConfig(backend="gymnasium", num_envs=4),
    # Plain critics compile sooner. The toy misbehaves at certain actions, which a policy may also come upon by chance.
    algo=AlgoConfig(
        hidden=(8,),
        batch_size=16,
        samples=4,
        cost_limit=2.0,
        quantiles=1,
        layer_norm=False,
        kl_estep=0.1,
        kl_mean=0.02,
        recent_steps=200_000,
    ),
    train=TrainConfig(steps=300, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=400, devices=1),
    eval=EvalConfig(episodes=3, every=1),
)

SOON = replace(CONFIG, algo=replace(CONFIG.algo, name="sac_lag", samples=AlgoConfig.samples))
"""By SAC-Lagrangian, which compiles sooner: for what does not depend on the algorithm."""
