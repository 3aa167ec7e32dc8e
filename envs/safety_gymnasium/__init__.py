"""The original Safety-Gymnasium. Imports nothing here, since workers do without JAX."""
