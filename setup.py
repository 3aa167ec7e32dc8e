"""Build the wheel: `envs/` becomes `cvpo_jax.envs`, and experiments are what `cvpo init` copies.

Under its name in this checkout, `envs` would take that of many a user's own package. An editable install leaves both
folders where they are, as `envs` and `experiments`; everything else about the project stands in pyproject.toml.
"""

import re
import sys
from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

MOVED = ("envs", "experiments")
"""Folders of the checkout that the wheel has inside `cvpo_jax`."""


def renamed(source: str) -> str:
    """`source` with `cvpo_jax.envs` wherever it speaks of `envs`: in imports, names of modules, and messages."""
    source = re.sub(r"(?<![\w.])envs(?=\.[a-z_]| import )", "cvpo_jax.envs", source, flags=re.IGNORECASE)
    source = re.sub(r"^(\s*import )envs$", r"\1cvpo_jax.envs", source, flags=re.MULTILINE)
    return source.replace('import_module("envs")', 'import_module("cvpo_jax.envs")')


class BuildPy(build_py):
    """Copies modules as ever, and renames `envs` in the copies."""

    def build_module(self, module: str, module_file: str, package: str) -> tuple[str, bool]:
        """The copy, and whether it was written."""
        built, written = super().build_module(module, module_file, package)
        if written and not self.editable_mode:
            copy = Path(built)
            copy.write_text(renamed(copy.read_text()))
        return built, written


def found(folder: str) -> list[str]:
    """The package of this name and those in it."""
    return find_namespace_packages(include=[folder, f"{folder}.*"])


moved = [name for folder in MOVED for name in found(folder)]
if "editable_wheel" in sys.argv:
    setup(packages=[*found("cvpo_jax"), *moved])
else:
    setup(
        packages=[*found("cvpo_jax"), *(f"cvpo_jax.{name}" for name in moved)],
        package_dir={f"cvpo_jax.{folder}": folder for folder in MOVED},
        cmdclass={"build_py": BuildPy},
    )
