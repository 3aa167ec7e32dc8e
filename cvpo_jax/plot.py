"""Draw learning curves of runs: `python -m cvpo_jax.plot RUN_DIR … [--out FILE]`. Also the table a run ends with."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvpo_jax import cli
from cvpo_jax.config import ConfigError
from cvpo_jax.config.names import metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cvpo_jax.runs.metrics import Row


@dataclass(frozen=True)
class PlotOptions:
    """Draw learning curves of runs into one picture."""

    run_dirs: cli.RunDirs
    """The directories of the runs."""
    out: Path = Path("learning_curves.png")
    """The picture to write: .png, .pdf or .svg."""


def plot_runs(run_dirs: Sequence[Path], path: Path) -> Path:
    """Draw return and cost of evaluations over environment steps, one line for each run, to the picture at `path`.

    Of several constraints the first one is drawn. Raises ConfigError where a folder is no run or a run has no
    evaluation yet.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from cvpo_jax.runs.directory import load_config
    from cvpo_jax.runtime.files import write_whole

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 6.5), sharex=True, layout="constrained")
    for run_dir in run_dirs:
        config, rows = load_config(run_dir), evaluations(run_dir)
        label = f"{config.env.id} seed {config.train.seed}"
        steps, limits = [row["step"] / 1e6 for row in rows], config.algo.cost_limits
        _curve(top, steps, rows, "return", label)
        _curve(bottom, steps, rows, metric_name("cost", 0, len(limits)), label)
        bottom.axhline(limits[0], color="black", linestyle="--", linewidth=1)
    top.set_ylabel("return of an episode")
    bottom.set_ylabel("cost of an episode")
    bottom.set_xlabel("million environment steps")
    bottom.set_ylim(bottom=0)
    bottom.text(0.995, 0.97, "dashed: the limit", transform=bottom.transAxes, ha="right", va="top", fontsize=8)
    top.legend(fontsize=8, loc="lower right")
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, format=path.suffix.lower().removeprefix("."))
    plt.close(figure)
    write_whole(path, drawn.getvalue())
    return path


def evaluations(run_dir: Path) -> list[Row]:
    """The evaluations of a run, oldest first; raises ConfigError where there are none, or one lacks what all have."""
    from cvpo_jax.runs.directory import load_config
    from cvpo_jax.runs.metrics import read_metrics

    rows = read_metrics(run_dir)
    if not rows:
        raise ConfigError(f"{run_dir} holds no evaluation yet: let it train longer, or lower --eval.every")
    cost = metric_name("cost", 0, len(load_config(run_dir).algo.cost_limits))
    for number, row in enumerate(rows, 1):
        for name in ("updates", "seconds", "return_mean", f"{cost}_mean"):
            if name not in row:
                raise ConfigError(f"evaluation {number} of {run_dir} lacks {name}: another version wrote it")
    return rows


def _curve(axes: Axes, steps: list[float], rows: list[Row], name: str, label: str) -> None:
    """The mean over evaluation episodes and the band from their 10 % to their 90 % quantile."""
    (line,) = axes.plot(steps, [row[f"{name}_mean"] for row in rows], label=label)
    low, high = ([row.get(f"{name}_q{q}", math.nan) for row in rows] for q in (10, 90))
    axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.grid(alpha=0.3)


def plot_run(run_dir: Path) -> Path:
    """Draw one run to `learning_curve.png` in its directory."""
    return plot_runs([run_dir], run_dir / "learning_curve.png")


def table(run_dir: Path, most: int = 8) -> str:
    """Return and cost at up to `most` evaluations spread over the run, the last one among them, and the best of all."""
    from cvpo_jax.runs.directory import load_config

    rows, count = evaluations(run_dir), len(load_config(run_dir).algo.cost_limits)
    cost, limit = f"{metric_name('cost', 0, count)}_mean", load_config(run_dir).algo.cost_limits[0]
    stride = -(-len(rows) // most)
    lines = [f"{'step':>12} {'minutes':>8} {'return':>8} {'cost':>8} {'limit':>7}"]
    for row in rows[::-1][::stride][::-1]:
        lines.append(
            f"{row['step']:>12,} {row['seconds'] / 60:>8.1f} {row['return_mean']:>8.2f} {row[cost]:>8.1f} {limit:>7g}"
        )
    best = max(rows, key=lambda row: row.get("score", -math.inf))
    if "score" in best:
        lines.append(
            f"best by evaluation: step {best['step']:,}, return {best['return_mean']:.2f} at a cost of "
            f"{best[cost]:.1f} (evaluate it again: --step best)"
        )
    return "\n".join(lines)


def command(arguments: Sequence[str]) -> None:
    """Draw the runs named on the command line into one picture."""
    options = cli.read_options(PlotOptions, "plot", arguments)
    cli.require_output("out", options.out, (".png", ".pdf", ".svg"))
    print(plot_runs(options.run_dirs, options.out))


if __name__ == "__main__":
    cli.leave(cli.main(command))
