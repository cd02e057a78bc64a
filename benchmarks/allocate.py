"""Is the allocated mix the best one under its budget, and how long does it take to find it?

First the solver alone: 200 modules with the sizes of a 7B Llama and costs that differ by orders of magnitude, six formats, solved until the
optimum is proven. Then measured KL: on nano and on the GPT-2 that benchmarks/sensitivity.py trains, every module is profiled on validation
items, and the allocated mix and its controls of the same size are measured on other ones, at 3 and at 4 bits for each weight that a level
applies to. Last, nano's mix of 3 bits answers test items beside the uniform one.

    python benchmarks/allocate.py                  # some minutes on one core
    python benchmarks/allocate.py --write          # also quote the tables in docs/sensitivity.md
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sensitivity import show, train_gpt2

from qbench import profiles
from qbench.allocate import allocate
from qbench.allocate.solve import Integers, Limit, choose, total
from qbench.levels import LEVELS
from qbench.sensitivity import sensitivity
from qbench.sensitivity.validate import validate
from qbench.validation import MixAgreement, Validation, mix_agreements, mix_order, unit_agreements

FORMATS = ("q8", "q6", "q5", "q4", "q3", "q2")
BUDGETS = (3.0, 4.0)  # bits for each weight that a level applies to
SEQUENCES = 64
PROBES = {"nano": "qbench_*", "GPT-2": "all=qbench_numerical_*,qbench_probability_*,qbench_iterative_*"}
"""The GPT-2 was trained on these three categories alone."""
N_PROBLEMS, MOST_SECONDS = 10, 2.0
HIDDEN, MLP, N_LAYERS, VOCABULARY = 4096, 11008, 28, 32000  # of 7B Llamas; 28 layers of 7 matrices, 2 tables, 2 more
TEST_BITS, TEST_TASKS, TEST_ITEMS, TEST_CONTROLS = 3.0, ("qbench_*",), 2, ("uniform", "inverted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="quote the tables in docs/sensitivity.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_gpt2(folder / "gpt2")
        found = [*run("nano", "", folder / "nano"), *run("GPT-2", str(folder / "gpt2"), folder / "gpt2-mixes")]
        tables = {
            "allocation": [*solver(), "", *allocation(found)],
            "validation": [*validated(found), "", *tested(folder / "nano")],
        }
    show(tables, write=options.write)


# ---------------------------------------------------------------- the solver


def solver() -> list[str]:
    sizes = llama_sizes()
    seconds, unused = [], []
    for seed in range(N_PROBLEMS):
        costs = lognormal_costs(sizes, seed)
        for bits in (*BUDGETS, 4.5):
            budget = int(bits * n_weights().sum())
            started = time.process_time()
            choice = choose(costs, [Limit(sizes, budget)])
            seconds.append(time.process_time() - started)
            assert choice is not None
            unused.append(1 - total(sizes, choice) / budget)
    reached = max(seconds) < MOST_SECONDS and min(unused) >= 0
    return [
        f"{len(sizes)} modules with the sizes of a 7B Llama, {len(FORMATS)} formats, {len(seconds)} problems at 3, 4 and 4.5 bits per "
        "weight, each solved until the optimum is proven.",
        "",
        "| processor time, median | longest | of the budget unused, most | least |",
        "|--:|--:|--:|--:|",
        f"| {np.median(seconds):.2f} s | {max(seconds):.2f} s | {max(unused):.4%} | {min(unused):.4%} |",
        "",
        f"Wanted: under {MOST_SECONDS:g} s, and never above the budget. {'Reached.' if reached else 'NOT REACHED.'}",
    ]


def n_weights() -> Integers:
    layer = [HIDDEN * HIDDEN] * 4 + [HIDDEN * MLP] * 3
    return np.array(layer * N_LAYERS + [VOCABULARY * HIDDEN] * 2 + [HIDDEN * HIDDEN] * 2, dtype=np.int64)


def llama_sizes() -> Integers:
    """Bits of each module at each format."""
    weights = n_weights()
    return np.array([weights * 64 * LEVELS[name].bits_per_weight() / 64 for name in FORMATS]).T.round().astype(np.int64)


def lognormal_costs(sizes: Integers, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Costs a weight that span two orders of magnitude over the modules, fall fourfold with each bit, and scatter by a tenth."""
    rng = np.random.default_rng(seed)
    falling = np.array([4.0 ** -(LEVELS[name].bits or 0) for name in FORMATS])
    per_weight = rng.lognormal(0, 1.2, len(sizes))[:, np.newaxis] * falling * rng.lognormal(0, 0.1, sizes.shape)
    return np.asarray(per_weight * n_weights()[:, np.newaxis] / n_weights().sum())


# ---------------------------------------------------------------- measured KL


Found = tuple[str, float, Validation]


