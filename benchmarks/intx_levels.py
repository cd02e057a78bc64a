"""Which kind of groups should a level of ``intx`` have? Mean KL a token to full precision, on the reference model.

For each width of code: symmetric groups or groups with a zero point, 32, 64 or 128 weights to a group, embeddings and head lowered too or
kept at 8 bits. Scales and zero points cost bits, so raw KL favours whoever spends most. *At equal bits* is the KL times four for every
bit a weight beyond the width of the code: a bit more of code halves the step and so divides the KL, which grows with its square, by four.

    python benchmarks/intx_levels.py            # a minute or two on one core
    python benchmarks/intx_levels.py --write    # also quote the table in docs/levels.md

The reference model is small: a quarter of its weights are its embedding table. Run it on yours with --model.
"""

import argparse
import itertools
import math
from dataclasses import dataclass, replace

import torch
from quoting import quote

from qbench.bank import leaves
from qbench.levels import LEVELS, Level, Mix, Rule, Rung
from qbench.models import QBenchLM
from qbench.quant.apply import apply
from qbench.quant.weights import Checkpoint

GROUP_SIZES = (32, 64, 128)
N_ITEMS = 3  # of each leaf
N_TOKENS = 96  # of each item, the last ones
TABLES = ("*embed*", "*wte*", "*lm_head*")
WORTH_BITS = 0.1  # less than this is no reason for groups of another size at each level


@dataclass(frozen=True)
class Measured:
    """One way of storing weights, and what it does."""

    bits: int
    bits_per_weight: float
    kl: float

    @property
    def at_equal_bits(self) -> float:
        return self.kl * 4 ** (self.bits_per_weight - self.bits)

    def __str__(self) -> str:
        return f"{self.bits_per_weight:.2f} | {self.kl:.5f} | {self.at_equal_bits:.5f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="folder of another model")
    parser.add_argument("--write", action="store_true", help="quote the table in docs/levels.md")
    options = parser.parse_args()
    lm = QBenchLM(options.model or None, batch_size=1)
    lines = table(Bench(lm))
    print(*lines, sep="\n")
    if options.write:
        quote("docs/levels.md", {"intx": lines})


class Bench:
    """The model, the text, and the full-precision model's probabilities on it."""

    def __init__(self, lm: QBenchLM) -> None:
        self.lm = lm
        self.load = Checkpoint(lm.pretrained).__getitem__
        # Questions of the validation split with their answers: no evaluation item is looked at.
        items = [item for leaf in leaves() for item in leaf.items("validation", items=1)[:N_ITEMS]]
        texts = [f"{item.question}\n{item.solution}\nAnswer: {item.target or item.reference}" for item in items]
        encoded = [lm.tok_encode(text)[-N_TOKENS:] for text in texts]
        self.ids = torch.tensor([[0] * (N_TOKENS - len(tokens)) + tokens for tokens in encoded])
        self.is_text = torch.tensor([[False] * (N_TOKENS - len(tokens)) + [True] * len(tokens) for tokens in encoded])
        self.base = self.log_probabilities()
        self.n_tokens = int(self.is_text.sum())

    @torch.inference_mode()
    def log_probabilities(self) -> torch.Tensor:
        answers: torch.Tensor = self.lm.model(self.ids.to(self.lm.device), attention_mask=self.is_text.long()).logits
        return answers[self.is_text].float().log_softmax(-1)

    def measure(self, bits: int, level: Rung) -> Measured:
        proof = apply(self.lm.model, level, self.load)
        kl = (self.base.exp() * (self.base - self.log_probabilities())).sum(-1).mean()
        return Measured(bits, proof.bits_per_weight, float(kl))


def table(bench: Bench) -> list[str]:
    """Markdown: a row for each kind of groups, the default of each level in bold."""
    lines = [
        f"Mean KL over {bench.n_tokens:,} tokens of validation items, in nats.",
        "",
        "| level | groups | bits per weight | KL | at equal bits | with 8-bit tables | KL | at equal bits |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    verdicts = []
    for default in LEVELS.values():
        if default.bits is None or default.is_made_on_loading:
            continue
        found: dict[Level, Measured] = {}
        for symmetric, group_size in itertools.product((True, False), GROUP_SIZES):
            level = replace(default, symmetric=symmetric, group_size=group_size)
            found[level] = bench.measure(default.bits, level)
            wide_tables = Mix("tables8", level, (Rule(TABLES, LEVELS["q8"]),))
            kept = bench.measure(default.bits, wide_tables) if default.bits < 8 else "– | – | –"
            kind = f"{'symmetric' if symmetric else 'zero point'}, {group_size}"
            row = (default.name, kind, str(found[level]), str(kept))
            mark = "**" if level == default else ""
            lines.append("| " + " | ".join(f"{mark}{cell}{mark}" for part in row for cell in part.split(" | ")) + " |")
        best = min(found, key=lambda level: found[level].at_equal_bits)
        lost = math.log(found[default].at_equal_bits / found[best].at_equal_bits, 4)
        verdicts.append(f"{default.name} {lost:.2f}" + ("" if lost < WORTH_BITS else " (LOOK AGAIN)"))
    return [
        *lines,
        "",
        f"Bits a weight by which each default (bold) is above the best of its six: {', '.join(verdicts)}.",
    ]


if __name__ == "__main__":
    main()
