"""Log-likelihoods and greedy answers from llama.cpp, in batches that share what their prompts share."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import torch

from qbench.decoding import STOP_CHECK_EVERY, Decoded, Ending, append, look_for_stop
from qbench.gguf.llama import CELLS, Llama, Tree

SCORED_TOKENS = 2048
"""Of one batch of log-likelihoods. Every token looks at all the others of its batch, masked or not, so a larger one is slower."""

Pair = tuple[list[int], list[int]]
"""Token ids of a context, and of its continuation."""


def log_likelihoods(
    llama: Llama, pairs: Sequence[Pair], *, batch_size: int, progress: Callable[[int], None] = lambda n: None
) -> list[tuple[float, bool]]:
    """Score every continuation behind its context.

    Args:
        llama: the model.
        pairs: contexts of at least one token, and continuations.
        batch_size: sequences in one batch, at most.
        progress: called with the number of pairs scored.

    Returns:
        For each pair the log-likelihood in nats, NaN where the logits were, and whether it is the greedy choice throughout.
    """
    sums, greedy = [0.0] * len(pairs), [True] * len(pairs)
    for batch in _batches_to_score(llama, pairs, batch_size):
        tree, targets = Tree(), defaultdict(list)
        for pair in batch:
            context, continuation = pairs[pair]
            path = tree.add([*context, *continuation][:-1])
            for node, token in zip(path[len(context) - 1 :], continuation, strict=True):
                targets[node].append((pair, token))
        llama.clear(len(tree))
        for nodes, logits in llama.compute(tree, [node in targets for node in range(len(tree))]):
            asked = [(row, pair, token) for row, node in enumerate(nodes) for pair, token in targets[node]]
            rows, tokens = [row for row, _, _ in asked], [token for _, _, token in asked]
            scores = torch.log_softmax(logits, -1)[rows, tokens].tolist()
            choices = logits.argmax(-1)[rows].tolist()
            for (_, pair, token), score, choice in zip(asked, scores, choices, strict=True):
                sums[pair] += score
                greedy[pair] = greedy[pair] and choice == token
        progress(len(batch))
    return list(zip(sums, greedy, strict=True))


def _batches_to_score(llama: Llama, pairs: Sequence[Pair], batch_size: int) -> Iterator[list[int]]:
    """Cut pairs into batches; in the order of their tokens, so that those which begin alike come together."""
    sequences = [[*context, *continuation][:-1] for context, continuation in pairs]
    batch: list[int] = []
    tree = Tree()
    for pair in sorted(range(len(pairs)), key=sequences.__getitem__):
        full = len(batch) == min(batch_size, llama.max_sequences)
        if batch and (full or len(tree) + tree.n_new(sequences[pair]) > SCORED_TOKENS):
            yield batch
            batch, tree = [], Tree()
        tree.add(sequences[pair])
        batch.append(pair)
    if batch:
        yield batch


def decode(
    llama: Llama,
    prompts: Sequence[list[int]],
    max_new_tokens: Sequence[int],
    ending: Ending,
    *,
    batch_size: int,
    progress: Callable[[int], None] = lambda n: None,
) -> list[Decoded]:
    """Answer every prompt with the model's greedy choice, as `qbench.decoding.decode` does with a model of transformers."""
    results = [Decoded(limit) for limit in max_new_tokens]
    for batch in _batches_to_decode(llama, prompts, max_new_tokens, batch_size):
        rows = [results[prompt] for prompt in batch]
        _begin(llama, [prompts[prompt] for prompt in batch], ending, rows)
        _continue(llama, [len(prompts[prompt]) for prompt in batch], ending, rows)
        progress(len(batch))
    return results


def _batches_to_decode(
    llama: Llama, prompts: Sequence[list[int]], max_new_tokens: Sequence[int], batch_size: int
) -> Iterator[list[int]]:
    batch: list[int] = []
    tree, n_new = Tree(), 0
    for prompt in sorted(range(len(prompts)), key=prompts.__getitem__):
        full = len(batch) == min(batch_size, llama.max_sequences)
        n_cells = len(tree) + tree.n_new(prompts[prompt]) + n_new + max_new_tokens[prompt]
        if batch and (full or n_cells > CELLS):
            yield batch
            batch, tree, n_new = [], Tree(), 0
        tree.add(prompts[prompt])
        n_new += max_new_tokens[prompt]
        batch.append(prompt)
    if batch:
        yield batch


def _begin(llama: Llama, prompts: Sequence[list[int]], ending: Ending, rows: Sequence[Decoded]) -> None:
    """Read the prompts, and write the first token behind each."""
    tree = Tree()
    ends = [tree.add(prompt)[-1] for prompt in prompts]
    wanted = set(ends)
    llama.clear(len(tree) + sum(row.max_new_tokens for row in rows))
    chosen: dict[int, int | None] = {}  # None where the logits are NaN
    for nodes, logits in llama.compute(tree, [node in wanted for node in range(len(tree))]):
        chosen |= zip(nodes, _choices(logits), strict=True)
    for end, row in zip(ends, rows, strict=True):
        _take(row, chosen[end], ending)


def _continue(llama: Llama, lengths: Sequence[int], ending: Ending, rows: Sequence[Decoded]) -> None:
    """Decode until every row is finished; finished rows leave the cache."""
    running = {number: row for number, row in enumerate(rows)}
    n_steps = 0
    while True:
        for number in [number for number, row in running.items() if row.is_finished]:
            llama.forget(number)
            del running[number]
        if not running:
            break
        logits = llama.extend(
            [row.tokens[-1] for row in running.values()],
            [lengths[number] + len(row.tokens) - 1 for number, row in running.items()],
            [[number] for number in running],
            [True] * len(running),
        )
        assert logits is not None
        n_steps += 1
        for row, token in zip(running.values(), _choices(logits), strict=True):
            _take(row, token, ending)
            if n_steps % STOP_CHECK_EVERY == 0 or row.is_finished:
                look_for_stop(row, ending)


def _choices(logits: torch.Tensor) -> list[int | None]:
    """The greedy choice of each row of logits; None where there are NaN."""
    broken = torch.isnan(logits).any(-1).tolist()
    return [None if bad else token for token, bad in zip(logits.argmax(-1).tolist(), broken, strict=True)]


def _take(row: Decoded, token: int | None, ending: Ending) -> None:
    if row.is_finished:
        return
    if token is None:
        row.failed = True
    else:
        append(row, token, ending)
