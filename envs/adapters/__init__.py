"""Other people's environments with a cost: of Gymnasium, single or in vectors, of Brax and of MuJoCo Playground.

In reading order: `errors` (exceptions in one line), `source` (module:Name to an environment), `spaces` (Gymnasium's
spaces to flat vectors), `gymnasium_env` (one in a worker process), `vector_env` (a given vector of them),
`compiled_env` (one inside the compiled loop), `costs` (`with_cost`, for environments that have none) with one file for
each kind of environment. Nothing is imported here, since workers do without JAX.
"""
