"""Environments with costs, all made by `make` and stepped alike, on Brax or on the genuine Safety-Gymnasium."""

import envs._mjx  # noqa: F401  (first: it keeps an import of Brax quiet)
from envs.base import SafeEnv, VectorEnv, vectorize
from envs.registry import build, make, option_names, task_ids

__all__ = ["SafeEnv", "VectorEnv", "build", "make", "option_names", "task_ids", "vectorize"]
