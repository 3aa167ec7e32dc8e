"""How near an update comes to the speed of plain matrix products: `taskset -c 1 python benchmarks/peak_share.py`.

Updates at FSRL's navigation setting, with 16 samples and with 8, alternate in windows with plain products of 512 x 128
by 128 x 128, so that other load on the machine affects all of them alike. `update_operations` counts the operations of
an update.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from ours import ACTION, FSRL, OBSERVATION, repeat, updates

from cvpo_jax import AlgoConfig
from cvpo_jax.algorithm.matmul import product_of
from cvpo_jax.runtime import compilation_cache

ROWS, WIDTH, MATMULS, WINDOWS, SECONDS = 512, 128, 200, 7, 1.5


def update_operations(algo: AlgoConfig) -> float:
    """Multiplications and additions of all matrix products of an update."""
    first, inner = (OBSERVATION + ACTION) * WIDTH, WIDTH * WIDTH
    critics, states = algo.reward_critics + algo.cost_critics, algo.batch_size
    critic, actor = first + inner + WIDTH, OBSERVATION * WIDTH + inner + 2 * ACTION * WIDTH
    # The backward pass costs as much again for the weights, and for the inputs of all layers but the first.
    learn = 3 * critic - first + critic
    sampled = OBSERVATION * WIDTH + algo.samples * (ACTION * WIDTH + inner + WIDTH)
    policy = 5 * actor - OBSERVATION * WIDTH
    return 2.0 * states * (critics * (learn + sampled) + policy)


def plain_products(algo: AlgoConfig) -> Callable[[], float]:
    """Matrix products one after the other; the work is counted in operations."""
    product = product_of(algo.matmul_dtype)
    weights = jax.random.normal(jax.random.PRNGKey(0), (WIDTH, WIDTH)) / WIDTH**0.5

    def several(rows: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.lax.fori_loop(0, MATMULS, lambda _, x: product(x, weights), rows), weights

    rows = jax.random.normal(jax.random.PRNGKey(1), (ROWS, WIDTH))
    return repeat(jax.jit(several), (rows, weights), 2.0 * MATMULS * ROWS * WIDTH * WIDTH)


def rate(work: Callable[[], float]) -> float:
    """Units per second in one window."""
    done, begin = 0.0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < SECONDS:
        done += work()
    return done / elapsed


def main() -> None:
    """Measure in alternating windows and print a table."""
    argparse.ArgumentParser(description=(__doc__ or "").split(":")[0]).parse_args()
    compilation_cache.enable_cache()
    print(f"{'matmul':<9} {'K':>3} {'updates/s':>10} {'GFLOP/s':>8} {'plain':>6} {'share':>6}   range")
    for dtype in ("float32", "bfloat16"):
        for samples in (16, 8):
            algo = replace(FSRL, samples=samples, matmul_dtype=dtype)
            ours, theirs = updates(algo), plain_products(algo)
            ours(), theirs()
            pairs = [(rate(ours), rate(theirs)) for _ in range(WINDOWS)]
            speed, peak = (statistics.median(column) for column in zip(*pairs, strict=True))
            shares = [each * update_operations(algo) / peak for each, peak in pairs]
            middle = f"{speed * update_operations(algo) / 1e9:8.0f} {peak / 1e9:6.0f} {statistics.median(shares):6.0%}"
            print(
                f"{dtype:<9} {samples:>3} {speed:10.0f} {middle}   {min(shares):.0%} to {max(shares):.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
