"""A short training gives the numbers it gave before the modules moved and the layers got their names.

The recording holds fresh networks of that version and what came of them. Weights are drawn by the names of layers, so
that fresh ones differ today; started from the recorded ones, everything else has to be what it was. Slow, since it
compiles a program of its own with all optimizations; for whoever moves code and means to change no number:

    python -m pytest -n 0 -m slow tests/training/test_same_as_before.py
"""

import jax
import numpy as np
import pytest
from paths import DATA

from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.runtime import devices
from cvpo_jax.training import trainer

AS_BEFORE = (
    "--algo.quantiles 1 --algo.layer_norm False --algo.recent_steps 200000 --algo.kl_estep 0.1 --algo.kl_mean 0.02"
    " --algo.unconstrained_updates 3000 --controller.integral_rate 0.0001 --controller.descent_rate 0.000125"
)
"""What that version had where a rule decides today."""
ACTOR = {"Dense_0": "hidden_0", "Dense_1": "hidden_1", "Dense_2": "mean", "Dense_3": "scale"}
CRITIC = {"Dense_0": "observation", "Dense_1": "action", "Dense_2": "hidden_1", "Dense_3": "value"}


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(DATA / "training_before_the_move.npz") as file:
        return dict(file)


def weights(recorded: dict[str, np.ndarray], network: str, names: dict[str, str]) -> dict:
    """The recorded parameters of a network, by the names its layers have today."""
    layers: dict = {}
    for path, array in recorded.items():
        if path.startswith(f"{network}/"):
            layer, kind = path.split("/")[-2:]
            layers.setdefault(names[layer], {})[kind] = array
    return {"params": layers if network == "actor" else {"ensemble": layers}}


@pytest.mark.slow
@pytest.mark.optimized
def test_a_short_training_gives_the_numbers_of_before(recorded, tiny_experiment, monkeypatch):
    monkeypatch.setattr("envs.staggering._ORDER", range(1, 17))  # the phases side by side, as they were
    built = trainer.build(parse_overrides(load_experiment(tiny_experiment), AS_BEFORE.split(), "test", ""))
    state, collector = built.fresh()
    actor, critics = weights(recorded, "actor", ACTOR), weights(recorded, "critics", CRITIC)
    one = devices.first(state)
    assert jax.tree.structure((actor, critics)) == jax.tree.structure((one.actor, one.critics))
    one = one.replace(actor=actor, old_actor=actor, average_actor=actor, critics=critics, target_critics=critics)
    state, collector = devices.replicate(one, built.chosen), collector
    as_recorded = {"xla_cpu_use_fusion_emitters": True}  # unlike in other tests (tests/README.md)
    loop = built.epoch.loop.lower(built.epoch.warm_up, state, collector).compile(compiler_options=as_recorded)
    state, collector, _ = loop(built.warmup.warm_up, state, collector)
    for epoch in range(4):
        state, collector, metrics = loop(built.epoch.warm_up, state, collector)
        (row,) = built.rows_of(metrics)
        for name in (path.removeprefix("metrics/") for path in recorded if path.startswith("metrics/")):
            expected = recorded[f"metrics/{name}"][epoch]
            np.testing.assert_allclose(row[name], expected, rtol=2e-3, atol=1e-4, err_msg=f"{name} in epoch {epoch}")
    (evaluation,) = built.evaluations(state, [jax.random.PRNGKey(7)])
    np.testing.assert_allclose(evaluation.returns, recorded["evaluation/returns"], rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(evaluation.costs, recorded["evaluation/costs"])
