"""Steps per second of an environment whose robots drive: `python benchmarks/driven.py ID [--envs N] [--windows N]`.

Random actions leave most robots where they are. Here each turns to its goal, or in Push to its box, and drives
on, so that it touches what trained policies touch, and more. Windows of 50 steps tell how speed changes on the way.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cvpo_jax.profiling.timing import compiled
from envs import NavigationEnv, registry
from envs.base import State
from envs.navigation.world import World
from envs.vector import vectorize

STEPS = 50
WITHIN = 0.6  # rad off the target, up to which a robot drives on while it turns


def chase(env: NavigationEnv, world: World) -> jax.Array:
    """The action `[2]` of one robot towards the first box or goal."""
    boxes = world.objects.get("push_box", world.objects["goal"])
    forward, left = env.robot.ego_frame(world.robot, boxes[:1])[0, :2]
    # Car's front is its negative y axis.
    angle = jnp.arctan2(forward, -left) if env.robot.name == "Car" else jnp.arctan2(left, forward)
    turn, ahead = jnp.clip(2 * angle, -1, 1), jnp.where(jnp.abs(angle) < WITHIN, 1.0, 0.0)
    return jnp.stack([ahead - turn, ahead + turn]) if env.robot.name == "Car" else jnp.stack([ahead, turn])


def make_window(name: str, count: int) -> tuple[Callable[[jax.Array], State], Callable[..., tuple]]:
    """The reset of `count` environments, and a compiled function that makes STEPS steps of them."""
    one = registry.make(name)
    env = vectorize(one, count, staggered=True)

    def step(carry: tuple[State, jax.Array], _: None) -> tuple[tuple[State, jax.Array], None]:
        state, key = carry
        key, noise = jax.random.split(key)
        action = jax.vmap(lambda world: chase(one, world))(state.pipeline_state)
        state = env.step(state, action + 0.1 * jax.random.uniform(noise, action.shape, minval=-1, maxval=1))
        return (state, key), None

    return jax.jit(env.reset), jax.jit(lambda state, key: jax.lax.scan(step, (state, key), length=STEPS)[0])


def main() -> None:
    """Measure windows, one after the other, and print each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("id", help="of a navigation task")
    parser.add_argument("--envs", type=int, default=512, help="(%(default)s)")
    parser.add_argument("--windows", type=int, default=6, help="(%(default)s)")
    options = parser.parse_args()
    reset, window = make_window(options.id, options.envs)
    carry = jax.block_until_ready((reset(jax.random.PRNGKey(0)), jax.random.PRNGKey(1)))
    run = compiled(window, carry)
    print(f"compiled in {run.seconds:.1f} s")
    for _ in range(options.windows):
        begin = time.perf_counter()
        carry = jax.block_until_ready(run.call(*carry))
        print(f"{STEPS * options.envs / (time.perf_counter() - begin):,.0f} steps/s", flush=True)


if __name__ == "__main__":
    main()
