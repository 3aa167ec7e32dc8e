"""Constrained variational policy optimization (Liu et al., ICML 2022) as pure functions; in reading order:

- `state`: TrainState and what an update learns from; `update`: one update, algorithm 1 of the paper.
- `critics`, `networks`, `matmul`: action values of reward and cost, their targets and their networks.
- `estep`, `dual`, `feasibility`: the weights of the sampled actions.
- `threshold`, `limit_controller`: what the E-step is asked for, so that episodes keep the limit.
- `limits`: several limits in one training, what belongs to one computed for each.
- `mstep`, `gaussian`, `optimizer`: the policy's fit to the weighted actions.
- `sac_lag`: SAC-Lagrangian in place of E-step and M-step, to compare with; `cost_metrics`: what both say of the limit.

| in the paper | here |
|---|---|
| eq. 2, the threshold on the discounted cost | `threshold.threshold_from_limit` |
| eq. 7, the optimal variational distribution q | `dual.log_weights` |
| eq. 8, the convex dual g(eta, lambda) | `dual.evaluate`, minimized by `estep.solve_dual` |
| eq. 11 to 13, the M-step and its KL bounds | `mstep.lagrangian`, `mstep.fit` |
| C_mu, C_Sigma, the KL split into mean and covariance | `gaussian.kl_mean`, `gaussian.kl_covariance` |
| algorithm 1 | `update.update` |
"""
