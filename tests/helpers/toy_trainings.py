"""What trainings on toys share, whose programs take longer to trace and to compile than to run."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from toy import Brittle

from cvpo_jax.training import population, trainer

MADE: dict = {}


def use_toys(patch: pytest.MonkeyPatch) -> None:
    """Train on `Brittle`, all populations of equal shape and size by one trainer."""
    patch.setattr(trainer, "make_env", lambda config, num_envs, **_: Brittle(num_envs))
    patch.setattr(population, "build", shared(population.build))


def shared(build: Callable) -> Callable:
    """`population.build`, which makes the trainers of equal programs once."""

    def build_once(configs, chosen):
        complete = [config.validate().complete() for config in configs]
        config = replace(complete[0], train=replace(complete[0].train, devices=1))
        # What follows from the number of steps was filled in: the number itself is in no program.
        shape = population.shape(replace(config, train=replace(config.train, steps=0)))
        key = shape, -(-len(configs) // len(chosen)), tuple(chosen)
        if key not in MADE:
            MADE[key] = build(configs, chosen)
        return replace(MADE[key], config=config, schedule=config.schedule(), trials=tuple(complete))

    return build_once
