"""One update of CVPO: critics, E-step, M-step, targets. A pure function from state and batch to state and metrics.

Letters: B states over all devices, b of them on this one, K sampled actions a state, C constraints, E critics.
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from brax.training.acme import running_statistics

from cvpo_jax.algorithm import critics, limit_controller, mstep
from cvpo_jax.algorithm.estep import LAM_MAX, DualSolution, attainable_cost_decrease, solve_dual
from cvpo_jax.algorithm.gaussian import Gaussian, stratified_noise
from cvpo_jax.algorithm.state import Batch, Metrics, Multipliers, Params, TrainState
from cvpo_jax.runtime import devices

MAX_NORMALIZED_LAM = 10.0


def update(state: TrainState, batch: Batch, *, axis: str | None = None) -> tuple[TrainState, Metrics]:
    """Critics, E-step, M-step and targets once (Liu et al. 2022, algorithm 1); inside `pmap` with `axis`.

    A result that is not finite is thrown away whole, counters and key apart, and counted in `update/skipped`.
    """
    key, key_next, key_samples = jax.random.split(state.key, 3)
    batch = normalize(state, batch)
    learned, critic_metrics = update_critics(state, batch, key_next, axis)
    learned, policy_metrics = update_policy(learned, batch, key_samples, axis)
    learned = move_targets(learned)
    metrics = critic_metrics | policy_metrics
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves((learned.critics, learned.actor))]))
    finite &= jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in metrics.values()]))
    state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), learned, state)
    controller = limit_controller.integrate(state.controller, state.hyper.cost_limit, state.setup.episode_length)
    metrics["update/skipped"] = 1.0 - finite
    return state.replace(key=key, updates=state.updates + 1, controller=controller), metrics


update_step = partial(jax.jit, static_argnames="axis", donate_argnums=0)(update)


def normalize(state: TrainState, batch: Batch) -> Batch:
    """The batch with observations centred and scaled, where the setup asks for it."""
    scale = partial(normalize_observation, state)
    return batch.replace(
        observation=scale(batch.observation),
        next_observation=scale(batch.next_observation),
        policy_observation=scale(batch.policy_observation),
    )


def normalize_observation(state: TrainState, observation: jax.Array) -> jax.Array:
    """An observation `[..., O]` as the networks see it."""
    if not state.setup.normalize_observations:
        return observation
    return running_statistics.normalize(observation, state.observation_statistics, max_abs_value=10.0)


def update_critics(state: TrainState, batch: Batch, key: jax.Array, axis: str | None) -> tuple[TrainState, Metrics]:
    """One gradient step of all critics towards their n-step targets."""
    setup = state.setup
    policy = setup.actor.apply(state.actor, batch.next_observation)
    next_action = jnp.clip(policy.sample(_noise(key, policy.mean.shape, axis)), -1, 1)
    next_values = setup.critics.apply(state.target_critics, batch.next_observation, next_action)
    target = critics.targets(
        batch.reward, batch.cost, batch.discount, next_values, setup.cost_aggregate, setup.reward_critics
    )

    def loss(params: Params) -> tuple[jax.Array, jax.Array]:
        values = setup.critics.apply(params, batch.observation, batch.action)
        return critics.loss(values, target), values

    (value, values), gradients = jax.value_and_grad(loss, has_aux=True)(state.critics)
    value, gradients = devices.mean((value, gradients), axis)
    updates, optimizer = optax.adam(state.hyper.critic_lr).update(gradients, state.critic_optimizer)
    metrics = {"critic/loss": value, "critic/reward_value": devices.mean(values[0].mean(), axis)}
    return state.replace(critics=optax.apply_updates(state.critics, updates), critic_optimizer=optimizer), metrics


def update_policy(state: TrainState, batch: Batch, key: jax.Array, axis: str | None) -> tuple[TrainState, Metrics]:
    """E-step on K actions of the old policy at each state, then M-step towards their weights."""
    setup = state.setup
    observation = batch.policy_observation
    old = setup.actor.apply(state.old_actor, observation)
    states = old.mean.shape[0] * devices.count(axis)
    noise = devices.shard(stratified_noise(key, states, setup.samples, setup.action_size), axis)
    action, values = sampled_values(state, old, observation, noise)
    solution, metrics = estep(state, values, axis)
    problem = mstep.Problem(
        observation=observation,
        action=action,
        weights=devices.shard(solution.weights, axis),
        old=old,
        bounds=Multipliers(state.hyper.kl_mean, state.hyper.kl_covariance),
    )
    state, fit_metrics = fit_policy(state, problem, axis)
    metrics |= fit_metrics | {"policy/scale": devices.mean(old.scale.mean(), axis)}
    return state.replace(duals=solution.duals), metrics


def sampled_values(
    state: TrainState, old: Gaussian, observation: jax.Array, noise: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Actions `[b, K, A]` of the old policy from `noise` like them, and all critics' values `[E, b, K]` of these."""
    action = old.expand(1).sample(noise)
    return action, state.setup.critics.apply(state.critics, observation, jnp.clip(action, -1, 1))


