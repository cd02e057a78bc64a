"""Greedy decoding, and the verification of drafts.

A sweep asks every level the same questions, and neighbouring levels mostly give the same responses. So the response at the level above
is taken as a draft: one forward pass over prompt and draft shows how far this level's own greedy choice agrees, and decoding goes on
only from the first disagreement. Every token returned is the greedy choice of this level; a draft only saves passes. (Leviathan et al.
2023, arXiv:2211.17192, with a draft that is already there.)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

MAX_BATCH_TOKENS = 16_384  # bounds the memory of one pass, whatever the batch size


@dataclass
class Decoded:
    """What one prompt was answered with."""

    max_new_tokens: int
    tokens: list[int] = field(default_factory=list)
    stopped: bool = False
    """Ended by an end token or a stop string; otherwise cut off at the limit."""
    accepted: int = 0
    """Tokens taken from the draft."""
    failed: bool = False
    """The logits were NaN."""

    @property
    def is_finished(self) -> bool:
        return self.stopped or self.failed or len(self.tokens) >= self.max_new_tokens


@dataclass(frozen=True)
class Ending:
    """What ends a response, other than its length."""

    tokens: frozenset[int]
    is_stopped: Callable[[Sequence[int]], bool]
    """Whether a stop string occurs in the decoded tokens."""


STOP_CHECK_EVERY = 8  # steps between two looks for a stop string; what is decoded past it is cut off by the caller
KEPT_BEFORE_COMPACTING = 0.85  # taking rows out copies the cache, so it waits until it saves more than it costs
LEFT_OVER = 0.25  # share of a batch's rows that wait for the next round, so that the slowest rows of all batches share their steps


@torch.inference_mode()
def decode(
    model: torch.nn.Module,
    prompts: Sequence[list[int]],
    max_new_tokens: Sequence[int],
    ending: Ending,
    *,
    batch_size: int,
    drafts: Sequence[list[int] | None] | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> list[Decoded]:
    """Answer every prompt with the model's greedy choice.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        prompts: token ids of each prompt.
        max_new_tokens: the longest response to each prompt.
        ending: what else ends a response.
        batch_size: prompts in one pass, at most.
        drafts: for each prompt the token ids of a likely response, or None.
        progress: called with the number of prompts finished.

    Returns:
        One `Decoded` for each prompt, in the same order.
    """
    results = [Decoded(limit) for limit in max_new_tokens]
    if drafts is not None:
        cut = {index: draft[: max_new_tokens[index]] for index, draft in enumerate(drafts) if draft}
        lengths = {index: len(prompts[index]) + len(draft) for index, draft in cut.items()}
        for batch in _batches(lengths, batch_size):
            _verify(model, [prompts[i] for i in batch], [cut[i] for i in batch], ending, [results[i] for i in batch])
        progress(sum(result.is_finished for result in results))
    while lengths := {i: len(prompts[i]) + len(r.tokens) for i, r in enumerate(results) if not r.is_finished}:
        batches = list(_batches(lengths, batch_size))
        for batch in batches:
            left_over = int(LEFT_OVER * len(batch)) if len(batches) > 1 else 0
            _continue(model, [prompts[i] for i in batch], ending, [results[i] for i in batch], left_over)
            progress(sum(results[i].is_finished for i in batch))
    return results


def _batches(lengths: dict[int, int], batch_size: int) -> Iterator[list[int]]:
    """Cut indices into batches of similar length, longest first, bounded in rows and in tokens."""
    batch: list[int] = []
    for index in sorted(lengths, key=lambda index: -lengths[index]):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * lengths[batch[0]] > MAX_BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _left_padded(sequences: Sequence[list[int]], device: torch.device) -> dict[str, torch.Tensor]:
    """Pad on the left, so that the last position of every row is its last token. The padding token is masked: any id will do."""
    width = max(map(len, sequences))
    ids = torch.zeros(len(sequences), width, dtype=torch.long)
    mask = torch.zeros(len(sequences), width, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, width - len(sequence) :] = torch.tensor(sequence)
        mask[row, width - len(sequence) :] = 1
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "position_ids": positions.to(device)}


def _verify(
    model: torch.nn.Module,
    prompts: Sequence[list[int]],
    drafts: Sequence[list[int]],
    ending: Ending,
    results: Sequence[Decoded],
) -> None:
    """Accept of each draft the longest prefix that the model would have written itself, and add its own next token."""
    longest = max(map(len, drafts))
    inputs = _left_padded([prompt + draft for prompt, draft in zip(prompts, drafts, strict=True)], device_of(model))
    logits = model(**inputs, use_cache=False, logits_to_keep=longest + 1).logits
    choices = logits.argmax(-1).tolist()
    broken = torch.isnan(logits).any(-1).tolist()
    for row, (draft, result) in enumerate(zip(drafts, results, strict=True)):
        own, bad = choices[row][longest - len(draft) :], broken[row][longest - len(draft) :]
        agreed = next((at for at, token in enumerate(draft) if token != own[at] or bad[at]), len(draft))
        result.failed = bad[agreed]
        result.accepted = agreed
        result.tokens.extend(draft[:agreed])
        if not result.is_finished:
            append(result, own[agreed], ending)
            result.stopped = result.stopped or ending.is_stopped(result.tokens)


def _continue(
    model: torch.nn.Module,
    prompts: Sequence[list[int]],
    ending: Ending,
    results: Sequence[Decoded],
    left_over: int,
) -> None:
    """Decode until at most ``left_over`` rows are unfinished; finished rows leave the batch, a few at a time."""
    inputs = _left_padded(
        [prompt + result.tokens for prompt, result in zip(prompts, results, strict=True)], device_of(model)
    )
    rows = list(results)
    step = model(**inputs, past_key_values=roomy_cache(model), use_cache=True, logits_to_keep=1)
    mask, positions = inputs["attention_mask"], inputs["position_ids"][:, -1:]
    n_steps = 0
    while True:
        logits = step.logits[:, -1]
        chosen = logits.argmax(-1)
        n_steps += 1
        for result, token, broken in zip(rows, chosen.tolist(), torch.isnan(logits).any(-1).tolist(), strict=True):
            if result.is_finished:
                continue
            result.failed = broken
            if not broken:
                append(result, token, ending)
            if n_steps % STOP_CHECK_EVERY == 0 and not result.is_finished:
                result.stopped = ending.is_stopped(result.tokens)
        kept = [row for row, result in enumerate(rows) if not result.is_finished]
        if len(kept) <= left_over:
            break
        cache = step.past_key_values
        if len(kept) <= KEPT_BEFORE_COMPACTING * len(rows):
            index = torch.tensor(kept, device=mask.device)
            cache.batch_select_indices(index)
            mask, positions, chosen = mask[index], positions[index], chosen[index]
            rows = [rows[row] for row in kept]
        positions = positions + 1
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        step = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
    for result in results:
        if not result.stopped and not result.failed:
            result.stopped = ending.is_stopped(result.tokens)


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not followed
    """A layer of the cache with room for the next tokens; transformers' own copies the whole cache at every token."""

    ROOM = 64  # tokens
    keys: torch.Tensor
    values: torch.Tensor
    _key_buffer: torch.Tensor | None = None
    _value_buffer: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        self._key_buffer, self.keys = self._extended(self._key_buffer, self.keys, key_states, length, end)
        self._value_buffer, self.values = self._extended(self._value_buffer, self.values, value_states, length, end)
        return self.keys, self.values

    def _extended(
        self, buffer: torch.Tensor | None, kept: torch.Tensor, new: torch.Tensor, length: int, end: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write ``new`` behind ``kept``, in a larger buffer where the old one is full or has lost rows of the batch."""
        if buffer is None or buffer.shape[0] != new.shape[0] or buffer.shape[-2] < end:
            buffer = new.new_empty(*new.shape[:-2], end + self.ROOM, new.shape[-1])
            if length:
                buffer[..., :length, :] = kept
        buffer[..., length:end, :] = new
        return buffer, buffer[..., :end, :]


def roomy_cache(model: torch.nn.Module) -> DynamicCache:
    cache = DynamicCache(config=getattr(model, "config", None))
    if not cache.layers:  # a model without a configuration: the cache makes its layers as they come
        cache.layer_class_to_replicate = _RoomyLayer
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def append(result: Decoded, token: int, ending: Ending) -> None:
    """Take one more token, or the end, into a response."""
    if token in ending.tokens:
        result.stopped = True
    else:
        result.tokens.append(token)


def device_of(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
