"""Attention statistics: how a layer's heads look at the text.

The documents report an entropy and a *head specialization* for each layer and give no formula. Ours are defined in
`qbench.profiles.Attention`: entropy in nats, its complement as a share of what is possible (focus), and how differently the heads look
(specialization: the mutual information of head and position, over what it can be at most). Padding counts for nothing.
"""

import math
from typing import Any

import torch

from qbench.profiles import Attention

WEIGHTS_DIMENSIONS = 4  # (sequences, heads, tokens that look, tokens that are looked at)


class Sums:
    """Sums over the tokens that see at least two positions."""

    def __init__(self) -> None:
        self.n_tokens = self.n_heads = 0
        self.entropy = self.share = self.divergence = 0.0

    def see(self, output: Any, is_token: torch.Tensor) -> None:
        """Take in the weights that an attention module puts out beside its answer; nothing where it keeps them to itself."""
        parts = output[1:] if isinstance(output, tuple) else ()
        for weights in parts:
            if isinstance(weights, torch.Tensor) and weights.ndim == WEIGHTS_DIMENSIONS:
                self.add(weights.detach(), is_token.to(weights.device))
                return

    def add(self, weights: torch.Tensor, is_token: torch.Tensor) -> None:
        """Take in attention weights (sequences, heads, tokens, positions), and which tokens are no padding, (sequences, tokens)."""
        visible = (weights > 0).any(1).sum(-1)
        counted = is_token & (visible > 1)
        own, visible = weights.transpose(1, 2)[counted].double(), visible[counted].double()
        entropies = _entropy(own)  # (tokens, heads)
        self.n_heads = own.shape[1]
        self.n_tokens += len(own)
        self.entropy += float(entropies.mean(1).sum())
        self.share += float((entropies.mean(1) / visible.log()).sum())
        self.divergence += float((_entropy(own.mean(1)) - entropies.mean(1)).sum())

    def attention(self) -> Attention:
        if not self.n_tokens:
            return Attention(math.nan, math.nan, math.nan)
        return Attention(
            entropy=self.entropy / self.n_tokens,
            focus=1 - self.share / self.n_tokens,
            specialization=self.divergence / self.n_tokens / math.log(self.n_heads) if self.n_heads > 1 else math.nan,
        )


def _entropy(weights: torch.Tensor) -> torch.Tensor:
    """In nats, of distributions along the last dimension."""
    terms: torch.Tensor = torch.special.entr(weights)
    return terms.sum(-1)
