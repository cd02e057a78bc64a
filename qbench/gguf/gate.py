"""The gate: nothing is scored from a GGUF file that disagrees with transformers.

A converter that forgets a permutation, a wrong rope base or a second tokenizer gives answers at the level of chance, and no error. So
the F16 file is held against the Hugging Face model that it was made of, on a few texts: the token ids must be the same, and the
log-likelihoods nearly so.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from qbench.errors import ModelError
from qbench.gguf.files import GGUFFile, cache_dir
from qbench.gguf.llama import Llama, Tree
from qbench.quant.loaded import without_import_complaints
from qbench.quant.weights import Checkpoint
from qbench.records import write_atomically

log = logging.getLogger(__name__)

MAX_KL = 1e-3
"""Mean divergence of the F16 file's predictions from those of transformers in fp32, nats per token. Rounding costs some 1e-6."""
MAX_DIFFERENCE = 0.02
"""Mean absolute difference of the log-likelihoods of the probes' tokens, in nats."""
PROBES = (
    "The quick brown fox jumps over the lazy dog. It was the 3rd of May 1987, at 17:45, and nobody had expected it!",
    "Question: A shop sells 12 pens for $7.80. What do 45 pens cost?\nAnswer: 45 / 12 * 7.80 = 29.25 dollars.\n",
    "def add(first, second):\n    return first + second\n\n\tprint(add(1_000, -2.5e-3))  # indented\n",
    "  Two spaces at the front, three   in the middle, and a tab\tand two newlines at the end.\n\n",
    "Café naïve, Größe, łódź, Ελλάδα, Привет мир, 你好，世界, こんにちは, مرحبا, हिन्दी, 🙂👍🏽, x² ≤ √2 × 10⁻³ – “quoted”…",
    '{"name": "Ada", "scores": [1, 22, 333, 4444, 55555], "ok": true}\nI\'ve, you\'re, WE\'LL, don\'t; e-mail: a.b@c.de',
)


@dataclass(frozen=True)
class Agreement:
    """How far an F16 file and transformers agree on the probes."""

    n_tokens: int
    mean_kl: float
    """Of the file's predictions from those of transformers, nats per token."""
    mean_difference: float
    """Mean absolute difference of the log-likelihoods of the tokens that are there, nats."""


def check(
    llama: Llama, source: GGUFFile, reference: str, revision: str, tokenizer: Any, *, own_tokenizer: bool
) -> dict[str, Any]:
    """Compare an F16 file with the Hugging Face model that it was made of.

    The comparison of log-likelihoods loads that model in fp32, once; its result is kept beside the cached files.

    Args:
        llama: the file, loaded.
        source: the file.
        reference: folder or hub id of the Hugging Face model.
        revision: of a hub id.
        tokenizer: what prompts are tokenized with.
        own_tokenizer: whether that is the one inside the file, which then is compared with the reference's.

    Returns:
        What the run's proof says about it.

    Raises:
        ModelError: they disagree; nothing must be scored.
    """
    theirs = transformers.AutoTokenizer.from_pretrained(reference, revision=revision)
    if own_tokenizer:
        _check_tokenizer(tokenizer, theirs, source.path, reference)
    probes = [ids for text in PROBES if len(ids := theirs.encode(text)[: llama.window]) > 1]
    agreement = _known(source, reference, revision, probes) or _compare(llama, reference, revision, probes)
    if not (agreement.mean_kl <= MAX_KL and agreement.mean_difference <= MAX_DIFFERENCE):  # NaN does not pass
        raise ModelError(
            f"{source.path} and {reference} disagree: over {agreement.n_tokens} probe tokens their predictions are "
            f"{agreement.mean_kl:.2g} nats a token apart (at most {MAX_KL}) and their log-likelihoods {agreement.mean_difference:.2g} "
            f"(at most {MAX_DIFFERENCE}), so nothing is scored. The file holds other weights, or was converted wrongly; convert it anew."
        )
    _remember(source, reference, revision, probes, agreement)
    return {"reference": reference, **asdict(agreement)}


def _check_tokenizer(own: Any, theirs: Any, path: Path, reference: str) -> None:
    for text in PROBES:
        for special in (True, False):
            ours, expected = (tokenizer.encode(text, add_special_tokens=special) for tokenizer in (own, theirs))
            if ours == expected:
                continue
            at = next(
                (at for at, (a, b) in enumerate(zip(ours, expected, strict=False)) if a != b),
                min(len(ours), len(expected)),
            )
            raise ModelError(
                f"The tokenizer inside {path} and that of {reference} disagree: {text[:40]!r} is {len(ours)} tokens against "
                f"{len(expected)}, and from token {at + 1} on {ours[at : at + 3]} against {expected[at : at + 3]}, so nothing is scored. "
                f"Convert the file anew, or feed it the ids of the other one: tokenizer={reference}."
            )


def _compare(llama: Llama, reference: str, revision: str, probes: Sequence[list[int]]) -> Agreement:
    with without_import_complaints():
        model = transformers.AutoModelForCausalLM.from_pretrained(reference, revision=revision, dtype=torch.float32)
    divergence, difference, n_tokens = 0.0, 0.0, 0
    for ids in probes:
        expected = log_probabilities_of_transformers(model, ids)
        if expected.shape[1] != llama.n_vocabulary:
            raise ModelError(
                f"The GGUF file has a vocabulary of {llama.n_vocabulary} tokens and {reference} one of {expected.shape[1]}, so nothing "
                "is scored. It is the file of another model."
            )
        ours = log_probabilities(llama, ids)
        divergence += float((expected.exp() * (expected - ours)).sum())
        following = torch.tensor(ids[1:])[:, None]
        difference += float((expected[:-1] - ours[:-1]).gather(1, following).abs().sum())
        n_tokens += len(ids)
    return Agreement(n_tokens, divergence / n_tokens, difference / (n_tokens - len(probes)))


@torch.inference_mode()
def log_probabilities_of_transformers(model: Any, ids: Sequence[int]) -> torch.Tensor:
    """The (token, vocabulary) log-probabilities behind each token."""
    logits = model.eval()(torch.tensor([list(ids)])).logits[0]
    return torch.log_softmax(logits.double(), -1)


def log_probabilities(llama: Llama, ids: Sequence[int]) -> torch.Tensor:
    """The (token, vocabulary) log-probabilities behind each token, by llama.cpp."""
    tree = Tree()
    tree.add(ids)
    llama.clear(len(ids))
    chunks = [torch.log_softmax(logits.double(), -1) for _, logits in llama.compute(tree, [True] * len(ids))]
    return torch.cat(chunks)


# ---------------------------------------------------------------- what was compared before


def _remembered(source: GGUFFile, reference: str, revision: str, probes: Sequence[list[int]]) -> Path:
    parts = [source.key, Checkpoint(reference, revision).sha256(), json.dumps(list(probes)), transformers.__version__]
    return cache_dir() / f"{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:32]}-gate.json"


def _known(source: GGUFFile, reference: str, revision: str, probes: Sequence[list[int]]) -> Agreement | None:
    try:
        return Agreement(**json.loads(_remembered(source, reference, revision, probes).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not compared yet, or not readable: compare
        return None


def _remember(
    source: GGUFFile, reference: str, revision: str, probes: Sequence[list[int]], agreement: Agreement
) -> None:
    content = json.dumps(asdict(agreement)).encode()
    write_atomically(_remembered(source, reference, revision, probes), content)
