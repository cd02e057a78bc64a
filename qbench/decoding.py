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

    tokens: list[int] = field(default_factory=list)
    stopped: bool = False
    """Ended by an end token or a stop string; otherwise cut off at the limit."""
    accepted: int = 0
    """Tokens taken from the draft."""
    failed: bool = False
    """The logits were NaN."""


@dataclass(frozen=True)
class Limits:
    """When a response ends."""

    max_new_tokens: int
    end_tokens: frozenset[int]
    is_stopped: Callable[[Sequence[int]], bool]
    """Whether a stop string occurs in the decoded tokens."""


STOP_CHECK_EVERY = 8  # steps between two looks for a stop string; what is decoded past it is cut off by the caller


@torch.inference_mode()
def decode(
    model: torch.nn.Module,
    prompts: Sequence[list[int]],
    limits: Limits,
    *,
    batch_size: int,
    drafts: Sequence[list[int] | None] | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> list[Decoded]:
    """Answer every prompt with the model's greedy choice.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        prompts: token ids of each prompt.
        limits: when a response ends.
        batch_size: prompts in one pass, at most.
        drafts: for each prompt the token ids of a likely response, or None.
        progress: called with the number of prompts finished.

    Returns:
        One `Decoded` for each prompt, in the same order.
    """
    results = [Decoded() for _ in prompts]
    if drafts is not None:
        drafted = [index for index, draft in enumerate(drafts) if draft]
        lengths = {index: len(prompts[index]) + len(drafts[index] or ()) for index in drafted}
        for batch in _batches(drafted, lengths, batch_size):
            _verify(
                model,
                [prompts[i] for i in batch],
                [(drafts[i] or [])[: limits.max_new_tokens] for i in batch],
                limits,
                [results[i] for i in batch],
            )
            progress(sum(_is_finished(results[i], limits) for i in batch))
    open_ones = [index for index, result in enumerate(results) if not _is_finished(result, limits)]
    lengths = {index: len(prompts[index]) + len(results[index].tokens) for index in open_ones}
    for batch in _batches(open_ones, lengths, batch_size):
        _continue(model, [prompts[i] for i in batch], limits, [results[i] for i in batch])
        progress(len(batch))
    return results


def _is_finished(result: Decoded, limits: Limits) -> bool:
    return result.stopped or result.failed or len(result.tokens) >= limits.max_new_tokens


def _batches(indices: Sequence[int], lengths: dict[int, int], batch_size: int) -> Iterator[list[int]]:
    """Cut into batches of similar length, longest first, bounded in rows and in tokens."""
    batch: list[int] = []
    for index in sorted(indices, key=lambda index: -lengths[index]):
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
    limits: Limits,
    results: Sequence[Decoded],
) -> None:
    """Accept of each draft the longest prefix that the model would have written itself, and add its own next token."""
    longest = max(map(len, drafts))
    inputs = _left_padded([prompt + draft for prompt, draft in zip(prompts, drafts, strict=True)], _device(model))
    logits = model(**inputs, use_cache=False, logits_to_keep=longest + 1).logits
    choices = logits.argmax(-1).tolist()
    broken = torch.isnan(logits).any(-1).tolist()
    for row, (draft, result) in enumerate(zip(drafts, results, strict=True)):
        own, bad = choices[row][longest - len(draft) :], broken[row][longest - len(draft) :]
        agreed = next((at for at, token in enumerate(draft) if token != own[at] or bad[at]), len(draft))
        result.failed = bad[agreed]
        result.accepted = agreed
        result.tokens.extend(draft[:agreed])
        if not result.failed and agreed < limits.max_new_tokens:
            _append(result, own[agreed], limits)
            result.stopped = result.stopped or limits.is_stopped(result.tokens)


def _continue(model: torch.nn.Module, prompts: Sequence[list[int]], limits: Limits, results: Sequence[Decoded]) -> None:
    """Decode until every row is finished; rows that are finished leave the batch."""
    inputs = _left_padded(
        [prompt + result.tokens for prompt, result in zip(prompts, results, strict=True)], _device(model)
    )
    rows = list(results)
    step = model(**inputs, past_key_values=_roomy_cache(model), use_cache=True, logits_to_keep=1)
    mask, positions = inputs["attention_mask"], inputs["position_ids"][:, -1:]
    n_steps = 0
    while True:
        logits = step.logits[:, -1]
        choices, broken = logits.argmax(-1).tolist(), torch.isnan(logits).any(-1).tolist()
        n_steps += 1
        for result, token, bad in zip(rows, choices, broken, strict=True):
            if bad:
                result.failed = True
            else:
                _append(result, token, limits)
                if n_steps % STOP_CHECK_EVERY == 0 and not result.stopped:
                    result.stopped = limits.is_stopped(result.tokens)
        kept = [row for row, result in enumerate(rows) if not _is_finished(result, limits)]
        if not kept:
            break
        cache = step.past_key_values
        if len(kept) < len(rows):
            index = torch.tensor(kept, device=mask.device)
            cache.batch_select_indices(index)
            mask, positions = mask[index], positions[index]
            rows = [rows[row] for row in kept]
        positions = positions + 1
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        step = model(
            input_ids=torch.tensor([[result.tokens[-1]] for result in rows], device=mask.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
    for result in results:
        if not result.stopped and not result.failed:
            result.stopped = limits.is_stopped(result.tokens)


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not followed
    """A layer of the cache with room for the next tokens; transformers' own copies the whole cache at every token."""

    ROOM = 64  # tokens
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


def _roomy_cache(model: torch.nn.Module) -> DynamicCache:
    cache = DynamicCache(config=getattr(model, "config", None))
    if not cache.layers:  # a model without a configuration: the cache makes its layers as they come
        cache.layer_class_to_replicate = _RoomyLayer
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _append(result: Decoded, token: int, limits: Limits) -> None:
    if token in limits.end_tokens:
        result.stopped = True
    else:
        result.tokens.append(token)


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
