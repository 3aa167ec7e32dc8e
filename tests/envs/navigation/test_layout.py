"""Layouts: keepouts hold, places are fair, nothing costs at the start."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ks_2samp

import envs
from envs.navigation.layout import Place, Places, resample_place, sample_layout


@pytest.mark.parametrize("name", ["Goal1", "Button1", "Goal2"])
def test_layouts_keep_their_distances(name: str) -> None:
    task = envs.make(f"SafetyPoint{name}-v0").task
    keys = jax.random.split(jax.random.PRNGKey(0), 16)
    layouts = np.asarray(jax.jit(jax.vmap(lambda key: sample_layout(key, task.places)))(keys))
    gaps = np.linalg.norm(layouts[:, :, None] - layouts[:, None], axis=-1) + 9 * np.eye(layouts.shape[1])
    assert np.all(gaps >= task.places.keepout[:, None] + task.places.keepout - 1e-6)
    assert np.all(layouts >= task.places.low - 1e-6) and np.all(layouts <= task.places.high + 1e-6)
    assert len(np.unique(layouts[:, 0, 0])) == 16


@pytest.mark.parametrize("name", ["Goal1", "Button1", "Push2"])
def test_layouts_are_distributed_as_in_the_genuine_environment(name: str, data_dir: Path) -> None:
    """Kolmogorov-Smirnov on the distances of all pairs of places and on their coordinates, against a genuine sample."""
    with np.load(data_dir / "genuine_layouts.npz") as file:
        genuine = file[name]  # from its RandomGenerator.build_layout
    task = envs.make(f"SafetyPoint{name}-v0").task
    keys = jax.random.split(jax.random.PRNGKey(5), 500)
    ours = np.asarray(jax.jit(jax.vmap(lambda key: sample_layout(key, task.places)))(keys))
    first, second = np.triu_indices(ours.shape[1], 1)

    def statistics(layouts: np.ndarray) -> np.ndarray:
        distances = np.linalg.norm(layouts[:, first] - layouts[:, second], axis=-1)
        return np.concatenate([distances, layouts.reshape(len(layouts), -1)], axis=1)

    mine, theirs = statistics(ours), statistics(genuine)
    chances = [ks_2samp(mine[:, column], theirs[:, column]).pvalue for column in range(mine.shape[1])]
    assert min(chances) > 0.01 / len(chances), np.argmin(chances)


def test_uncrowded_places_are_uniform() -> None:
    places = Places.of([Place((-1.0, 0.0, 1.0, 4.0), 0.0)])
    keys = jax.random.split(jax.random.PRNGKey(1), 4000)
    xy = np.asarray(jax.jit(jax.vmap(lambda key: sample_layout(key, places)))(keys))[:, 0]
    for values, low, high in ((xy[:, 0], -1.0, 1.0), (xy[:, 1], 0.0, 4.0)):
        quantiles = np.sort((values - low) / (high - low))
        assert np.max(np.abs(quantiles - np.linspace(0, 1, 4000))) < 1.95 / np.sqrt(4000)  # Kolmogorov, p = .001
    assert abs(np.corrcoef(xy.T)[0, 1]) < 0.06


def test_a_goal_moves_only_where_wanted() -> None:
    task = envs.make("SafetyPointGoal1-v0").task
    positions = jax.jit(lambda key: sample_layout(key, task.places))(jax.random.PRNGKey(2))
    index = task.index("goal")
    keys, wanted = jax.random.split(jax.random.PRNGKey(3), 64), jnp.arange(64) % 2 == 0
    draw = jax.jit(jax.vmap(lambda key, want: resample_place(key, task.places, index, positions, want)))
    drawn = np.asarray(draw(keys, wanted))
    others = np.delete(np.asarray(positions), index, axis=0)
    gaps = np.linalg.norm(drawn[:, None] - others, axis=-1)
    assert np.all(gaps >= np.delete(task.places.keepout, index) + 0.305 - 1e-6)
    np.testing.assert_array_equal(np.any(drawn != positions[index], axis=-1), wanted)


@pytest.mark.parametrize("name", ["Goal1", "Button1", "Circle1"])
def test_no_episode_starts_with_a_cost(name: str) -> None:
    env = envs.make(f"SafetyPoint{name}-v0")
    states = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.PRNGKey(4), 32))
    costs = jax.jit(jax.vmap(lambda world: env.task.costs(world)))(states.pipeline_state)
    assert set(costs) == set(env.cost_names)
    assert all(np.all(np.asarray(value) == 0.0) for value in costs.values())


def test_an_area_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="enlarge"):
        Places.of([Place((0.0, 0.0, 0.5, 2.0), 0.3)])


def test_a_task_too_crowded_to_be_laid_out_is_refused_at_once() -> None:
    for hazards in (40, 500):
        with pytest.raises(ValueError, match=rf"{hazards + 3} objects and robots .* take fewer or smaller ones"):
            envs.make("SafetyPointGoal1-v0", hazards=hazards)
    envs.make("SafetyPointGoal1-v0", hazards=30)
