"""One update: critics, policy, targets. A pure function from state and batch to state and metrics.

The policy moves by CVPO's E-step and M-step, or by SAC-Lagrangian's gradient (`sac_lag`).

Notation: B states over all devices, b of them on this one, K sampled actions a state, C constraints, E critics.
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from cvpo_jax.algorithm import critics, limits, mstep, running_statistics, sac_lag
from cvpo_jax.algorithm.cost_metrics import by_constraint, cost_metrics
from cvpo_jax.algorithm.estep import LAM_MAX, Duals, DualSolution, solve_dual
from cvpo_jax.algorithm.feasibility import attainable_cost_decrease
from cvpo_jax.algorithm.gaussian import Gaussian, stratified_noise
from cvpo_jax.algorithm.limit_controller import controlled_threshold
from cvpo_jax.algorithm.optimizer import make_optimizer
from cvpo_jax.algorithm.state import Batch, KLMultipliers, Metrics, Params, TrainState
from cvpo_jax.algorithm.threshold import threshold_from_limit
from cvpo_jax.runtime import devices

MAX_NORMALIZED_LAM = 10.0
MAX_NORMALIZED_OBSERVATION = 10.0


def update(state: TrainState, batch: Batch, *, axis_name: str | None = None) -> tuple[TrainState, Metrics]:
    """Critics, E-step, M-step and targets once (Liu et al. 2022, algorithm 1); inside `pmap` with `axis_name`.

    Of `--algo.name sac_lag` its gradient step takes the place of E-step and M-step.

    A result that is not finite is thrown away whole, counters and key apart, and counted in `update/skipped`.
    """
    key, key_next, key_samples = jax.random.split(state.key, 3)
    batch = normalize(state, batch)
    soft = state.static.algo.name == "sac_lag"
    learning = sac_lag.soft_batch(state, batch) if soft else batch
    learned, critic_metrics = update_critics(state, learning, key_next, axis_name)
    improve = sac_lag.update_policy if soft else update_policy
    learned, policy_metrics = improve(learned, batch, key_samples, axis_name)
    learned = move_targets(learned)
    metrics = critic_metrics | policy_metrics
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves((learned.critics, learned.actor))]))
    finite &= jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in metrics.values()]))
    state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), learned, state)
    controller = limits.for_each(state, lambda one: one.limit_controller.advance(one.controller))
    metrics["update/skipped"] = 1.0 - finite
    return state.replace(key=key, updates=state.updates + 1, controller=controller), metrics


update_step = partial(jax.jit, static_argnames="axis_name", donate_argnums=0)(update)
"""`update`, compiled. Donates its first argument: the state given to it cannot be used again."""


def normalize(state: TrainState, batch: Batch) -> Batch:
    """The batch in the units that the networks see: observations, reward and cost scaled."""
    scale = partial(normalize_observation, state)
    return batch.replace(
        observation=scale(batch.observation),
        next_observation=scale(batch.next_observation),
        policy_observation=scale(batch.policy_observation),
        reward=batch.reward * state.reward_scale,
        cost=batch.cost * state.cost_scale,
    )


def normalize_observation(state: TrainState, observation: jax.Array) -> jax.Array:
    """An observation `[..., O]` as the networks see it."""
    if not state.static.algo.normalize_observations:
        return observation
    return running_statistics.normalize(observation, state.observation_statistics, MAX_NORMALIZED_OBSERVATION)


def update_critics(
    state: TrainState, batch: Batch, key: jax.Array, axis_name: str | None
) -> tuple[TrainState, Metrics]:
    """One gradient step of all critics towards their n-step targets."""
    static = state.static
    policy = static.actor.apply(state.actor, batch.next_observation)
    next_action = jnp.clip(policy.sample(_noise(key, policy.mean.shape, axis_name)), -1, 1)
    distributions = partial(static.critics.apply, method=static.critics.distributions)
    following = distributions(state.target_critics, batch.next_observation, next_action)
    target = critics.targets(
        batch.reward, batch.cost, batch.discount, following, static.algo.cost_aggregate, static.algo.reward_critics
    )

    def loss(params: Params) -> tuple[jax.Array, jax.Array]:
        quantiles = distributions(params, batch.observation, batch.action)
        return critics.loss(quantiles, target), quantiles

    (value, quantiles), gradients = jax.value_and_grad(loss, has_aux=True)(state.critics)
    value, gradients = devices.pmean((value, gradients), axis_name)
    updates, optimizer = make_optimizer(state.hyperparameters.critic_lr).update(gradients, state.critic_optimizer)
    metrics = {
        "critic/loss": value,
        "critic/reward_value": devices.pmean(quantiles[0].mean(), axis_name) / state.reward_scale,
    }
    return state.replace(critics=optax.apply_updates(state.critics, updates), critic_optimizer=optimizer), metrics


def update_policy(state: TrainState, batch: Batch, key: jax.Array, axis_name: str | None) -> tuple[TrainState, Metrics]:
    """E-step on K actions of the old policy at each state, then M-step towards their weights."""
    static = state.static
    observation = batch.policy_observation
    old = static.actor.apply(state.old_actor, observation)
    states = old.mean.shape[0] * devices.count(axis_name)
    noise = devices.shard(stratified_noise(key, states, static.algo.samples, static.action_size), axis_name)
    action, values = sampled_values(state, old, observation, noise)
    solution, metrics = estep(state, values, axis_name)
    problem = mstep.Problem(
        observation=observation,
        action=action,
        weights=devices.shard(solution.weights, axis_name),
        old=old,
        bounds=KLMultipliers(state.hyperparameters.kl_mean, state.hyperparameters.kl_covariance),
    )
    state, fit_metrics = fit_policy(state, problem, axis_name)
    metrics |= fit_metrics | {"policy/scale": devices.pmean(old.scale.mean(), axis_name)}
    return state.replace(duals=solution.duals), metrics


def sampled_values(
    state: TrainState, old: Gaussian, observation: jax.Array, noise: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Actions `[b, K, A]` of the old policy from `noise` like them, and all critics' values `[E, b, K]` of these."""
    action = old.expand(1).sample(noise)
    return action, state.static.critics.apply(state.critics, observation, jnp.clip(action, -1, 1))


