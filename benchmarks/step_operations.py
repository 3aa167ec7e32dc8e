"""Operations and bytes of an environment step: `python benchmarks/step_operations.py [ID …] [--envs N]`.

Counted in the traced program, before XLA simplifies it: a multiplication, addition, comparison, square root and so on
is one operation for each number it produces, a matrix product two for each pair of numbers it multiplies. Loops of a
fixed length count as often as they run, all others once; of a conditional the more expensive branch counts. Resets are
left out. Bytes are those of the environments' state, read and written once, and of the action.
"""

import argparse
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

import envs

TASKS = ("SafetyPointCircle1-v0", "SafetyPointGoal1-v0", "SafetyPointButton1-v0", "SafetyCarButton1-v0")
# Primitives that move numbers without computing any.
FREE = {
    *("broadcast_in_dim", "reshape", "squeeze", "transpose", "slice", "concatenate", "pad", "copy", "iota", "gather"),
    *("dynamic_slice", "dynamic_update_slice", "convert_element_type", "scatter", "stop_gradient", "split", "rev"),
}


def operations(jaxpr: core.Jaxpr) -> float:
    """Operations of a traced program, including those of the programs inside it."""
    return sum(_of(equation) for equation in jaxpr.eqns)


def _of(equation: core.JaxprEqn) -> float:
    """Operations of one equation."""
    name, inner = equation.primitive.name, [operations(jaxpr) for jaxpr in _inside(equation.params)]
    if name == "cond":
        return max(inner)
    if inner:
        return sum(inner) * equation.params.get("length", 1)
    if name in FREE:
        return 0.0
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = _shape(equation.invars[0])
        return 2.0 * _size(equation.outvars[0]) * math.prod(shape[axis] for axis in contracted)
    if name.startswith(("reduce", "cum", "arg", "sort", "random", "threefry")):
        return float(sum(map(_size, equation.invars)))
    return float(sum(map(_size, equation.outvars)))


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _size(variable: Any) -> int:
    """How many numbers a variable or literal of a traced program holds."""
    return math.prod(_shape(variable))


def _inside(parameters: dict[str, Any]) -> Iterator[core.Jaxpr]:
    """The programs among the parameters of an equation."""
    for value in parameters.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, core.ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, core.Jaxpr):
                yield part


def count(task_id: str, num_envs: int) -> tuple[float, float]:
    """Operations and bytes of a step of one environment, averaged over `num_envs`."""
    env = envs.make(task_id)
    vector = envs.vectorize(env, num_envs)
    state = jax.eval_shape(vector.reset, jax.random.PRNGKey(0))
    action = jax.ShapeDtypeStruct((num_envs, env.action_size), jnp.float32)
    made = operations(jax.make_jaxpr(jax.vmap(env.step))(state, action).jaxpr)
    moved = 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    return made / num_envs, (moved + action.size * 4) / num_envs


def main() -> None:
    """Count the operations of each task and print them as a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("ids", nargs="*", default=TASKS, metavar="ID")
    parser.add_argument("--envs", type=int, default=1024)
    options = parser.parse_args()
    print("| task | operations per step | bytes per step | operations per byte |")
    print("|---|---|---|---|")
    for task_id in options.ids:
        made, moved = count(task_id, options.envs)
        print(f"| {task_id} | {made:,.0f} | {moved:,.0f} | {made / moved:.0f} |")


if __name__ == "__main__":
    main()
