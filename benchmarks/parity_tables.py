"""Write the tables of docs/parity.md anew: `python benchmarks/parity_tables.py FILE.npz … [--page docs/parity.md]`.

Runs `python -m envs.parity` over the recordings in double and in single precision. What stands above the tables on the
page is kept; check afterwards whether it still holds.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

DOUBLE = "## Tables in double precision (`--x64`)"
SINGLE = "## Tables in single precision"


def tables(files: Sequence[Path], *options: str) -> str:
    """What the tool prints; raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", "envs.parity", *map(str, files), *options]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit() -> str:
    """The short name of the commit that is checked out, with a note where tracked files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty= with changes"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def filled(page: str, double: str, single: str, made_at: str) -> str:
    """`page` with its tables replaced; raises ValueError where it has no place for them."""
    head, found, _ = page.partition(DOUBLE)
    if not found:
        raise ValueError(f'the page has no line "{DOUBLE}"')
    note = f"Made at commit {made_at}. Run the tool for the state of your checkout."
    single = single.replace("### ", "### Single precision, ")
    return f"{head}{DOUBLE}\n\n{note}\n\n{double}\n\n{SINGLE}\n\nMade at the same commit.\n\n{single}\n"


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="recordings (npz), in the order of the tables")
    parser.add_argument("--page", type=Path, default=Path("docs/parity.md"))
    options = parser.parse_args()
    made_at = commit()
    made = tables(options.files, "--x64"), tables(options.files)
    options.page.write_text(filled(options.page.read_text(), *made, made_at))
    return 0


if __name__ == "__main__":
    sys.exit(main())
