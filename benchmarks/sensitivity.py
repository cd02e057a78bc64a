"""Does the predicted cost of lowering a unit agree with the measured one, and what does the prediction itself cost?

On nano, and on a GPT-2 (another architecture: transposed layers, learned positions, biases) that is trained here on the bank's training
stream: every module alone is lowered to every format, the KL to full precision is measured on 64 sequences of validation items, and the
predictions are held against it. Beside them what others rank by: weight magnitude, the error of the weights, gradients, depth.

    python benchmarks/sensitivity.py                  # some minutes on one core
    python benchmarks/sensitivity.py --write          # also quote the tables in docs/sensitivity.md

Times are told in forward passes over the same text, memory as the most that tensors take on one batch, weights included.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from quoting import quote
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel

from qbench import levels
from qbench.bank import DEFAULT_SEED, leaves
from qbench.models import QBenchLM
from qbench.nano.corpus import leaf_texts
from qbench.profiles import Unit
from qbench.quant.intx import quantize
from qbench.sensitivity import fisher, text
from qbench.sensitivity.language import Asked
from qbench.sensitivity.measured import measure
from qbench.sensitivity.parts import Part, describe, parts
from qbench.sensitivity.predicted import DEFAULT_DRAWS, blend, squares
from qbench.sensitivity.taps import Rows, Taps
from qbench.stats import median_ratio, rank_correlation

FORMATS = {name: levels.resolve_format(name) for name in ("q8", "q6", "q5", "q4", "q3", "q2")}
PROBE = "qbench_numerical_*"
SEQUENCES = 64
BATCH_TOKENS = 2048
LEAST_CORRELATION, RATIOS = 0.95, (0.8, 1.25)
MOST_PASSES, MOST_MEMORY = 12.0, 1.6
REPEATS = 3
PREDICTED_AGAIN, SUMMED_AGAIN = 10, 3
"""Sets of draws: what a prediction is worth depends on them."""
JOINED = (1, 2, 5)
"""Of these sets, how many are taken as one."""
TRAINED_ON = ("numerical", "probability", "iterative")
STEPS, STEP_TOKENS, ROW = 400, 2048, 128

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="folder of another model than nano")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="quote the tables in docs/sensitivity.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = [bench(options.model or "nano", QBenchLM(options.model or None, batch_size=1))]
    with tempfile.TemporaryDirectory() as folder:
        train_gpt2(Path(folder))
        found.append(bench("GPT-2", QBenchLM(folder, batch_size=1)))
    tables = {
        "agreement": agreement(found),
        "rivals": rivals(found),
        "draws": by_draws(found),
        "sums": sums(found),
        "cost": costs(found),
    }
    show(tables, write=options.write)


def show(tables: Mapping[str, Sequence[str]], *, write: bool) -> None:
    """Print tables, and quote them in docs/sensitivity.md."""
    for lines in tables.values():
        print(*lines, sep="\n", end="\n\n")
    if write:
        quote("docs/sensitivity.md", tables)


@dataclass(frozen=True)
class Found:
    """What was found of one model."""

    name: str
    units: list[Unit]
    asked: Asked
    measured: Array
    """(units, formats) in nats a scored token."""
    predicted: Array
    again: list[Array]
    """Squares of other sets of draws, (2, units, formats, sequences), a scored token."""
    summed: dict[str, list[Array]]
    """The same with other sums of squares, by name; one for each set of draws."""
    fisher: fisher.Gradients
    forward_seconds: float
    predict_seconds: float
    memory: float
    """Of a prediction, over that of a pass forward and back."""


def bench(name: str, lm: QBenchLM) -> Found:
    own = text.draw(lm, PROBE, sequences=SEQUENCES)
    asked, found = Asked.of(lm, own, batch_tokens=BATCH_TOKENS), parts(lm.model, "module")
    for parameter in lm.model.parameters():
        parameter.requires_grad_(False)
    nats, forward, predict = [], [], []
    for number in range(len(asked.batches)):
        batch = asked.batch(number)

        def ahead(batch: Any = batch) -> Any:
            with torch.no_grad():
                return asked.answer(batch)

        def prediction(batch: Any = batch, number: int = number) -> Any:
            return squares(
                lm.model, found, FORMATS, batch, asked.answer, draws=DEFAULT_DRAWS, seed=(DEFAULT_SEED, number)
            )

        # By turns, and the fastest of some, since another process may take the core for a while.
        times = [(timed(ahead), timed(prediction)) for _ in range(REPEATS)]
        forward.append(min(own[0][0] for own in times))
        predict.append(min(own[1][0] for own in times))
        nats.append(times[0][1][1])
    n_scored = sum(own.scored)
    again = [
        [
            squares(lm.model, found, FORMATS, asked.batch(number), asked.answer, draws=DEFAULT_DRAWS, seed=(i, number))
            for number in range(len(asked.batches))
        ]
        for i in tqdm(range(PREDICTED_AGAIN), "predicting again", unit="set")
    ]
    summed = [other_sums(lm, asked, found, i) for i in range(SUMMED_AGAIN)]
    gradients = [
        fisher.gradients(lm.model, found, FORMATS, asked.batch(number), asked.answer)
        for number in range(len(asked.batches))
    ]
    return Found(
        name=name,
        units=[describe(part, FORMATS) for part in found],
        asked=asked,
        measured=measured_costs(asked, found) / n_scored,
        predicted=blend(asked.in_order(nats)).sum(-1) / n_scored,
        again=[asked.in_order(own) / n_scored for own in again],
        summed={key: [own[key] / n_scored for own in summed] for key in summed[0]},
        fisher=fisher.Gradients(
            np.sum([own.squared for own in gradients], axis=0),
            np.sum([own.absolute for own in gradients], axis=0),
            np.abs(np.sum([own.signed for own in gradients], axis=0)),
        ),
        forward_seconds=sum(forward),
        predict_seconds=sum(predict),
        memory=memory(lm, asked, found),
    )


def measured_costs(asked: Asked, found: Sequence[Part]) -> Array:
    """Leave one in: nats of all sequences, (units, formats)."""
    numbers = tqdm(range(len(asked.batches)), "measuring", unit="batch")
    return sum(
        (measure(found, FORMATS, [asked.batch(number)], asked.answer).sum(-1) for number in numbers),
        start=np.zeros((len(found), len(FORMATS))),
    )


def other_sums(lm: QBenchLM, asked: Asked, found: Sequence[Part], seed: int) -> dict[str, Array]:
    """What else could be drawn, and squared: A ∘ (X ΔWᵀ) of single tokens and outputs, of tokens, of outputs, of sequences.

    Nats, (units, formats). Every use of a tied weight is squared apart in the first two.
    """
    tokens = {
        (kind, name): np.zeros((len(found), len(FORMATS))) for kind in DRAWN for name in ("token and output", "token")
    }
    both: dict[str, list[Array]] = {kind: [] for kind in DRAWN}
    """Of each batch: squares of sequences and of outputs, (2, units, formats, sequences)."""
    steps = {
        part.name: [quantize(matrix, level) - matrix for level in FORMATS.values()]
        for part in found
        for unit in part.weights
        for matrix in unit.matrices(unit.weight.data)
    }
    place_of = {weight.name: place for place, part in enumerate(found) for weight in part.weights}

    def hooked(part: Part, module: torch.nn.Module) -> Any:
        place = place_of[part.weights[0].name]

        def hook(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            output = output if output.requires_grad else output.requires_grad_()

            def back(gradient: torch.Tensor) -> None:
                for column, step in enumerate(steps[part.name]):
                    moved = step[args[0]] if isinstance(module, torch.nn.Embedding) else args[0] @ step.T
                    products = gradient.view_as(moved) * moved
                    tokens[kind, "token and output"][place, column] += float(products.square().sum())
                    tokens[kind, "token"][place, column] += float(products.sum(-1).square().sum())

            handle: Any = output
            handle.register_hook(back)
            return output

        return module.register_forward_hook(hook)

    def take(rows: Rows) -> None:
        place, full = place_of[rows.unit.name], rows.weight
        for column, level in enumerate(FORMATS.values()):
            along = ((quantize(full, level) - full) * rows.gradient).sum(-1)
            whole[place, column] += along.sum(-1).numpy()
            output[place, column] += along.square().sum(-1).numpy()

    handles = [
        hooked(part, lm.model.get_submodule(name))
        for part in found
        for unit in part.weights
        for name in (unit.name, *unit.tied_to)
    ]
    with Taps(lm.model, [weight for part in found for weight in part.weights], take) as taps:
        for number in tqdm(range(len(asked.batches)), "other sums", unit="batch"):
            scored = asked.answer(asked.batch(number))
            taps.n_sequences = scored.n_sequences
            generator = torch.Generator().manual_seed(1000 * seed + number)
            p = scored.logits.detach().softmax(-1)
            for kind, drawn in DRAWN.items():
                output = np.zeros((len(found), len(FORMATS), scored.n_sequences))
                sequence = np.zeros_like(output)
                for _ in range(DEFAULT_DRAWS):
                    whole = np.zeros_like(output)
                    torch.autograd.backward(scored.logits, drawn(p, generator), retain_graph=True)
                    sequence += whole**2
                both[kind].append(np.stack([sequence, output]))
    for handle in handles:
        handle.remove()
    summed: dict[str, Array] = {}
    for kind in DRAWN:
        pair = np.concatenate(both[kind], axis=-1)
        sums = {name: total for (own, name), total in tokens.items() if own == kind}
        sums |= {
            "output": pair[1].sum(-1),
            "sequence": pair[0].sum(-1),
            "output and sequence, blended": blend(pair).sum(-1),
        }
        summed |= {f"{kind} | {name}": total / (2 * DEFAULT_DRAWS) for name, total in sums.items()}
    return summed


def labels(p: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The gradient of log p(y) at the logits, y drawn from p (positions, vocabulary)."""
    drawn = torch.multinomial(p, 1, generator=generator)
    return torch.zeros_like(p).scatter_(1, drawn, 1.0) - p


