"""How fast is a level made? Each level of ``intx`` beside a copy of the same weights, read once and written once, in one run.

The weights are those of a random Llama of 100 million parameters, in float32. ``torchao`` is what its own ``quantize_`` takes to make the
same numbers. The profile says where the time goes.

Times are the processor's, on one thread, so that other work on the machine counts less.

    python benchmarks/quantize.py [--repeats 5]
    python benchmarks/quantize.py --write    # also quote the result in docs/levels.md
"""

import argparse
import time
from collections.abc import Callable

import torch
import transformers
from quoting import quote
from torch.profiler import ProfilerActivity, profile

from qbench.levels import LEVELS, Level
from qbench.quant.intx import PIECE, grid, group_size_for, lower
from qbench.quant.loaded import without_import_complaints

LARGEST = 10  # operations of the profile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="quote the result in docs/levels.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = table(options.repeats)
    print(*lines, sep="\n")
    if options.write:
        quote("docs/levels.md", {"speed": lines})


def matrices() -> list[torch.Tensor]:
    config = transformers.LlamaConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config)
    return [parameter.detach() for parameter in model.parameters() if parameter.ndim == 2]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest of several runs: other work on the machine only ever adds."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def by_torchao(weight: torch.Tensor, level: Level, out: torch.Tensor) -> None:
    from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerGroup, quantize_

    holder = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    holder.weight = torch.nn.Parameter(weight, requires_grad=False)
    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{level.bits}"),
        granularity=PerGroup(level.group_size),
        mapping_type=MappingType.SYMMETRIC if level.symmetric else MappingType.ASYMMETRIC,
        scale_dtype=torch.float16,
    )
    quantize_(holder, config)
    out.copy_(holder.weight.dequantize())


@torch.no_grad()
def table(repeats: int) -> list[str]:
    weights = matrices()
    outs = [torch.empty_like(weight) for weight in weights]
    n_weights = sum(weight.numel() for weight in weights)

    def every(make: Callable[[torch.Tensor, torch.Tensor], object]) -> Callable[[], None]:
        def work() -> None:
            for weight, out in zip(weights, outs, strict=True):
                make(weight, out)

        return work

    copy = every(lambda weight, out: out.copy_(weight))
    copy()  # the first touch of new memory is the operating system's time
    lines = [
        f"{n_weights / 1e6:.0f} million weights, one thread, processor time, fastest of {repeats} runs.",
        "",
        "| level | copy | qbench | share of the copy's speed | torchao |",
        "|---|--:|--:|--:|--:|",
    ]
    with without_import_complaints():
        by_torchao(weights[0], LEVELS["q8"], outs[0])
    for level in LEVELS.values():
        if level.is_full_precision or level.is_made_on_loading:
            continue
        copied = seconds(copy, repeats)
        ours = seconds(every(lambda weight, out, level=level: lower(weight, level, out)), repeats)  # type: ignore[misc]
        theirs = seconds(every(lambda weight, out, level=level: by_torchao(weight, level, out)), 2)  # type: ignore[misc]
        lines.append(f"| {level.name} | {copied:.3f} s | {ours:.3f} s | {copied / ours:.0%} | {theirs:.2f} s |")
    at_q4 = every(lambda weight, out: lower(weight, LEVELS["q4"], out))
    return [*lines, "", *_profile(at_q4), "", *_bounds(weights, outs, seconds(copy, repeats), at_q4, repeats)]


def _profile(work: Callable[[], None]) -> list[str]:
    """The operations of one pass over all weights, by the time they take themselves."""
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        work()
    events = sorted(recorded.key_averages(), key=lambda event: event.self_cpu_time_total, reverse=True)
    total = sum(event.self_cpu_time_total for event in events)
    lines = ["| operation of q4 | share of the time | calls |", "|---|--:|--:|"]
    for event in events[:LARGEST]:
        lines.append(f"| `{event.key}` | {event.self_cpu_time_total / total:.0%} | {event.count:,} |")
    return lines


def _bounds(
    weights: list[torch.Tensor], outs: list[torch.Tensor], copied: float, at_q4: Callable[[], None], repeats: int
) -> list[str]:
    """How near to a copy the same operations could come: with no overhead at all, and fused by a compiler."""
    n_weights = sum(weight.numel() for weight in weights)
    group_size = group_size_for(LEVELS["q4"], weights[0].shape[1])
    piece = weights[0].flatten()[:PIECE].view(-1, group_size).clone()
    out, one = torch.empty_like(piece), torch.ones(len(piece), 1)
    operations: list[Callable[[], object]] = [
        lambda: torch.amin(piece, 1),
        lambda: torch.amax(piece, 1),
        lambda: torch.mul(piece, one, out=out),
        lambda: torch.round(piece, out=out),
        lambda: torch.clamp_min(piece, one, out=out),
        lambda: torch.clamp_max(piece, one, out=out),
        lambda: torch.mul(piece, one, out=out),
        lambda: torch.sub(piece, out, out=out),
        lambda: torch.dot(out.view(-1), out.view(-1)),
        lambda: torch.dot(piece.view(-1), piece.view(-1)),
    ]
    cached = sum(seconds(operation, 100) for operation in operations) / PIECE * n_weights

    compiled_extremes, compiled_round = torch.compile(_extremes, dynamic=False), torch.compile(_round, dynamic=False)

    def compiled() -> None:
        n_groups = 3 * PIECE // group_size  # divides every matrix of this model, so that each function is compiled once
        for weight, target in zip(weights, outs, strict=True):
            parts = (torch.split(matrix.view(-1, group_size), n_groups) for matrix in (weight, target))
            for part, result in zip(*parts, strict=True):
                compiled_round(part, *grid(*compiled_extremes(part), LEVELS["q4"]), result)

    started = time.perf_counter()
    compiled()
    compiling = time.perf_counter() - started
    results = [target.clone() for target in outs]
    at_q4()
    same = all(map(torch.equal, results, outs))
    times = {
        "a copy, then the ten operations on a piece that is in the cache already": copied + cached,
        f"fused by `torch.compile` in {compiling:.0f} s, {'the same' if same else 'other'} bits": seconds(
            compiled, repeats
        ),
    }
    rows = [f"| {way} | {taken:.3f} s | {copied / taken:.0%} |" for way, taken in times.items()]
    return ["| q4 as it could be | time | share of the copy's speed |", "|---|--:|--:|", *rows]


def _extremes(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.amin(values, 1, keepdim=True), torch.amax(values, 1, keepdim=True)


def _round(
    values: torch.Tensor,
    inverse: torch.Tensor,
    smallest: torch.Tensor,
    largest: torch.Tensor,
    scale: torch.Tensor,
    out: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `qbench.quant.intx.lower` does with a piece once its grid is known, and the two sums of the proof."""
    lowered = torch.minimum(torch.maximum((values * inverse).round(), smallest), largest) * scale
    out.copy_(lowered)
    return (values - lowered).square().sum(1), values.square().sum(1)


if __name__ == "__main__":
    main()
