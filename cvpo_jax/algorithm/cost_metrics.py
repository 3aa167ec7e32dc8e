"""What an update says of the limit, for each constraint, whichever algorithm made it.

Notation: C constraints.
"""

import jax

from cvpo_jax.algorithm.state import Metrics, TrainState
from cvpo_jax.algorithm.threshold import episodic_cost
from cvpo_jax.config.names import metric_name


def cost_metrics(state: TrainState, mean_cost: jax.Array, lam: jax.Array, spread: jax.Array) -> Metrics:
    """Predicted and measured cost, the controller, and the multiplier; `mean_cost` and the others are `[C]`.

    `mean_cost` and `lam` are in the units of the critics, `spread` that of cost relative to that of reward.
    """
    controller, time_limit = state.controller, state.static.episode_length
    raw_cost = mean_cost / state.cost_scale
    return by_constraint(
        state,
        {
            "estep/lam": lam * state.cost_scale / state.reward_scale,
            "estep/lam_normalized": lam * spread,
            "cost/predicted": episodic_cost(raw_cost, state.hyperparameters.gamma, time_limit, controller.slow),
            "cost/measured": controller.fast.episode_cost(time_limit),
            "cost/deployed": controller.deployed.episode_cost(time_limit),
            "cost/pressure": state.limit_controller.pressure(controller),
            "cost/reference": controller.reference,
            "cost/integral": controller.integral,
        },
    )


def by_constraint(state: TrainState, values: Metrics) -> Metrics:
    """Values `[C]` as one metric for each constraint."""
    count = state.static.num_constraints
    return {metric_name(name, index, count): value[index] for index in range(count) for name, value in values.items()}
