"""Acting in environments and keeping what happened.

- `rollout`: act, store and measure the cost of episodes; CollectorState is what a device keeps for it.
- `replay`: the ring buffer and its n-step samples.
- `limit_input`: the limit as a feature of the observation, where a training is held to several.
- `evaluation`: whole episodes of a policy, and their summary.
"""