def fit_policy(state: TrainState, problem: mstep.Problem, axis: str | None) -> tuple[TrainState, Metrics]:
    """M-step: the policy towards the weighted actions of `problem`."""
    setup, hyper = state.setup, state.hyper
    actor, optimizer, multipliers, metrics = mstep.fit(
        setup.actor.apply,
        state.actor,
        optax.adam(hyper.actor_lr),
        state.actor_optimizer,
        state.multipliers,
        problem,
        iterations=setup.mstep_iterations,
        multiplier_rate=hyper.multiplier_lr,
        mean_gradients=partial(devices.mean, axis=axis),
    )
    return state.replace(actor=actor, actor_optimizer=optimizer, multipliers=multipliers), metrics


def estep(state: TrainState, values: jax.Array, axis: str | None) -> tuple[DualSolution, Metrics]:
    """Solve the dual for the whole global batch, from the critics' values `[E, b, K]` of the sampled actions."""
    setup, hyper = state.setup, state.hyper
    reward, costs = critics.aggregate(values, setup.num_constraints, setup.cost_aggregate, setup.reward_critics)
    reward, costs = devices.gather(reward, 0, axis), devices.gather(costs, 1, axis)
    mean_cost = costs.mean((1, 2))
    paper = limit_controller.threshold_from_limit(hyper.cost_limit, hyper.gamma, setup.episode_length)
    pressure = limit_controller.pressure(state.controller, hyper.cost_limit, setup.episode_length)
    threshold = paper
    if setup.controlled:
        threshold = limit_controller.controlled_threshold(
            pressure, mean_cost, attainable_cost_decrease(costs, hyper.kl)
        )
    spread = costs.std(-1).mean(-1) / (reward.std(-1).mean() + 1e-6)
    # An infeasible threshold drives lam to its cap, and weights that all but ignore reward undo what was learned.
    lam_max = jnp.minimum(MAX_NORMALIZED_LAM / (spread + 1e-6), LAM_MAX)
    solution = solve_dual(reward, costs, threshold, hyper.kl, warm_start=state.duals, lam_max=lam_max)
    predicted = limit_controller.episodic_cost(mean_cost, hyper.gamma, setup.episode_length)
    measured, deployed = (rate * setup.episode_length for rate in (state.controller.fast, state.controller.deployed))
    metrics = {
        "estep/eta": solution.eta,
        "estep/kl_ratio": solution.kl / hyper.kl,
        "estep/converged": solution.converged.astype(jnp.float32),
    }
    for index in range(setup.num_constraints):
        suffix = f"_{index}" if setup.num_constraints > 1 else ""
        metrics |= {
            f"estep/lam{suffix}": solution.lam[index],
            f"estep/lam_normalized{suffix}": solution.lam[index] * spread[index],
            f"cost/predicted{suffix}": predicted[index],
            f"cost/measured{suffix}": measured[index],
            f"cost/deployed{suffix}": deployed[index],
            f"cost/threshold{suffix}": threshold[index],
            f"cost/pressure{suffix}": pressure[index],
            f"cost/reference{suffix}": state.controller.reference[index],
            f"cost/integral{suffix}": state.controller.integral[index],
        }
    return solution, metrics


def move_targets(state: TrainState) -> TrainState:
    """Polyak steps of the target critics, of the old policy and of the average one."""
    return state.replace(
        target_critics=optax.incremental_update(state.critics, state.target_critics, state.hyper.target_rate),
        old_actor=optax.incremental_update(state.actor, state.old_actor, state.hyper.old_policy_rate),
        average_actor=optax.incremental_update(state.actor, state.average_actor, state.hyper.average_rate),
    )


def _noise(key: jax.Array, shape: tuple[int, ...], axis: str | None) -> jax.Array:
    """Standard normal noise for this device's states: the same for a state however many devices share the batch."""
    return devices.shard(jax.random.normal(key, (shape[0] * devices.count(axis), *shape[1:])), axis)
