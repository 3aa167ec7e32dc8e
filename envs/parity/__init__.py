"""The ports against recordings of the original: `python -m envs.parity FILE.npz …`.

- `compare`: the one-step errors, and the command.
- `recording`: recordings, read into the ports' states.
- `matched_starts`: episodes of both that begin in the same layout.
"""
