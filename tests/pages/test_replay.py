"""The page of episodes: what it holds, and in a browser that it plays, scrubs and shows what happened."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import browser
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from cvpo_jax.experience.film import Film
from cvpo_jax.pages import replay
from envs.navigation.tracks import tracks

pytestmark = pytest.mark.xdist_group("browser")
needs_browser = pytest.mark.skipif(not browser.FOUND, reason=browser.MISSING)

STEPS = 40
COSTING = slice(21, 30)
ABOUT = replay.About("SafetyPointGoal1-v0", "<run> & co", "step 1,000", {"cost": 5.0})


def numbers(seconds: float = 0.02) -> dict:
    """An episode that earns 1 a step, and costs 1 in steps 21 to 29."""
    rewards, costs = np.ones(1 + STEPS), np.zeros(1 + STEPS)
    rewards[0], costs[COSTING] = 0, 1
    components = {"cost_hazards": costs, "cost_vases": np.zeros(1 + STEPS)}
    return {"rewards": rewards, "costs": costs[:, None], "components": components, "control_step": seconds}


@pytest.fixture(scope="module")
def from_above() -> Film:
    """The robot goes right by 5 cm a step."""
    env = envs.make("SafetyPointGoal1-v0")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    states = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], 1 + STEPS, 0), state)
    world = states.pipeline_state
    way = jnp.stack([-1.0 + 0.05 * jnp.arange(1 + STEPS), jnp.zeros(1 + STEPS)], 1)
    moved = states.replace(pipeline_state=world.replace(robot=world.robot.replace(position=way)))
    return Film(**numbers(), tracks=tracks(env, moved))


def in_pictures(count: int = 3, size: int = 16) -> Film:
    """Pictures that become redder."""
    pictures = np.zeros((count, size, 2 * size, 3), np.uint8)
    pictures[..., 0] = np.linspace(0, 250, count, dtype=int)[:, None, None]
    return Film(**numbers(0.1), pictures=pictures, shown=np.linspace(0, STEPS, count, dtype=int).tolist())


def as_signals() -> Film:
    signals = {"action": np.zeros((1 + STEPS, 1)), "observation": np.random.RandomState(0).normal(size=(1 + STEPS, 40))}
    return Film(**numbers(), signals=signals, undrawn="a tank cannot be drawn")


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_page_holds_its_numbers_and_everything_it_needs(from_above: Film) -> None:
    page = replay.replay_page(ABOUT, [from_above, as_signals()])
    assert "/* include" not in page and "http:" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in page and 'src="' not in page
    data = data_of(page)
    assert data["run"] == "<run> & co"
    first, second = data["episodes"]
    assert first["returns"] == list(range(1 + STEPS)) and first["costs"][0][-1] == 9
    assert first["components"] == [{"name": "cost_hazards", "when": [[21, 30]]}, {"name": "cost_vases", "when": []}]
    assert first["costing"] == [[21, 30]]
    assert [line["signal"] for line in second["signals"]] == ["action"] + ["observation"] * 12


def test_what_a_run_is_called_cannot_break_out_of_the_data() -> None:
    about = replay.About("</script><script>alert(1)</script>", "", "", {"cost": 1.0})
    page = replay.replay_page(about, [as_signals()])
    assert page.count("</script>") == 2 and data_of(page)["task"] == about.task


def test_numbers_are_short_and_what_is_not_finite_is_left_out() -> None:
    assert replay.rounded(np.array([1 / 3, 2.0, np.nan, np.inf, 123456.789])) == [0.333333, 2, None, None, 123457]


def test_pictures_are_left_out_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert replay.thinning([replay.MOST_BYTES // 2]) == 1
    assert replay.thinning([replay.MOST_BYTES] * 3) == 4
    monkeypatch.setattr(replay, "thinning", lambda _: 2)
    (episode,) = data_of(replay.replay_page(ABOUT, [in_pictures(5)]))["episodes"]
    assert len(episode["pictures"]) == 3 and episode["shown"] == [0, 20, 40]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    with browser.page(tmp_path_factory.mktemp("browser")) as page:
        page.size(1280, 800)
        yield page


@pytest.fixture
def show(tab: browser.Page, tmp_path: Path) -> Iterator:
    """Open a page of films; in the end there must have been no error, and nothing fetched but the page itself."""
    tab.problems.clear()
    tab.requests.clear()

    def opened(*films: Film, at: str = "") -> browser.Page:
        (tmp_path / "page.html").write_text(replay.replay_page(ABOUT, films))
        tab.open((tmp_path / "page.html").as_uri() + at)
        return tab

    yield opened
    # Only tests read the canvas.
    assert not [problem for problem in tab.problems if "getImageData" not in problem]
    assert {request.partition("#")[0] for request in tab.requests if not request.startswith("data:")} <= {
        (tmp_path / "page.html").as_uri(),
        "about:blank",
    }


# The middle, in pixels of the canvas, of what has the color of the robot's body.
ROBOT = """(() => {
  const canvas = document.getElementById("scene");
  const {data, width} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [sum, count] = [0, 0];
  for (let at = 0; at < data.length; at += 4)
    if (data[at] > 170 && data[at + 1] < 50 && data[at + 2] < 75) { sum += (at / 4) % width; count++; }
  return sum / count / width;
})()"""


@needs_browser
def test_the_robot_is_where_it_was_and_the_bar_leads_there(show, from_above: Film) -> None:
    tab = show(from_above)
    half = from_above.tracks["half"]
    assert tab.value(ROBOT) == pytest.approx(0.5 - 1 / (2 * half), abs=0.01)
    tab.drag("#scrub", 0.999)
    assert tab.value("document.getElementById('step').textContent") == str(STEPS)
    assert tab.value(ROBOT) == pytest.approx(0.5 + 1 / (2 * half), abs=0.01)
    assert tab.value("document.getElementById('return').textContent") == "40"


@needs_browser
def test_it_plays_to_the_end_and_again(show, from_above: Film) -> None:
    tab = show(from_above, at="#episode=1&step=30")
    tab.click("#play")
    tab.wait(f"document.getElementById('step').textContent === '{STEPS}'")
    tab.wait("document.getElementById('play').getAttribute('aria-label') === 'play'")
    tab.click("#play")
    tab.wait("Number(document.getElementById('step').textContent) < 30")


@needs_browser
def test_moments_with_a_cost_are_lit_and_found(show, from_above: Film) -> None:
    tab = show(from_above)
    badge = "document.getElementById('badge').textContent"
    assert tab.value(badge) == ""
    tab.click("#after")
    assert tab.value("document.getElementById('step').textContent") == "21"
    assert tab.value(badge) == "cost: hazards"
    assert tab.value("document.querySelectorAll('#lane i').length") == 1
    tab.drag("#scrub", 0.999)
    assert tab.value("document.getElementById('cost-0').className").split() == ["number", "over"], "9 of 5"
    assert tab.value("document.querySelectorAll('.limit').length") == 1


@needs_browser
def test_episodes_are_chosen_and_each_is_shown_as_it_can_be(show, from_above: Film) -> None:
    tab = show(from_above, in_pictures(), as_signals(), at="#episode=2&step=40")
    red = "document.getElementById('scene').getContext('2d').getImageData(5, 5, 1, 1).data[0]"
    tab.wait(f"{red} > 230")
    tab.click("#episodes button:nth-child(3)")
    assert tab.value("document.querySelectorAll('#signals path.curve').length") == 13
    assert tab.value("document.getElementById('undrawn').textContent").endswith("a tank cannot be drawn")
    tab.click("#episodes button:nth-child(1)")
    assert tab.value(ROBOT) < 0.5


@needs_browser
def test_each_constraint_has_its_curve_and_its_limit(show, monkeypatch: pytest.MonkeyPatch) -> None:
    film = as_signals()
    both = Film(film.rewards, np.repeat(film.costs, 2, 1), film.components, 0.02, signals=film.signals)
    limits = {"cost_hazards": 5.0, "cost_vases": 20.0}
    monkeypatch.setattr(f"{__name__}.ABOUT", replay.About("task", "run", "step 1", limits))
    tab = show(both, at=f"#step={STEPS}")
    texts = "[...document.querySelectorAll('#charts h2, #charts .limit-label')].map(each => each.textContent)"
    assert tab.value(texts) == ["return so far", "hazards so far", "limit 5", "vases so far", "limit 20"]
    over = "[...document.querySelectorAll('.fact .number')].map(each => each.classList.contains('over'))"
    assert tab.value(over) == [False, False, True, False], "9 of 5 and of 20"


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_a_window_and_a_phone(show, from_above: Film, width: int) -> None:
    tab = show(*[from_above] * 12)
    tab.size(width, 800)
    tab.wait(f"document.documentElement.clientWidth === {width}")
    assert tab.value("document.documentElement.scrollWidth") == width
    # It is drawn anew after the window has its size.
    tab.wait("document.getElementById('scene').width === document.getElementById('scene').clientWidth")
    assert tab.value("document.getElementById('scene').width") > 320
    tab.size(1280, 800)
