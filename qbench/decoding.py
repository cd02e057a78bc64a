"""Greedy decoding, and the verification of drafts.

A sweep asks every level the same questions, and neighbouring levels mostly give the same responses. So the response at the level above
is taken as a draft: one forward pass over prompt and draft shows how far this level's own greedy choice agrees, and decoding goes on
only from the first disagreement. Every token returned is the greedy choice of this level; a draft only saves passes. (Leviathan et al.
2023, arXiv:2211.17192, with a draft that is already there.)
"""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

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


MAX_GUESSED_TOKENS = 8_192  # of one pass, all rows together: each of them has logits over the whole vocabulary
FIRST_GUESS = 32  # tokens of a draft that are shown at first, before it is known how well drafts hold
LEAST_GUESS = 8  # tokens shown of drafts that do not hold, and guessed after a wrong guess
STOP_CHECK_EVERY = 8  # tokens between two looks for a stop string; what was decoded past it is dropped
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
    rows = [
        _Row(prompt, Decoded(limit), before_end(draft or [], ending.tokens))
        for prompt, limit, draft in zip(
            prompts, max_new_tokens, drafts if drafts and can_guess(model) else [None] * len(prompts), strict=True
        )
    ]
    first_guess = FIRST_GUESS
    while lengths := {i: row.n_tokens + len(row.draft) for i, row in enumerate(rows) if not row.result.is_finished}:
        batches = list(_batches(lengths, batch_size))
        for batch in batches:
            left_over = int(LEFT_OVER * len(batch)) if len(batches) > 1 else 0
            new = [rows[i] for i in batch if rows[i].draft and not rows[i].result.tokens]
            for row in new:
                row.width = first_guess
            _continue(model, [rows[i] for i in batch], ending, left_over)
            if new:  # Drafts that hold are shown longer, and those that do not hold cost little.
                first_guess = 2 * sum(row.agreed_at_first for row in new) // len(new) + LEAST_GUESS
            progress(sum(rows[i].result.is_finished for i in batch))
    return [row.result for row in rows]


def can_guess(model: torch.nn.Module) -> bool:
    """Whether tokens can be taken back: the cache keeps each by itself. A recurrent state cannot, and a sliding window would shift."""
    return all(type(layer) is _RoomyLayer for layer in roomy_cache(model).layers)


def before_end(tokens: Sequence[int], ends: frozenset[int]) -> list[int]:
    """The tokens before the first that ends a response."""
    return list(itertools.takewhile(lambda token: token not in ends, tokens))


