"""Write the pages of parity tables: `python benchmarks/parity_tables.py FILE.npz … [--folder docs/lab]`.

Runs `python -m envs.parity` over the recordings in double and in single precision. Each precision gets a page of its
own, `parity_tables_float64.md` and `parity_tables_float32.md`, which names the commit at which its tables were made.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OPTIONS = {"float64": ("--x64",), "float32": ()}
"""What `envs.parity` is called with for each precision."""
PAGE = """\
# Parity tables, {precision}

One-step errors of the ports against recordings of Safety-Gymnasium 1.0.0 on MuJoCo 2.3.3, made at commit {made_at} by

    {command}

Errors are the largest absolute component, in SI units, of one step from a recorded state under the recorded action.
Kinds of steps:

- *contact*: the recording lists a contact of the robot at either end of the step.
- *near*: it lists none, but something solid is within reach during the step and may be touched in between.
- *free*: nothing is within reach.
- *first*: Car's first step after a reset. Its contact distance of exactly 0 depends on rounding; so does its reward.
- *all*: the observation at the recorded states.

Rewards that differ by more than 1e-4 count as different.

{tables}
"""


def parity_tables(files: Sequence[Path], precision: str) -> str:
    """The tables that `envs.parity` prints; raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "envs.parity", *map(str, files), *OPTIONS[precision]]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def current_commit() -> str:
    """The short name of the commit that is checked out, with a note if tracked files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty= with changes"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def page(precision: str, tables: str, made_at: str) -> str:
    """The whole page with the tables of one precision, a section for each recording."""
    command = " ".join(["python -m envs.parity FILE.npz …", *OPTIONS[precision]])
    tables = tables.replace("### ", "## ")
    return PAGE.format(precision=precision, made_at=made_at, command=command, tables=tables)


def main() -> None:
    """Run the comparison in both precisions and write their pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("files", nargs="+", type=Path, help="recordings (npz), in the order of the tables")
    parser.add_argument("--folder", type=Path, default=Path("docs/lab"), help="where the pages lie")
    options = parser.parse_args()
    made_at = current_commit()
    # Both precisions first: if one fails, neither page is written.
    pages = {precision: page(precision, parity_tables(options.files, precision), made_at) for precision in OPTIONS}
    for precision, text in pages.items():
        (options.folder / f"parity_tables_{precision}.md").write_text(text)


if __name__ == "__main__":
    main()
