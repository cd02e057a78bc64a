"""From texts to batches: whole texts packed into rows of three lengths, each text blind to its neighbours in the row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from qbench.nano.corpus import Text

ROW_LENGTHS = (256, 1024, 2048)
PROMPT_WEIGHT = 0.1  # of a prompt token in the loss: nano learns to read, but above all to answer
ENCODED_AT_ONCE = 2000
OPEN_ROWS = 50  # that a text can still be put into; more would fill rows better and take longer

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Encoded:
    """One text as token ids, the last one end-of-text; ``weights`` says how much each counts in the loss."""

    tokens: Array
    weights: Array


@dataclass(frozen=True)
class Batch:
    tokens: torch.Tensor
    positions: torch.Tensor
    """Start at zero in every text, by which transformers' attention mask knows where one ends."""
    weights: torch.Tensor
    counted: torch.Tensor
    """Of which tokens, numbered row after row, the loss is computed: one in two, those of responses before those of prompts."""

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(part.to(device) for part in (self.tokens, self.positions, self.weights, self.counted)))


def encode(texts: list[Text], tokenizer: PreTrainedTokenizerFast) -> list[Encoded]:
    """Encode prompt and response apart, as lm-eval does; texts longer than the longest row are left out."""
    end = [tokenizer.eos_token_id]
    encoded = []
    for start in tqdm(range(0, len(texts), ENCODED_AT_ONCE), "tokens", unit_scale=ENCODED_AT_ONCE, unit="text"):
        some = texts[start : start + ENCODED_AT_ONCE]
        prompts = tokenizer([text.prompt for text in some]).input_ids
        responses = tokenizer([text.response for text in some]).input_ids
        for prompt, response in zip(prompts, responses, strict=True):
            if len(prompt) + len(response) < ROW_LENGTHS[-1]:
                weights = [PROMPT_WEIGHT] * len(prompt) + [1.0] * (len(response) + 1)
                encoded.append(Encoded(np.array(prompt + response + end), np.array(weights)))
    return encoded


def batches(encoded: list[Encoded], *, batch_tokens: int, seed: int, epoch: int, padding: int) -> Iterator[Batch]:
    """One epoch of batches of ``batch_tokens`` tokens in an order that depends on seed and epoch alone.

    A batch that lacks rows is filled up with empty ones, since every new shape would be compiled anew.
    """
    rng = np.random.default_rng([seed, epoch])
    rows = _pack(encoded, rng)
    groups = []
    for length, packed in rows.items():
        size = max(1, batch_tokens // length)
        packed += [[]] * (-len(packed) % size)
        groups += [(length, packed[start : start + size]) for start in range(0, len(packed), size)]
    for position in rng.permutation(len(groups)):
        length, group = groups[int(position)]
        yield _batch([[encoded[index] for index in row] for row in group], length, padding, rng)


def _pack(encoded: list[Encoded], rng: np.random.Generator) -> dict[int, list[list[int]]]:
    """Put texts in random order into rows: of the shortest kind that holds the text, the open row that it fills best."""
    rows: dict[int, list[list[int]]] = {length: [] for length in ROW_LENGTHS}
    unfilled: dict[int, dict[int, int]] = {length: {} for length in ROW_LENGTHS}  # number of the row: tokens left in it
    for index in rng.permutation(len(encoded)):
        needed = len(encoded[int(index)].tokens)
        length = next(length for length in ROW_LENGTHS if needed <= length)
        room = unfilled[length]
        row = min((number for number in room if room[number] >= needed), key=room.__getitem__, default=None)
        if row is None:
            row = len(rows[length])
            rows[length].append([])
            room[row] = length
            if len(room) > OPEN_ROWS:
                del room[min(room, key=room.__getitem__)]
        rows[length][row].append(int(index))
        room[row] -= needed
    return rows


def _batch(rows: list[list[Encoded]], length: int, padding: int, rng: np.random.Generator) -> Batch:
    tokens = np.full((len(rows), length), padding, dtype=np.int64)
    positions = np.zeros((len(rows), length), dtype=np.int64)
    weights = np.zeros((len(rows), length), dtype=np.float32)
    for row, texts in enumerate(rows):
        start = 0
        for text in texts:
            here = slice(start, start + len(text.tokens))
            tokens[row, here] = text.tokens
            positions[row, here] = np.arange(len(text.tokens))
            weights[row, here] = text.weights
            weights[row, start] = 0.0  # nothing stands in front of the first token
            start = here.stop
        positions[row, start:] = np.arange(length - start)
    # Logits are a fourth of the work, and most prompt tokens teach little: the ones that count are drawn.
    drawn = np.argsort(weights.ravel() + rng.uniform(0, PROMPT_WEIGHT, weights.size))[weights.size // 2 :]
    arrays = (tokens, positions, weights, np.sort(drawn))
    return Batch(*(torch.from_numpy(array) for array in arrays))
