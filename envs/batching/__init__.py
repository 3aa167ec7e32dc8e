"""Vmapped control flow in which one environment's work is not done for all.

- `control_flow`: loops and sums in the form each backend runs fastest.
- `compaction`: a function applied only where a flag holds, a chunk at a time.
- `work_queue`: searches of different lengths over a fixed number of lanes.
"""
