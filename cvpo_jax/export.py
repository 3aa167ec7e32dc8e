"""Take a run's policy away: `python -m cvpo_jax.export RUN_DIR [--step best] [--format npz|stablehlo|onnx]`.

The file takes observations as the environment gives them and returns actions in its units: statistics, clipping and
scaling are inside. Beside it lies a model card, and beside an npz the code that runs it with NumPy alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvpo_jax import __version__, cli
from cvpo_jax.config import ConfigError

CHECKED = 1000
"""Observations on which the file must act as the policy does."""


@dataclass(frozen=True)
class ExportOptions:
    """Take a run's policy away, as a file that runs without the trainer."""

    run_dir: cli.RunDir
    """The directory of the run."""
    step: int | Literal["best"] | None = None
    """The checkpoint: its step, or `best` by evaluation; None: the latest."""
    limit: float | None = None
    """Of a run at several limits (`--algo.limits`) one of them, or one between."""
    format: Literal["npz", "stablehlo", "onnx"] = "npz"
    """npz: for NumPy, with its code; stablehlo: for JAX on CPU, CUDA and TPU; onnx: for ONNX Runtime and others."""
    out: Path | None = None
    """The file, which ends in the format's name; None: RUN_DIR/policy.FORMAT."""

    @property
    def path(self) -> Path:
        """The file to write."""
        return self.out or self.run_dir / f"policy.{self.format}"

    def validate(self) -> None:
        """Raise ConfigError unless the files can be written."""
        from cvpo_jax.runs.export import files

        if self.path.suffix != f".{self.format}":
            raise ConfigError(f"--out is {self.path}: a file of --format {self.format} ends in .{self.format}")
        if self.out and not self.path.parent.is_dir():
            raise ConfigError(f"--out is {self.path}: the folder {self.path.parent} is missing; make it first")
        code = self.path.with_suffix(".py")
        ours = files.RUNNER.read_text().partition("\n")[0]
        if self.format == "npz" and code.exists() and not code.read_text().startswith(ours):
            raise ConfigError(f"--out is {self.path}: {code}, where its code would go, is a file of yours; rename one")
        files.require_packages(self.format)


def export(options: ExportOptions) -> list[Path]:
    """Write the files, and return their paths; raises ConfigError, CheckpointError.

    The policy's file is written last, after it was checked against the policy.
    """
    from cvpo_jax.runs import at_limit, directory
    from cvpo_jax.runs.export import files
    from cvpo_jax.runs.export.action_bounds import action_bounds
    from cvpo_jax.runs.export.model_card import model_card
    from cvpo_jax.runs.export.policy_arrays import PolicyArrays
    from cvpo_jax.runs.policy import load_state, make_policy
    from cvpo_jax.runtime.files import write_whole

    options.validate()
    config = directory.load_config(options.run_dir)
    at_limit.require_limit(options.run_dir, config, options.limit)
    state = load_state(options.run_dir, step=options.step, limit=options.limit)
    policy = PolicyArrays.of(state, *action_bounds(config.env, state.static.action_size))
    card: dict[str, Any] = {"file": options.path.name, "format": options.format, "cvpo_jax": __version__}
    card |= model_card(options.run_dir, config, state, policy, options.step, options.limit)
    content = files.encode(policy, options.format, {"model_card": json.dumps(card)})
    apart = files.difference(files.decode(content, options.format), make_policy(state), policy, CHECKED)
    if apart.of_rounding > 1:
        raise RuntimeError(
            f"the {options.format} differs from the policy by {apart.largest:.2g}, "
            f"{apart.of_rounding:.2g} times what rounding makes"
        )
    card["largest_difference"] = apart.largest
    written = {options.path.with_suffix(".json"): json.dumps(card, indent=2) + "\n"}
    if options.format == "npz":
        written[options.path.with_suffix(".py")] = files.RUNNER.read_text()
    for path, text in written.items():
        write_whole(path, text)
    write_whole(options.path, content)
    return [options.path, *written]


def command(arguments: Sequence[str]) -> None:
    """Export what the command line names, and print what was written."""
    options = cli.read_options(ExportOptions, "export", arguments)
    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    for path in export(options):
        print(path)


if __name__ == "__main__":
    cli.leave(cli.main(command))
