"""Every key of `metrics.jsonl` with its unit and meaning: the one source of docs/reference/metrics.md.

A row is written at each evaluation. `{c}` in a name marks the place of a constraint's index: nothing with one
constraint, `_0`, `_1`, … with several. With several limits in one training a row has the keys with `{c}` and `{l}`
once under the plain name, over all of them, and once for each.
"""

from dataclasses import dataclass

from cvpo_jax.config.names import metric_name

CONSTRAINT, LIMIT = "{c}", "{l}"


@dataclass(frozen=True)
class MetricKey:
    """One key of a row; `unit` is empty for pure numbers."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class MetricGroup:
    """Keys that belong together, and what they have in common."""

    title: str
    note: str
    keys: tuple[MetricKey, ...]


def _statistics(name: str, unit: str, what: str) -> tuple[MetricKey, ...]:
    """Return mean, standard deviation and quantiles of `what` over the episodes of an evaluation."""
    quantiles = ((10, "10 % quantile"), (50, "median"), (90, "90 % quantile"))
    return (
        MetricKey(f"{name}_mean", unit, f"{what}: mean"),
        MetricKey(f"{name}_std", unit, f"{what}: standard deviation over episodes"),
        *(MetricKey(f"{name}_q{q}", unit, f"{what}: {label}") for q, label in quantiles),
    )


PROGRESS = MetricGroup(
    "Progress",
    "Counted from the start of the run, across resumes.",
    (
        MetricKey("step", "environment steps", "steps of all environments, warm-up included"),
        MetricKey("updates", "updates", "updates of critics and policy"),
        MetricKey(
            "seconds", "s", "training time, warm-up and compilation included, evaluations and checkpoints excluded"
        ),
        MetricKey(
            "steps_per_second",
            "steps/s",
            "training speed, without what compiles: the warm-up, or a resumed run's first epoch",
        ),
        MetricKey("updates_per_second", "updates/s", "the same in updates"),
    ),
)
EVALUATION = MetricGroup(
    "Evaluation",
    "Over `--eval.episodes` whole episodes of the averaged policy, each with a new layout; with several limits as many"
    " for each. Over all `cost_limit` is the mean, and `cost_over_limit` that of the limit where it is highest.",
    (
        *_statistics("return{l}", "reward", "return of an episode"),
        *_statistics("cost{c}", "cost", "cost of an episode"),
        MetricKey("cost_limit{c}", "cost", "limit on the mean cost of an episode"),
        MetricKey("cost_over_limit{c}", "", "mean cost relative to the limit: 1 is exactly at the limit"),
        MetricKey("score", "reward", "ranks checkpoints: the return if every limit is kept, else -1e6 - excess"),
    ),
)
EPISODES = MetricGroup(
    "Training episodes",
    "Over the episodes that ended during the last epoch; of several constraints, the first one counts.",
    (
        MetricKey("train/episodes", "episodes", "how many ended"),
        MetricKey("train/return", "reward", "their mean return"),
        MetricKey("train/cost", "cost", "their mean cost"),
        MetricKey("train/share_over_limit", "", "share of them whose cost exceeds the limit"),
    ),
)
CONTROLLER = MetricGroup(
    "Limit controller",
    "See docs/design/limit_controller.md. Averages over the updates of the last epoch, like all groups below.",
    (
        MetricKey(
            "cost/measured{c}", "cost", "cost of an episode of the deterministic environments, over half an episode"
        ),
        MetricKey("cost/deployed{c}", "cost", "the same under the averaged policy alone, over two episodes"),
        MetricKey("cost/predicted{c}", "cost", "cost of an episode that the cost critics predict from replay states"),
        MetricKey("cost/pressure{c}", "", "output of the controller; -max_pressure while cost is unconstrained"),
        MetricKey("cost/integral{c}", "", "its integral term"),
        MetricKey("cost/reference{c}", "", "log ratio of the present setpoint to the target; 0 once it is reached"),
        MetricKey("cost/threshold{c}", "discounted cost", "bound on E_q[Qc] that the E-step is given"),
    ),
)
ESTEP = MetricGroup(
    "E-step",
    "See docs/design/dual_solver.md.",
    (
        MetricKey("estep/eta{l}", "reward", "temperature of the weights"),
        MetricKey("estep/lam{c}", "reward/cost", "multiplier of the constraint; SAC-Lagrangian's, too"),
        MetricKey("estep/lam_normalized{c}", "", "the same in units of std(Qr) / std(Qc) over a state's samples"),
        MetricKey("estep/kl_ratio{l}", "", "KL of the weights relative to `--algo.kl_estep`"),
        MetricKey("estep/converged{l}", "", "share of the updates whose dual was solved to its optimum"),
    ),
)
LEARNING = MetricGroup(
    "Critics and M-step",
    "",
    (
        MetricKey("critic/loss", "", "squared temporal-difference error, summed over critics"),
        MetricKey("critic/reward_value", "discounted reward", "mean value of the first reward critic"),
        MetricKey("mstep/loss", "nats", "Lagrangian of the weighted likelihood"),
        MetricKey("mstep/kl_mean_ratio", "", "KL from moving the mean, relative to `--algo.kl_mean`"),
        MetricKey("mstep/kl_covariance_ratio", "", "KL from changing the covariance, likewise"),
        MetricKey("mstep/multiplier_mean", "", "multiplier of the bound on the mean"),
        MetricKey("mstep/multiplier_covariance", "", "multiplier of the bound on the covariance"),
        MetricKey("policy/scale", "action", "mean standard deviation of the old policy"),
    ),
)
SAC = MetricGroup(
    "SAC-Lagrangian",
    "With `--algo.name sac_lag`, in place of the bound on E_q[Qc] and of the other keys of E-step and M-step.",
    (
        MetricKey("sac/temperature", "reward/nat", "alpha, the price of entropy"),
        MetricKey("sac/entropy", "nats", "mean entropy of the policy"),
        MetricKey("sac/loss", "", "what the policy's gradient step lowers"),
    ),
)
HEALTH = MetricGroup(
    "Health",
    "All are 0 in a healthy run; a run with more than a few skipped updates, or any of the others, stops.",
    (
        MetricKey("nonfinite", "values", "observations, rewards and costs that were NaN, infinite or beyond 1e9"),
        MetricKey("negative_costs", "values", "costs below 0, which are refused"),
        MetricKey("update/skipped", "", "share of the updates that were not finite and were skipped"),
    ),
)
GROUPS = (PROGRESS, EVALUATION, EPISODES, CONTROLLER, ESTEP, LEARNING, SAC, HEALTH)
_OF_CVPO = ("cost/threshold", "estep/eta", "estep/kl_ratio", "estep/converged", "mstep/")
_OF_SAC = ("sac/",)


def metric_names(num_constraints: int, algorithm: str = "cvpo", num_limits: int = 0) -> tuple[str, ...]:
    """Return the keys of a row of a run with `num_constraints` constraints, or of one with one and several limits.

    Those of each constraint, or limit, stand in a row.
    """
    foreign = _OF_SAC if algorithm == "cvpo" else _OF_CVPO
    of_constraints = [metric_name("", index, num_constraints) for index in range(num_constraints)]
    of_limits = ["", *(metric_name("", index, num_limits) for index in range(num_limits))]
    names: list[str] = []
    for key in (key for group in GROUPS for key in group.keys if not key.name.startswith(foreign)):
        suffixes = of_limits if num_limits or LIMIT in key.name else of_constraints
        here = suffixes if CONSTRAINT in key.name or LIMIT in key.name else [""]
        names += [key.name.replace(CONSTRAINT, suffix).replace(LIMIT, suffix) for suffix in here]
    return tuple(names)
