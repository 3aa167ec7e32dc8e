"""How a process sits on its machine. Knows nothing of CVPO.

- `devices`: the pmap axis, its collectives, replication and sharding.
- `distributed`: several processes that train one run together.
- `launcher`: whether Slurm, Kubernetes or a TPU slice started this process as one of several.
- `memory`: what a device holds, what a replay needs, and the peak.
- `files`: files written whole or not at all, and folders for one writer at a time.
- `interrupt`: Ctrl-C as a request to stop.
- `compilation_cache`: compiled programs kept on disk.
"""
