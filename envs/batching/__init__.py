"""Vmapped control flow in which work that one environment needs is not done for all of them.

- `control_flow`: loops and sums in the form each backend runs fastest.
- `compaction`: a function applied only where a flag holds, one chunk at a time.
- `work_queue`: searches of different lengths over a fixed number of lanes.
"""
