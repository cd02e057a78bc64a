"""Activation statistics: what parts of a model put out over the tokens of a probe.

As the documents report them, layer by layer and at several levels: sparsity, mean, standard deviation, magnitude, effective rank. Each is
defined in `qbench.profiles.Activations`. They describe; how well they predict anything is printed beside them.
"""

import math
from typing import Any

import torch

from qbench.profiles import Activations

SMALL = 0.01
"""Of a token's root mean square: an entry below counts as nothing. A share of the scale, so that scaling a layer changes no sparsity."""
RANK_TOKENS = 256


class Sums:
    """What is kept of the vectors of a place, batch after batch: sums, and the first vectors for the rank."""

    def __init__(self) -> None:
        self.n_vectors = self.width = 0
        self.small = self.total = self.squares = self.norms = 0.0
        self.first: list[torch.Tensor] = []

    def see(self, output: Any, is_token: torch.Tensor) -> None:
        """Take in the vectors of a batch's tokens; of several outputs the first one is what a layer hands on."""
        tensor: torch.Tensor = output[0] if isinstance(output, tuple) else output
        vectors = tensor.detach().reshape(-1, tensor.shape[-1])
        # A router hands tokens on in another order and number: all of them count there.
        self.add(
            (vectors[is_token.flatten().to(vectors.device)] if len(vectors) == is_token.numel() else vectors).float()
        )

    def add(self, vectors: torch.Tensor) -> None:
        """Take in (tokens, width)."""
        room = RANK_TOKENS - self.n_vectors
        if room > 0:
            self.first.append(vectors[:room].clone())
        norms = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        self.n_vectors += len(vectors)
        self.width = vectors.shape[-1]
        self.small += float((vectors.abs() < SMALL * norms / math.sqrt(self.width)).sum())
        self.total += float(vectors.sum(dtype=torch.float64))
        self.squares += float(norms.double().square().sum())
        self.norms += float(norms.sum(dtype=torch.float64))

    def activations(self) -> Activations:
        if not self.n_vectors:  # a part of the model that this text does not use
            return Activations(*[math.nan] * 5)
        count = self.n_vectors * self.width
        mean = self.total / count
        return Activations(
            sparsity=self.small / count,
            mean=mean,
            std=math.sqrt(max(0.0, self.squares / count - mean**2)),
            magnitude=self.norms / self.n_vectors,
            effective_rank=effective_rank(torch.cat(self.first)),
        )


def effective_rank(vectors: torch.Tensor) -> float:
    """exp of the entropy of the normalised singular values (Roy and Vetterli 2007): 1 for parallel vectors, n for n orthogonal ones."""
    values = torch.linalg.svdvals(vectors.double())
    total = float(values.sum())
    if not total:
        return 0.0
    shares = values[values > 0] / total
    return float(torch.exp(-(shares * shares.log()).sum()))
