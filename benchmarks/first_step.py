"""Seconds until a training has begun: `python benchmarks/first_step.py EXPERIMENT [--cache FOLDER] [--option value …]`.

From the start of the program until the training loop is compiled and has run once, as a warm-up, with whatever the
cache of compiled programs in FOLDER holds: an empty folder gives a cold start, the same again a warm one.
"""

import argparse
import os
import time

BEGIN = time.perf_counter()


def main() -> None:
    """Build, start, warm up, and print how long each took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0], allow_abbrev=False)
    parser.add_argument("experiment")
    parser.add_argument("--cache", help="folder of compiled programs; the user's own without")
    options, rest = parser.parse_known_args()
    if options.cache:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = options.cache
    import jax

    from cvpo_jax.config.load import load_experiment, parse_overrides
    from cvpo_jax.runtime import compilation_cache
    from cvpo_jax.training import trainer

    compilation_cache.enable_cache()
    config = parse_overrides(load_experiment(options.experiment), rest, "python benchmarks/first_step.py", "")
    built = trainer.build(config)
    state, collection = jax.block_until_ready(built.fresh())
    fresh = time.perf_counter() - BEGIN
    jax.block_until_ready(built.warmup(state, collection))
    print(f"start: {fresh:.1f} s, first training steps after {time.perf_counter() - BEGIN:.1f} s")


if __name__ == "__main__":
    main()
