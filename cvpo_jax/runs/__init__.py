"""Everything under a run directory.

- `directory`: its configuration, its names, what may change on a resume.
- `checkpoint`: the whole state of a run by orbax, the latest and the best.
- `stored`, `progress`: trees of arrays as a checkpoint holds them, and what it says of itself; checksums of both.
- `metrics`: `metrics.jsonl` and the names of its keys.
- `console`, `board`: what a run says on the terminal and to TensorBoard.
- `recorder`: a run's outlets together, and the judgment of its numbers.
- `comparison/`: tables and pictures of several runs.
- `policy`: a trained policy from a run directory; `at_limit`: of a run at several limits that at one.
"""
