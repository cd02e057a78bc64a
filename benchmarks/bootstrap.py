"""The statistics of a whole report, timed beside lm-eval's own bootstrap on the same scores.

    python benchmarks/bootstrap.py

Ours must take less than a second; where it does not, this exits with status 1.

Ten categories of three subcategories with 15 templates of 20 items, at a baseline and seven levels; 9,999 resamples. lm-eval gives
a standard error for each cell from items as if they were independent and unpaired; ours gives the paired, clustered interval. It runs in
one process (lm-eval's own pool of processes would start Python anew for each cell), for a hundredth of the resamples, and is scaled up.
"""

import random
import sys
import time

import numpy as np
from lm_eval.api.metrics import _bootstrap_internal, mean

from qbench.stats import Design, paired_differences

N_CATEGORIES, N_TEMPLATES, N_ITEMS, N_LEVELS = 10, 15, 20, 7
N_RESAMPLES = 9_999
MOST_SECONDS = 1
SHARE = 100  # lm-eval's bootstrap is run for a hundredth of its resamples


def main() -> None:
    rng = np.random.default_rng(0)
    template = np.repeat(np.arange(N_TEMPLATES), N_ITEMS)
    design = Design.of(template, template // (N_TEMPLATES // 3))
    categories = []
    for _ in range(N_CATEGORIES):
        baseline = (rng.random(template.size) < 0.6).astype(float)
        lost = rng.random((template.size, N_LEVELS)) < np.linspace(0.01, 0.7, N_LEVELS)
        categories.append((baseline, np.where(lost, 0.0, baseline[:, np.newaxis])))

    start = time.process_time()
    for baseline, levels in categories:
        paired_differences(baseline, levels, design, n_resamples=N_RESAMPLES, rng=rng)
    ours = time.process_time() - start

    resample = _bootstrap_internal(mean, N_RESAMPLES // SHARE)
    random.seed(0)
    start = time.process_time()
    for baseline, levels in categories:
        for scores in (baseline, *levels.T):
            resample((0, scores.tolist()))
    theirs = SHARE * (time.process_time() - start)

    n_items = N_CATEGORIES * template.size
    print(
        f"{N_CATEGORIES} categories, {1 + N_LEVELS} levels, {n_items:,} items, {N_RESAMPLES:,} resamples, CPU seconds of one core"
    )
    print(f"qbench           {ours:8.2f} s   (limit {MOST_SECONDS} s)")
    print(f"lm-eval          {theirs:8.2f} s   {theirs / ours:,.0f} times as long")
    if ours >= MOST_SECONDS:
        sys.exit("The limit was exceeded.")


if __name__ == "__main__":
    main()
