"""How fast it is.

- `timing`: a compiled function's speed, the median of several windows.
- `loops`: the stages of training by themselves, as loops to be timed.
- `update_parts`: an experiment's environment, collection, update and the update's parts.
- `reset_cost`: what new episodes add to stepping.
- `collectives`, `scaling`: what devices send each other, and speed over numbers of devices.
- `host_envs`: worker processes against Safety-Gymnasium's own vector.
"""
