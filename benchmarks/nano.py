"""Fill nano's model card from the training's own records and from a finished sweep, and draw its loss.

python benchmarks/nano.py [--build build/nano] [--run runs/nano]
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from numpy.typing import NDArray
from quoting import ROOT, quote

from qbench.models import nano_path
from qbench.nano.recipe import TRAINING
from qbench.nano.train import LOSSES
from qbench.records import read_sweep
from qbench.samples import Sample
from qbench.stats import Design, Estimate, mean_scores

NANO = Path(nano_path())
PICTURE = ROOT / "docs" / "pictures" / "nano_loss.svg"
LOSS_ROWS = 12
SMOOTHED = 50  # steps
LOW, HIGH = 0.4, 0.95  # a leaf between them can lose and gain

Array = NDArray[np.float64]


def _category(sample: Sample) -> str:
    return str(sample["doc"]["category"])


def _leaf(sample: Sample) -> str:
    return f"{sample['doc']['category']} / {sample['doc']['subcategory']}"


def _difficulty(sample: Sample) -> str:
    return f"difficulty {sample['doc']['difficulty']}"


def training() -> str:
    """What the recipe wrote down beside the weights."""
    facts = json.loads((NANO / TRAINING).read_text(encoding="utf-8"))
    return "\n".join(
        ["| | |", "|---|--:|", *(f"| {name.replace('_', ' ')} | {_plain(value)} |" for name, value in facts.items())]
    )


def losses(build: Path) -> str:
    """The loss on texts that were never trained on, at some of the checkpoints; the picture has all."""
    checks = _checks(build)
    shown = [checks[round(at)] for at in np.linspace(0, len(checks) - 1, min(LOSS_ROWS, len(checks)))]
    rows = [f"| {entry['step']:,} | {entry['tokens']:,} | {entry['held_out']:.3f} |" for entry in shown]
    return "\n".join(["| step | tokens | held-out loss, nats |", "|--:|--:|--:|", *rows])


def draw_losses(build: Path, path: Path) -> None:
    """The loss of every step, smoothed, and that on held-out texts, over the tokens trained."""
    steps = [entry for entry in _entries(build) if "loss" in entry]
    smooth = np.convolve([entry["loss"] for entry in steps], np.full(SMOOTHED, 1 / SMOOTHED), "valid")
    trained = [
        {"tokens": entry["tokens"], "loss": float(loss), "on": f"training, mean of {SMOOTHED} steps"}
        for entry, loss in list(zip(steps[SMOOTHED - 1 :], smooth, strict=True))[::SMOOTHED]
    ]
    held_out = [{"tokens": entry["tokens"], "loss": entry["held_out"], "on": "held out"} for entry in _checks(build)]
    chart = (
        alt.Chart(alt.InlineData(trained + held_out), width=560, height=240)
        .mark_line(point=alt.OverlayMarkDef(size=12))
        .encode(
            x=alt.X("tokens:Q", title="tokens trained", axis=alt.Axis(format="~s", tickCount=8)),
            y=alt.Y("loss:Q", title="loss, nats", scale=alt.Scale(type="log")),
            color=alt.Color("on:N", title=None, legend=alt.Legend(orient="top-right")),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(vl_convert.vegalite_to_svg(chart.to_json()), encoding="utf-8")


def _checks(build: Path) -> list[dict[str, Any]]:
    return [entry for entry in _entries(build) if "held_out" in entry]


def _entries(build: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (build / LOSSES).read_text(encoding="utf-8").splitlines()]


def read_samples(run: Path) -> list[Sample]:
    """What a sweep's baseline answered to the bank."""
    sweep = read_sweep(run)
    baseline = sweep.run(sweep.baseline)
    return [sample for task in baseline.tasks if task.startswith("qbench_") for sample in baseline.samples(task)]


def accuracy(samples: list[Sample]) -> str:
    """Mean score per category, leaf and difficulty, beside what guessing scores."""
    head = ["| | mean score [95 % interval] | guessing | items | templates |", "|---|--:|--:|--:|--:|"]
    rows = [_row(name, group) for way in (_category, _leaf, _difficulty) for name, group in _groups(samples, way)]
    return "\n".join([*head, *rows])


def bars(samples: list[Sample]) -> str:
    """How many categories and leaves are better than guessing, and how many leaves leave room in both directions."""
    categories, leaves = ([group for _, group in _groups(samples, way)] for way in (_category, _leaf))
    between = sum(LOW <= _mean(group).value <= HIGH for group in leaves)
    return (
        f"Better than guessing by a 95 % interval: {sum(map(_beats_guessing, categories))} of {len(categories)} categories, "
        f"{sum(map(_beats_guessing, leaves))} of {len(leaves)} leaves. Between {LOW:.0%} and {HIGH:.0%}: {between} leaves."
    )


def _groups(samples: list[Sample], name: Callable[[Sample], str]) -> list[tuple[str, list[Sample]]]:
    return [(label, list(group)) for label, group in groupby(sorted(samples, key=name), key=name)]


def _row(label: str, samples: list[Sample]) -> str:
    estimate = _mean(samples)
    low, high = estimate.interval
    return (
        f"| {label} | {estimate.value:.1%} [{low:.1%}, {high:.1%}] | {np.mean(_chances(samples)):.0%} "
        f"| {estimate.n_items} | {estimate.n_templates} |"
    )


def _mean(samples: list[Sample]) -> Estimate:
    (estimate,) = mean_scores(_scores(samples)[:, np.newaxis], _design(samples), rng=np.random.default_rng(0))
    return estimate


def _beats_guessing(samples: list[Sample]) -> bool:
    gain = _scores(samples) - _chances(samples)
    (estimate,) = mean_scores(gain[:, np.newaxis], _design(samples), rng=np.random.default_rng(0))
    return estimate.interval.low > 0


def _scores(samples: list[Sample]) -> Array:
    return np.array([math.nan if sample["score"] is None else sample["score"] for sample in samples])


def _design(samples: list[Sample]) -> Design:
    docs = [sample["doc"] for sample in samples]
    return Design.of([doc["template"] for doc in docs], [_leaf(sample) for sample in samples])


def _chances(samples: Iterable[Sample]) -> Array:
    """What guessing scores: one in the number of choices, one half for Yes or No, else nothing."""
    return np.array([_chance_of(sample["doc"]) for sample in samples])


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
    samples = read_samples(options.run)
    blocks = {
        "training": training(),
        "losses": losses(options.build),
        "bars": bars(samples),
        "accuracy": accuracy(samples),
    }
    quote("qbench/nano/README.md", {name: [block] for name, block in blocks.items()})
    draw_losses(options.build, PICTURE)
    print(blocks["bars"])


if __name__ == "__main__":
    main()
