"""Safety-Gymnasium's own PointButton1 under random actions, with its resets, in one process."""

import importlib.util
from pathlib import Path
from types import ModuleType

from window import serve


def load() -> ModuleType:
    """The package, which Python 3.11 refuses as it is: mended as our own environments mend it."""
    path = Path(__file__).parents[2] / "envs" / "safety_gymnasium" / "compat.py"
    spec = importlib.util.spec_from_file_location("repairs", path)
    assert spec and spec.loader
    repairs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(repairs)
    with repairs.array_defaults_allowed():
        import safety_gymnasium
    return safety_gymnasium


def main() -> None:
    """Step, a hundred steps a call."""
    env = load().make("SafetyPointButton1-v0")
    env.reset(seed=0)

    def work() -> float:
        for _ in range(100):
            *_, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()
        return 100.0

    serve(work)


if __name__ == "__main__":
    main()