@dataclass
class _Row:
    """A prompt, its response so far, and a draft of it."""

    prompt: list[int]
    result: Decoded
    draft: list[int]
    width: int = 0
    """How many tokens are guessed at most: few after a wrong guess, none after several, more again after right ones."""
    agreed_at_first: int = 0
    """How much of the first guess was right."""
    checked: int = 0
    """Length of the response when a stop string was last looked for."""

    @property
    def n_tokens(self) -> int:
        return len(self.prompt) + len(self.result.tokens)

    @property
    def last_token(self) -> int:
        return (self.result.tokens or self.prompt)[-1]

    @functools.cached_property
    def _places(self) -> dict[tuple[int, int], list[int]]:
        """Where the draft goes on behind each pair of tokens."""
        places: dict[tuple[int, int], list[int]] = defaultdict(list)
        for at, pair in enumerate(itertools.pairwise(self.draft), 2):
            places[pair].append(at)
        return places

    def guess(self) -> list[int]:
        """How the draft goes on from here: from its beginning, or behind the nearest place that reads like the end of the response."""
        tokens = self.result.tokens
        if not tokens:
            at = 0
        else:
            places = self._places.get((tokens[-2], tokens[-1])) if len(tokens) > 1 else None
            if not places:
                return []
            at = min(places, key=lambda place: abs(place - len(tokens)))
        return self.draft[at : at + min(self.width, self.result.max_new_tokens - len(tokens))]

    def take(self, guess: Sequence[int], own: Sequence[int], broken: Sequence[bool], ending: Ending) -> int:
        """Accept what the model would have written itself, and its next token; return how much of the guess that was.

        Args:
            guess: tokens that the model was shown behind the last one.
            own: its greedy choice behind the last token and behind each of the guess.
            broken: where its logits were NaN.
            ending: what ends the response.
        """
        agreed = next((at for at, token in enumerate(guess) if token != own[at] or broken[at]), len(guess))
        self.result.tokens.extend(guess[:agreed])
        self.result.accepted += agreed
        self.result.failed = broken[agreed]
        if not self.result.is_finished:
            append(self.result, own[agreed], ending)
        if guess:
            if len(self.result.tokens) <= agreed + 1:
                self.agreed_at_first = agreed
            self.width = 2 * self.width if agreed == len(guess) else min(self.width // 2, LEAST_GUESS)
        if agreed or self.result.is_finished or len(self.result.tokens) >= self.checked + STOP_CHECK_EVERY:
            self.checked = len(self.result.tokens)
            look_for_stop(self.result, ending)
        return agreed


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


def _continue(model: torch.nn.Module, rows: Sequence[_Row], ending: Ending, left_over: int) -> None:
    """Decode until at most ``left_over`` rows are unfinished; finished rows leave the batch, a few at a time.

    Each pass shows the model the last token of every row and a guess at what follows. What it would not have written itself stays in
    the cache, and is masked from then on.
    """
    device, cache = device_of(model), roomy_cache(model)
    before = [(row.prompt + row.result.tokens)[:-1] for row in rows]
    widest = max(map(len, before))
    prefix = torch.tensor([[0] * (widest - len(tokens)) + tokens for tokens in before], dtype=torch.long)
    mask = torch.arange(widest) >= torch.tensor([[widest - len(tokens)] for tokens in before])
    prefix_positions = (mask.cumsum(-1) - 1).clamp_min(0)
    room = max(1, MAX_GUESSED_TOKENS // len(rows))
    guesses = [row.guess()[:room] for row in rows]
    width = 1 + max(map(len, guesses))
    while True:
        fed = [[row.last_token, *guess] for row, guess in zip(rows, guesses, strict=True)]
        ids = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens in fed])
        positions = torch.tensor([[row.n_tokens - 1] for row in rows]) + torch.arange(width)
        mask = torch.cat([mask, torch.arange(width) < torch.tensor([[len(tokens)] for tokens in fed])], dim=1)
        logits = model(
            input_ids=torch.cat([prefix, ids], dim=1).to(device),
            attention_mask=mask.long().to(device),
            position_ids=torch.cat([prefix_positions, positions], dim=1).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=width,
        ).logits
        chosen, broken = _greedy(logits)
        agreed = [
            0 if row.result.is_finished else row.take(guess, own, bad, ending)
            for row, guess, own, bad in zip(rows, guesses, chosen, broken, strict=True)
        ]
        mask[:, -width:] = torch.arange(width) <= torch.tensor(agreed)[:, None]
        kept = [at for at, row in enumerate(rows) if not row.result.is_finished]
        if len(kept) <= left_over:
            return
        if len(kept) <= KEPT_BEFORE_COMPACTING * len(rows):
            cache.batch_select_indices(torch.tensor(kept, device=device))
            mask, rows = mask[kept], [rows[at] for at in kept]
        prefix = prefix_positions = ids.new_empty(len(rows), 0)
        guesses = [[] if row.result.is_finished else row.guess() for row in rows]
        # As wide as half of the rows can use: the others would only be padded.
        width = 1 + min(sorted(map(len, guesses))[len(rows) // 2], room)
        guesses = [guess[: width - 1] for guess in guesses]


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


def _greedy(logits: torch.Tensor) -> tuple[list[Any], list[Any]]:
    """Return the greedy choices, nested as the logits' leading dimensions are, and whether the logits were NaN: a maximum of NaN is NaN."""
    highest, chosen = logits.max(-1)
    return chosen.tolist(), highest.isnan().tolist()


def look_for_stop(result: Decoded, ending: Ending) -> None:
    """End a response with the token that completes a stop string; what was decoded past it is dropped."""
    if result.stopped or not ending.is_stopped(result.tokens):
        return
    result.stopped = True
    while ending.is_stopped(result.tokens[:-1]):
        result.tokens.pop()
    result.accepted = min(result.accepted, len(result.tokens))


def append(result: Decoded, token: int, ending: Ending) -> None:
    """Take one more token, or the end, into a response."""
    if token in ending.tokens:
        result.stopped = True
    else:
        result.tokens.append(token)


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the model takes its tokens. Of an offloaded weight, accelerate's hook knows where it is brought to."""
    device = next(model.parameters()).device
    if device.type != "meta":
        return device
    hooks = (getattr(module, "_hf_hook", None) for module in model.modules())
    brought_to = (getattr(hook, "execution_device", None) for hook in hooks)
    return torch.device(next(found for found in brought_to if found is not None))
