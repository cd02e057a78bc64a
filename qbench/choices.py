"""Log-likelihoods of several continuations behind one context, which is computed once.

lm-eval's own Hugging Face model computes the context anew for every choice. Here a batch of contexts goes into a cache, and the choices
of each context follow it in a single row, side by side: every token sees the context and its own choice, none of the others, and counts
its position from the context's end. The cache is never copied for a choice, and a choice of one token costs
nothing. (The attention mask is SpecInfer's token tree, Miao et al. 2024, arXiv:2305.09781, one level deep.)
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import log_softmax
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from qbench.decoding import MAX_BATCH_TOKENS, device_of

MAX_TAIL_TOKENS = 2_048  # of one pass, all rows together: each of them has logits over the whole vocabulary
ROW_TOKENS = 256  # of choices behind one context, or as many as the context has: more are split, and the context is computed again


@dataclass(frozen=True)
class Branches:
    """Requests that share their context."""

    context: list[int]
    continuations: list[list[int]]
    requests: list[int]
    """Where each continuation stands among all requests."""

    @property
    def tail(self) -> list[int]:
        """What is computed behind the cache: the context's last token, then each choice but for its last token, which is only predicted."""
        return [self.context[-1], *(token for choice in self.continuations for token in choice[:-1])]

    @property
    def owners(self) -> list[int]:
        """For each token of the tail the number of its choice, from 1; 0 for the context's last token."""
        return [0, *(number for number, choice in enumerate(self.continuations, 1) for _ in choice[1:])]

    @property
    def positions(self) -> list[int]:
        """For each token of the tail its place in the text: context and own choice."""
        n = len(self.context)
        return [n - 1, *(n + at for choice in self.continuations for at in range(len(choice) - 1))]

    @property
    def predictions(self) -> list[tuple[int, int]]:
        """For each token of each choice: the place in the tail that predicts it, and the token."""
        pairs, start = [], 0
        for choice in self.continuations:
            places = [0, *range(start + 1, start + len(choice))]
            pairs += list(zip(places, choice, strict=True))
            start += len(choice) - 1
        return pairs


def branches(requests: Sequence[tuple[list[int], list[int]]]) -> list[Branches]:
    """Gather the (context, continuation) requests whose context is shared; those that stand alone are in none."""
    by_context: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, (context, _) in enumerate(requests):
        by_context[tuple(context)].append(position)
    found = []
    for tokens, positions in by_context.items():
        context = list(tokens)
        part = Branches(context, [], [])
        parts = [part]
        for position in positions:
            continuation = requests[position][1]
            if part.continuations and len(part.tail) + len(continuation) - 1 > max(ROW_TOKENS, len(context)):
                part = Branches(context, [], [])
                parts.append(part)
            part.continuations.append(continuation)
            part.requests.append(position)
        found += [part for part in parts if len(part.continuations) > 1]
    return found


