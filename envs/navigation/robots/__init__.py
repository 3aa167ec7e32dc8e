"""Robots: each a module of pure functions over a state of its own."""