def run(name: str, model: str, folder: Path) -> list[Found]:
    """Profile a model, allocate at each budget, and measure the mixes on other text."""
    path = folder / "sens.json"
    sensitivity(model, tasks=[PROBES[name]], formats=FORMATS, sequences=SEQUENCES, out=path)
    own = profiles.read(path)
    n_lowered = sum(unit.n_weights for unit in own.units)
    found = []
    for bits in BUDGETS:
        mix = folder / f"mix{bits:g}.yaml"
        allocate(path, bytes=bits * n_lowered / 8 + own.model.other_bytes, controls=True, out=mix)
        found.append(
            (name, bits, validate(path, mix, model=model, run=folder / f"run{bits:g}", sequences=SEQUENCES, test=False))
        )
    return found


def agreements(validation: Validation) -> tuple[MixAgreement, list[MixAgreement]]:
    best, *others = mix_agreements(validation)
    return best, others


def allocation(found: Sequence[Found]) -> list[str]:
    """Measured KL of every mix, as a multiple of the allocated one's."""
    names = [control.name.partition("-")[2] for control in found[0][2].controls]
    heads = [f"{model}, {bits:g} bits" for model, bits, _ in found]
    lines = [
        f"Measured KL on {SEQUENCES} sequences that no profile was made from, in nats a token; of the controls as a multiple of the "
        "allocated mix's on the same text, with 95 % intervals over sequences.",
        "",
        "| mix | " + " | ".join(heads) + " |",
        "|---|" + "--:|" * len(found),
        "| bytes (of the smallest control) | " + " | ".join(_sizes(validation) for _, _, validation in found) + " |",
        "| **allocated** | "
        + " | ".join(f"**{agreements(validation)[0].measured}**" for _, _, validation in found)
        + " |",
    ]
    lost = []
    for position, name in enumerate(names):
        cells = []
        for head, (_, _, validation) in zip(heads, found, strict=True):
            other = agreements(validation)[1][position]
            cells.append(str(other.to_allocated))
            if other.to_allocated.value <= 1:
                lost.append(f"{name} ({head})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    wanted = "Wanted: a lower measured KL than uniform and than every control."
    return [*lines, "", f"{wanted} {'NOT REACHED against ' + ', '.join(lost) + '.' if lost else 'Reached.'}"]


def _sizes(validation: Validation) -> str:
    smallest = min(control.storage_bytes for control in validation.controls)
    return f"{validation.allocated.storage_bytes:,.0f} ({smallest:,.0f})"


def validated(found: Sequence[Found]) -> list[str]:
    lines = [
        "Predicted against measured, on text that the profile was not made from. Units: each alone, at the format that most of them have "
        "in the mix. Mixes: the allocated one and its controls.",
        "",
        "| model | bits | format | units: rank correlation | more than depth order | predicted / measured, median | mixes: rank "
        "correlation | mix: measured / sum of its units, predicted | mix: measured / expected | mix: measured / its units alone |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for model, bits, validation in found:
        (unit,) = unit_agreements(validation)
        best, others = agreements(validation)
        order = mix_order([best, *others], confidence=validation.confidence)
        lines.append(
            f"| {model} | {bits:g} | {unit.format} | {unit.evidence.correlation} | {unit.evidence.over_depth} | {unit.ratio} | {order} | "
            f"{best.measured.value / best.predicted.value:.2f} | {best.ratio} | {best.additivity} |"
        )
    return lines


def tested(folder: Path) -> list[str]:
    """What nano's mix answers, beside the uniform mix of its size."""
    mix = folder / f"mix{TEST_BITS:g}.yaml"
    controls = [mix.with_name(f"{mix.stem}-{name}.yaml") for name in TEST_CONTROLS]
    validation = validate(
        folder / "sens.json", mix, controls, run=folder / "test", sequences=2, items=TEST_ITEMS, tasks=TEST_TASKS
    )
    mixes = list(dict.fromkeys(own.mix for own in validation.test))
    lines = [
        f"nano at {TEST_BITS:g} bits: score less that of the uniform mix, in percentage points, {TEST_ITEMS} test items of each template.",
        "",
        "| | items / templates | " + " | ".join(name.replace(mix.stem, "allocated", 1) for name in mixes) + " |",
        "|---|--:|" + "--:|" * len(mixes),
    ]
    for row in dict.fromkeys(own.row for own in validation.test):
        cells = [own for own in validation.test if own.row == row]
        texts = [f"{own.value:+.1f} [{own.low:+.1f}, {own.high:+.1f}] {own.verdict}".replace("-", "−") for own in cells]
        lines.append(f"| {row} | {cells[0].n_items} / {cells[0].n_templates} | " + " | ".join(texts) + " |")
    return lines


if __name__ == "__main__":
    main()
