"""Safety-Gymnasium's own PointButton1 under random actions, resets included, in one process."""

import importlib.util
from pathlib import Path
from types import ModuleType

from window import serve


def load() -> ModuleType:
    """Import the package, which Python 3.11 refuses as it is, with the repair that our own environments use."""
    path = Path(__file__).parents[2] / "envs" / "safety_gymnasium" / "compat.py"
    spec = importlib.util.spec_from_file_location("compat", path)
    assert spec and spec.loader
    compat = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compat)
    with compat.array_defaults_allowed():
        import safety_gymnasium
    return safety_gymnasium


def main() -> None:
    """Take a hundred steps per call."""
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