def fit_policy(state: TrainState, problem: mstep.Problem, axis_name: str | None) -> tuple[TrainState, Metrics]:
    """M-step: the policy towards the weighted actions of `problem`."""
    static, hyperparameters = state.static, state.hyperparameters
    actor, optimizer, multipliers, metrics = mstep.fit(
        static.actor.apply,
        state.actor,
        make_optimizer(hyperparameters.actor_lr),
        state.actor_optimizer,
        state.multipliers,
        problem,
        iterations=static.algo.mstep_iterations,
        multiplier_rate=hyperparameters.multiplier_lr,
        pmean=partial(devices.pmean, axis_name=axis_name),
    )
    return state.replace(actor=actor, actor_optimizer=optimizer, multipliers=multipliers), metrics


def estep(state: TrainState, values: jax.Array, axis_name: str | None) -> tuple[DualSolution, Metrics]:
    """Solve the dual for the whole global batch, from the critics' values `[E, b, K]` of the sampled actions.

    With several limits one for the states of each, and the weights are put together again.
    """
    static = state.static
    reward, costs = critics.aggregate(
        values, static.num_constraints, static.algo.cost_aggregate, static.algo.reward_critics
    )
    reward, costs = devices.gather(reward, 0, axis_name), devices.gather(costs, 1, axis_name)
    reward, costs = limits.split(static, reward), limits.split(static, costs, axis=1)
    solution, metrics = limits.for_each(state, solve, state.duals, reward, costs)
    return solution.replace(weights=limits.join(static, solution.weights)), limits.named(static, metrics)


def solve(state: TrainState, duals: Duals, reward: jax.Array, costs: jax.Array) -> tuple[DualSolution, Metrics]:
    """Solve the dual for values `reward` `[B, K]` and `costs` `[C, B, K]`, from the last solution `duals`."""
    threshold = choose_threshold(state, costs)
    spread = costs.std(-1).mean(-1) / (reward.std(-1).mean() + 1e-6)
    # An infeasible threshold drives lam to its cap, and weights that all but ignore reward undo what was learned.
    lam_max = jnp.minimum(MAX_NORMALIZED_LAM / (spread + 1e-6), LAM_MAX)
    kl_bound = state.hyperparameters.kl_estep
    solution = solve_dual(reward, costs, threshold, kl_bound, warm_start=duals, lam_max=lam_max)
    return solution, estep_metrics(state, solution, costs.mean((1, 2)), threshold, spread)


def choose_threshold(state: TrainState, costs: jax.Array) -> jax.Array:
    """The bound `[C]` on E_q[Qc], by the controller or the paper, for the values `costs` `[C, B, K]` of the samples."""
    static, hyperparameters = state.static, state.hyperparameters
    if static.algo.limit_mode == "paper":
        limit = hyperparameters.cost_limit * state.cost_scale
        return threshold_from_limit(limit, hyperparameters.gamma, static.episode_length, state.controller.slow)
    pressure = state.limit_controller.pressure(state.controller)
    attainable = attainable_cost_decrease(costs, hyperparameters.kl_estep)
    return controlled_threshold(pressure, costs.mean((1, 2)), attainable)


def estep_metrics(
    state: TrainState, solution: DualSolution, mean_cost: jax.Array, threshold: jax.Array, spread: jax.Array
) -> Metrics:
    """What the E-step says of itself and, for each constraint, of cost; the last three arguments are `[C]`."""
    return {
        "estep/eta": solution.eta,
        "estep/kl_ratio": solution.kl / state.hyperparameters.kl_estep,
        "estep/converged": solution.converged.astype(jnp.float32),
        **cost_metrics(state, mean_cost, solution.lam, spread),
        **by_constraint(state, {"cost/threshold": threshold / state.cost_scale}),
    }


def move_targets(state: TrainState) -> TrainState:
    """Polyak steps of the target critics, of the old policy and of the average one."""
    return state.replace(
        target_critics=optax.incremental_update(state.critics, state.target_critics, state.hyperparameters.target_rate),
        old_actor=optax.incremental_update(state.actor, state.old_actor, state.hyperparameters.old_policy_rate),
        average_actor=optax.incremental_update(state.actor, state.average_actor, state.hyperparameters.ema_rate),
    )


def _noise(key: jax.Array, shape: tuple[int, ...], axis_name: str | None) -> jax.Array:
    """Standard normal noise for this device's states: the same for a state however many devices share the batch."""
    return devices.shard(jax.random.normal(key, (shape[0] * devices.count(axis_name), *shape[1:])), axis_name)
