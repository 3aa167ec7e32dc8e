"""Environments in worker processes. Imports nothing here, since workers do without JAX."""