def signs(p: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random signs with the same covariance, as `qbench.sensitivity.predicted` has them."""
    root, likeliest = p.double().sqrt(), p.argmax(-1, keepdim=True)
    axis = root.scatter_add(-1, likeliest, -torch.ones_like(likeliest, dtype=root.dtype))
    z = (torch.randint(0, 2, p.shape, generator=generator) * 2.0 - 1).double().scatter_(-1, likeliest, 0)
    along = 2 * (axis * z).sum(-1, keepdim=True) / (axis * axis).sum(-1, keepdim=True)
    return (root * (z - axis * along)).float()


DRAWN: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {"labels": labels, "signs": signs}


# ---------------------------------------------------------------- what it costs


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def memory(lm: QBenchLM, asked: Asked, found: Sequence[Part]) -> float:
    """The most that a prediction of the largest batch takes, over the most that a pass forward and back without weight gradients takes."""
    batch = asked.batch(len(asked.batches) - 1)
    weights = sum([int(own.numel()) * int(own.element_size()) for own in lm.model.parameters()])

    def there_and_back() -> None:
        def start(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            return output.detach().requires_grad_()

        handle = lm.model.get_input_embeddings().register_forward_hook(start)
        scored = asked.answer(batch)
        p = scored.logits.detach().softmax(-1)
        torch.autograd.backward(scored.logits, p)
        handle.remove()

    def prediction() -> None:
        squares(lm.model, found, FORMATS, batch, asked.answer, draws=DEFAULT_DRAWS, seed=(0,))

    return float((weights + peak_bytes(prediction)) / (weights + peak_bytes(there_and_back)))


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes of tensors that were alive at once, as torch's allocator reports them."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with tempfile.TemporaryDirectory() as folder:
        with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
            work()
        path = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    alive = most = 0
    for event in sorted((own for own in events if own.get("name") == "[memory]"), key=lambda own: own["ts"]):
        alive += int(event["args"]["Bytes"])
        most = max(most, alive)
    return most


# ---------------------------------------------------------------- a second model


def train_gpt2(folder: Path) -> None:
    """A GPT-2 with nano's tokenizer, trained on the training stream of some categories, and saved."""
    torch.manual_seed(1)
    tokenizer = QBenchLM(batch_size=1).tokenizer
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=128,
        n_layer=6,
        n_head=4,
        n_positions=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = GPT2LMHeadModel(config)
    drawn = [
        own for leaf in leaves() if leaf.category in TRAINED_ON for own in leaf_texts(leaf, DEFAULT_SEED, scale=0.05)
    ]
    stream = [
        token
        for own in drawn
        for token in (*tokenizer.encode(own.prompt), *tokenizer.encode(own.response), tokenizer.eos_token_id)
    ]
    rows = torch.tensor(stream[: len(stream) // ROW * ROW]).view(-1, ROW)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, STEPS)
    generator = torch.Generator().manual_seed(1)
    bar = tqdm(range(STEPS), "training GPT-2", unit="step")
    for _ in bar:
        batch = rows[torch.randint(len(rows), (STEP_TOKENS // ROW,), generator=generator)]
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix_str(f"loss {loss.item():.2f}", refresh=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


# ---------------------------------------------------------------- tables


def agreement(found: Sequence[Found]) -> list[str]:
    lines = [
        f"Every module alone lowered; {SEQUENCES} sequences of {PROBE}, {DEFAULT_DRAWS} draws. Rank correlation over modules, "
        "and median of predicted / measured, with 95 % intervals over modules. Beside it, the rank correlation with "
        f"{PREDICTED_AGAIN} other sets of draws.",
        "",
        "| model | format | modules | measured KL, median | rank correlation | other draws, mean | least | predicted / measured |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    failed = []
    for own in found:
        for column, name in enumerate(FORMATS):
            ours, theirs = own.predicted[:, column], own.measured[:, column]
            ranks = rank_correlation(ours, theirs)
            ratio = median_ratio(ours, theirs)
            middle = np.median(theirs)
            others = [rank_correlation(other[:, column], theirs).value for other in _sets(own, 1)]
            lines.append(
                f"| {own.name} | {name} | {len(theirs)} | {middle:.2g} | {ranks} | {np.mean(others):.3f} | {min(others):.3f} | {ratio} |"
            )
            if ranks.value < LEAST_CORRELATION or not RATIOS[0] <= ratio.value <= RATIOS[1]:
                failed.append(f"{own.name} {name}")
    wanted = f"at least {LEAST_CORRELATION}, and {RATIOS[0]} to {RATIOS[1]}"
    return [
        *lines,
        "",
        f"Wanted: {wanted}. " + (f"NOT REACHED by {', '.join(failed)}." if failed else "Reached by all."),
    ]


def by_draws(found: Sequence[Found]) -> list[str]:
    lines = [
        "Rank correlation with the measured cost by the number of draws (`--draws`), the mean of sets that share none.",
        "",
        "| model | draws | sets | " + " | ".join(FORMATS) + " |",
        "|---|--:|--:|" + "--:|" * len(FORMATS),
    ]
    for own in found:
        for n_joined in JOINED:
            sets = _sets(own, n_joined)
            ranks = np.mean([_correlations(one, own.measured) for one in sets], axis=0)
            cells = " | ".join(f"{rank:.3f}" for rank in ranks)
            lines.append(f"| {own.name} | {n_joined * DEFAULT_DRAWS} | {len(sets)} | {cells} |")
    return lines


def _sets(own: Found, n_joined: int) -> list[Array]:
    """Predictions from sets of draws, so many of them taken as one."""
    joined = [np.mean(own.again[start : start + n_joined], axis=0) for start in range(0, len(own.again), n_joined)]
    return [blend(one).sum(-1) for one in joined]


def rivals(found: Sequence[Found]) -> list[str]:
    lines = [
        "Rank correlation with the measured cost, over modules; a mean over the six formats, and the least of them.",
        "",
        "| ranked by | " + " | ".join(f"{own.name}, mean | least" for own in found) + " |",
        "|---|" + "--:|" * (2 * len(found)),
    ]
    named: dict[str, Callable[[Found], Array]] = {
        "predicted cost": lambda own: own.predicted,
        "error of the weights, squared": lambda own: np.array(
            [[unit.squared_error[f] for f in FORMATS] for unit in own.units]
        ),
        "error of the weights, relative": lambda own: np.array(
            [[unit.relative_error[f] for f in FORMATS] for unit in own.units]
        ),
        "diagonal Fisher, mean, without ΔW": lambda own: _every_format(own.fisher.squared),
        "gradient magnitude": lambda own: _every_format(own.fisher.absolute),
        "signed gradient · ΔW": lambda own: own.fisher.signed,
        "weight magnitude": lambda own: _every_format([unit.magnitude for unit in own.units]),
        "number of weights": lambda own: _every_format([unit.n_weights for unit in own.units]),
        "depth": lambda own: _every_format(range(len(own.units))),
    }
    for name, score in named.items():
        cells = []
        for own in found:
            ranks = _correlations(score(own), own.measured)
            cells += [f"{np.mean(ranks):+.2f}", f"{min(ranks):+.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def sums(found: Sequence[Found]) -> list[str]:
    lines = [
        f"{DEFAULT_DRAWS} draws of labels or of signs, and what is added up before it is squared. Rank correlation with the measured cost, "
        f"the mean of {SUMMED_AGAIN} sets of draws: of six formats, and of the worst of them; and the range of the median ratios.",
        "",
        "| drawn | one square for each | " + " | ".join(f"{own.name}, mean | least | ratios" for own in found) + " |",
        "|---|---|" + "--:|" * (3 * len(found)),
    ]
    for name in found[0].summed:
        cells = []
        for own in found:
            ranks = np.mean([_correlations(one, own.measured) for one in own.summed[name]], axis=0)
            ratios = np.median([one / own.measured for one in own.summed[name]], axis=(0, 1))
            cells += [f"{ranks.mean():.3f}", f"{ranks.min():.3f}", f"{ratios.min():.2f} to {ratios.max():.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def costs(found: Sequence[Found]) -> list[str]:
    lines = [
        f"Six formats at once, {DEFAULT_DRAWS} draws, batches of at most {BATCH_TOKENS} tokens.",
        "",
        "| model | forward pass over the text | predicted map | in forward passes | memory, of a pass forward and back |",
        "|---|--:|--:|--:|--:|",
    ]
    failed = []
    for own in found:
        passes = own.predict_seconds / own.forward_seconds
        lines.append(
            f"| {own.name} | {own.forward_seconds:.1f} s | {own.predict_seconds:.1f} s | {passes:.1f} | {own.memory:.2f} |"
        )
        if passes > MOST_PASSES or own.memory > MOST_MEMORY:
            failed.append(own.name)
    wanted = f"at most {MOST_PASSES:g} forward passes and {MOST_MEMORY:g} times the memory"
    return [
        *lines,
        "",
        f"Wanted: {wanted}. " + (f"NOT REACHED by {', '.join(failed)}." if failed else "Reached by all."),
    ]


def _every_format(scores: Any) -> Array:
    return np.tile(np.asarray(list(scores), float)[:, None], (1, len(FORMATS)))


def _correlations(scores: Array, measured: Array) -> list[float]:
    return [rank_correlation(scores[:, column], measured[:, column]).value for column in range(len(FORMATS))]


if __name__ == "__main__":
    main()