@torch.inference_mode()
def log_likelihoods(
    model: torch.nn.Module,
    shared: Sequence[Branches],
    *,
    batch_size: int,
    softmax_dtype: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> dict[int, tuple[float, bool]]:
    """Score the continuations behind each shared context.

    Args:
        model: a causal language model of transformers, in evaluation mode, of which `can_branch` is true.
        shared: what `branches` found.
        batch_size: contexts in one pass, at most.
        softmax_dtype: what probabilities are computed in; the logits' own by default, as in lm-eval.
        progress: called with the number of requests scored.

    Returns:
        For each request's place: its log-likelihood (NaN if the logits are), and whether it is the greedy choice.
    """
    scores = {}
    for batch in _batches(shared, batch_size):
        logits = _logits(model, batch)
        # Behind the last token of the context stand all first tokens; behind the others, the next one of the same choice.
        sources = _padded([at for at, _ in part.predictions] for part in batch).to(logits.device)
        targets = _padded([token for _, token in part.predictions] for part in batch).to(logits.device)
        # The dtypes are lm-eval's: probabilities of the logits' own type, summed in it.
        log_probabilities = log_softmax(logits, -1, dtype=softmax_dtype)
        rows = torch.arange(len(batch), device=logits.device)[:, None]
        chosen = log_probabilities[rows, sources, targets].cpu()
        agrees = (logits.argmax(-1)[rows, sources] == targets).cpu()
        for row, part in enumerate(batch):
            start = 0
            for request, continuation in zip(part.requests, part.continuations, strict=True):
                own = slice(start, start + len(continuation))
                scores[request] = (float(chosen[row, own].sum()), bool(agrees[row, own].all()))
                start = own.stop
            progress(len(part.requests))
    return scores


def _batches(shared: Sequence[Branches], batch_size: int) -> Iterator[list[Branches]]:
    """Cut into batches of similar context, longest first, bounded in rows, in tokens, and in tokens behind the contexts."""
    batch: list[Branches] = []
    for part in sorted(shared, key=lambda part: -len(part.context)):
        n_rows, n_tail = len(batch) + 1, max(len(other.tail) for other in [*batch, part])
        n_tokens = len((batch or [part])[0].context) + n_tail
        full = len(batch) == batch_size or n_rows * n_tokens > MAX_BATCH_TOKENS or n_rows * n_tail > MAX_TAIL_TOKENS
        if batch and full:
            yield batch
            batch = []
        batch.append(part)
    if batch:
        yield batch


def _logits(model: torch.nn.Module, batch: Sequence[Branches]) -> torch.Tensor:
    """Return the logits behind each token of each tail (row, token, word)."""
    device = device_of(model)
    cache = DynamicCache(config=getattr(model, "config", None))
    contexts = _padded(part.context[:-1] for part in batch)
    if contexts.shape[1]:
        # As lm-eval does, padded on the right and without a mask: nothing in front of the padding can see it, and the choices will not.
        model(input_ids=contexts.to(device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    owners = _padded(part.owners for part in batch)
    n_before = torch.tensor([len(part.context) - 1 for part in batch])
    in_context = torch.arange(contexts.shape[1]) < n_before[:, None]
    # The padding counts as the context's last token does: everybody sees that one, and a row that sees nothing has no softmax.
    in_tail = ((owners[:, :, None] == owners[:, None, :]) | (owners == 0)[:, None, :]).tril()
    mask = torch.cat([in_context[:, None, :].expand(-1, owners.shape[1], -1), in_tail], dim=-1)
    logits: torch.Tensor = model(
        input_ids=_padded(part.tail for part in batch).to(device),
        attention_mask=mask[:, None].to(device),
        position_ids=_padded(part.positions for part in batch).to(device),
        past_key_values=cache,
        use_cache=True,
    ).logits
    return logits


def _padded(rows: Iterable[list[int]]) -> torch.Tensor:
    """Stack rows of different length, zeros behind them."""
    tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)


@torch.inference_mode()
def can_branch(model: torch.nn.Module) -> bool:
    """Whether choices behind a shared context get the logits that each gets alone.

    Needs attention that takes a mask (SDPA) and a cache that keeps every token; sliding windows, recurrent states and compressed caches
    do not. What a configuration does not say, such as attention that ignores position ids, is tried on a few tokens.
    """
    config = getattr(model, "config", None)
    if getattr(config, "_attn_implementation", None) != "sdpa":
        return False
    if not all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers):
        return False
    if not {"position_ids", "logits_to_keep"} <= inspect.signature(model.forward).parameters.keys():
        return False
    trial = [
        Branches([11, 12, 13, 14, 15], [[16, 17, 18, 19], [20, 21, 22, 23]], []),
        Branches([12, 14], [[16, 13, 12], [15, 11]], []),
    ]
    logits = _logits(model, trial)
    for row, part in enumerate(trial):
        behind = [at for at, _ in part.predictions]
        expected = [
            model(input_ids=torch.tensor([part.context + choice[:-1]], device=logits.device)).logits[0, -len(choice) :]
            for choice in part.continuations
        ]
        alone = torch.cat(expected).float()
        difference = (logits[row, behind].float() - alone).norm() / alone.norm()
        # Half of the digits: far above rounding, far below what a wrong position or a leaking choice changes.
        if not difference < torch.finfo(logits.dtype).eps ** 0.5:
            return False
    return True
