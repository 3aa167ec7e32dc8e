"""Seconds until a training has begun: `python benchmarks/first_step.py EXPERIMENT [--cache FOLDER] [--option value …]`.

Measured from the start of the program until the training loop is compiled and has run once, as a warm-up. The cache of
compiled programs lies in FOLDER: an empty folder gives a cold start, the same folder again a warm one.
"""

import argparse
import gc
import os
import time

START = time.perf_counter()


def main() -> None:
    """Build the trainer, warm it up, and print how long each of the two took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0], allow_abbrev=False)
    parser.add_argument("experiment")
    parser.add_argument("--cache", help="folder of compiled programs; the user's own by default")
    options, rest = parser.parse_known_args()
    gc.set_threshold(50_000)  # as all commands do
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
    fresh = time.perf_counter() - START
    jax.block_until_ready(built.warmup(state, collection))
    print(f"start: {fresh:.1f} s, first training steps after {time.perf_counter() - START:.1f} s")


if __name__ == "__main__":
    main()
