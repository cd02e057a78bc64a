"""Fill nano's model card from the training's own records and from a finished sweep.

    python benchmarks/nano.py [--build build/nano] [--run runs/nano]

A block of the card begins with ``<!-- NAME -->`` and ends with ``<!-- /NAME -->``; what stands between is replaced.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from qbench.models import nano_path
from qbench.nano.recipe import TRAINING
from qbench.nano.train import LOSSES
from qbench.records import Sample, read_sweep
from qbench.stats import Design, Estimate, mean_scores

NANO = Path(nano_path())


def training() -> str:
    """What the recipe wrote down beside the weights."""
    facts = json.loads((NANO / TRAINING).read_text(encoding="utf-8"))
    return "\n".join(
        ["| | |", "|---|--:|", *(f"| {name.replace('_', ' ')} | {_plain(value)} |" for name, value in facts.items())]
    )


def losses(build: Path) -> str:
    """The loss on texts that were never trained on, at every checkpoint."""
    entries = map(json.loads, (build / LOSSES).read_text(encoding="utf-8").splitlines())
    rows = [
        f"| {entry['step']:,} | {entry['tokens']:,} | {entry['held_out']:.3f} |"
        for entry in entries
        if "held_out" in entry
    ]
    return "\n".join(["| step | tokens | held-out loss, nats |", "|--:|--:|--:|", *rows])


def accuracy(run: Path) -> str:
    """Mean score per leaf and per difficulty at the sweep's baseline."""
    sweep = read_sweep(run)
    baseline = sweep.run(sweep.baseline)
    samples = [sample for task in baseline.tasks if task.startswith("qbench_") for sample in baseline.samples(task)]
    leaf_rows = _rows(samples, lambda sample: f"{sample['doc']['category']} / {sample['doc']['subcategory']}")
    difficulty_rows = _rows(samples, lambda sample: f"difficulty {sample['doc']['difficulty']}")
    head = ["| | mean score [95 % interval] | guessing | items | templates |", "|---|--:|--:|--:|--:|"]
    return "\n".join([*head, *leaf_rows, *difficulty_rows])


def _rows(samples: list[Sample], name: Callable[[Sample], str]) -> list[str]:
    groups = groupby(sorted(samples, key=name), key=name)
    return [_row(label, list(group)) for label, group in groups]


def _row(label: str, samples: list[Sample]) -> str:
    estimate = _mean(samples)
    low, high = estimate.interval
    return (
        f"| {label} | {estimate.value:.1%} [{low:.1%}, {high:.1%}] | {_chance(samples):.0%} "
        f"| {estimate.n_items} | {estimate.n_templates} |"
    )


def _mean(samples: list[Sample]) -> Estimate:
    docs = [sample["doc"] for sample in samples]
    design = Design.of([doc["template"] for doc in docs], [f"{doc['category']}_{doc['subcategory']}" for doc in docs])
    scores = [[math.nan if sample["score"] is None else sample["score"]] for sample in samples]
    (estimate,) = mean_scores(scores, design, rng=np.random.default_rng(0))
    return estimate


def _chance(samples: Iterable[Sample]) -> float:
    """What guessing scores: one in the number of choices, one half for Yes or No, else nothing."""
    return float(np.mean([_chance_of(sample["doc"]) for sample in samples]))


def _chance_of(doc: Sample) -> float:
    if doc["choices"]:
        return 1 / len(doc["choices"])
    return 0.5 if json.loads(doc["answer"])["type"] == "boolean" else 0.0


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/nano"), help="folder of the training")
    parser.add_argument("--run", type=Path, default=Path("runs/nano"), help="folder of a finished sweep of nano")
    options = parser.parse_args()
    card = NANO / "README.md"
    text = card.read_text(encoding="utf-8")
    blocks = {"training": training(), "losses": losses(options.build), "accuracy": accuracy(options.run)}
    for name, block in blocks.items():
        begin = text.index(f"<!-- {name} -->") + len(f"<!-- {name} -->")
        text = f"{text[:begin]}\n{block}\n{text[text.index(f'<!-- /{name} -->') :]}"
    card.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
