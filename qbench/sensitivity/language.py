"""A causal language model, asked about probe text: batches of sequences in, the logits of scored tokens out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from qbench.quant.modules import units
from qbench.sensitivity.taps import Scored, is_fused
from qbench.sensitivity.text import ProbeText, Text, batches


class LanguageModel:
    """Answers batches of `qbench.sensitivity.text.Text`, for all that takes a `qbench.sensitivity.taps.Answer`.

    Sequences are padded behind their end, where nothing in front of the padding can see it, so that no mask is needed.
    """

    def __init__(self, model: torch.nn.Module, padding: int) -> None:
        self.model, self.padding = model, padding

    def __call__(self, batch: Sequence[Text]) -> Scored:
        logits = self.model(input_ids=self.ids(batch), use_cache=False).logits
        longest = logits.shape[1]
        # A token is scored where it is predicted: one position in front of where it stands.
        places = [
            (row, at, text.tokens[at + 1])
            for row, text in enumerate(batch)
            for at in range(text.n_prompt - 1, len(text.tokens) - 1)
        ]
        rows, columns, labels = torch.tensor(places, device=logits.device).unbind(1)
        return Scored(logits.flatten(0, 1)[rows * longest + columns], rows, len(batch), labels)

    def ids(self, batch: Sequence[Text]) -> torch.Tensor:
        longest = max(len(text.tokens) for text in batch)
        rows = [[*text.tokens, *[self.padding] * (longest - len(text.tokens))] for text in batch]
        return torch.tensor(rows, device=next(self.model.parameters()).device)

    def is_token(self, batch: Sequence[Text]) -> torch.Tensor:
        """(sequences, tokens): False for padding."""
        longest = max(len(text.tokens) for text in batch)
        rows: Any = [[at < len(text.tokens) for at in range(longest)] for text in batch]
        return torch.tensor(rows, device=next(self.model.parameters()).device)


@dataclass(frozen=True)
class Asked:
    """A model and the text of one probe, in batches that do not depend on what is asked about them."""

    text: ProbeText
    answer: LanguageModel
    batches: list[list[int]]
    """Positions of each batch's sequences in the text."""

    @classmethod
    def of(cls, lm: Any, text: ProbeText, *, batch_tokens: int) -> Self:
        """
        Args:
            lm: a `qbench.models.QBenchLM`.
            batch_tokens: of one batch, padding included; a model with fused experts is asked about one sequence at a time.
        """
        longest = 1 if any(map(is_fused, units(lm.model))) else batch_tokens
        padding = lm.tokenizer.pad_token_id or 0
        return cls(text, LanguageModel(lm.model, padding), batches(text.texts, batch_tokens=longest))

    def batch(self, number: int) -> list[Text]:
        return [self.text.texts[at] for at in self.batches[number]]

    def in_order(self, found: Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Values of every batch, (…, sequences), as values of the text's sequences in their order."""
        joined = np.concatenate([np.asarray(own, float) for own in found], axis=-1)
        ordered = np.empty_like(joined)
        ordered[..., [at for batch in self.batches for at in batch]] = joined
        return ordered
