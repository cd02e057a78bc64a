"""The training loop: Muon and AdamW, cosine, clipped gradients; it continues from its checkpoint as if it had never stopped.

Muon takes the matrices between the embeddings, AdamW the rest (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the
update is scaled to AdamW's, Liu et al. 2025, arXiv:2502.16982, so that both share one learning rate).
"""

import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from qbench.nano.batches import ROW_LENGTHS, Batch, Encoded, batches

CHECKPOINT = "checkpoint.pt"
LOSSES = "losses.jsonl"
HELD_OUT_BATCHES = 8
SMOOTHED = 50  # steps behind the loss of the progress bar

Loss = Callable[[LlamaForCausalLM, Batch], torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    With ``minutes`` the schedule follows the clock, for a machine that others use too; without, it follows the tokens, and the same plan
    gives the same weights on the same hardware.
    """

    tokens: int = 85_000_000
    minutes: float | None = None
    batch_tokens: int = 8192
    learning_rate: float = 4e-3
    final_share: float = 0.02
    """Of the learning rate, at the end."""
    warm_up: float = 0.02
    """Share of the training in which the learning rate rises."""
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 1
    checkpoint_minutes: float = 4.0
    compile: bool = False
    """Whether torch compiles model and loss, which takes a minute at the start and is a quarter faster from then on."""

    def rate(self, progress: float) -> float:
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - self.warm_up) / (1 - self.warm_up)))
        return self.learning_rate * (self.final_share + (1 - self.final_share) * cosine)


def architecture(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """A Llama of 4.2M parameters. Hidden size and MLP width are multiples of 256, so that GGUF's K-quants apply."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


@dataclass
class State:
    """Where the training stands; what a checkpoint holds."""

    model: LlamaForCausalLM
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        temporary = path.with_suffix(".tmp")
        counters = {"step": self.step, "tokens": self.tokens, "seconds": self.seconds}
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        torch.save({"model": self.model.state_dict(), "optimizers": optimizers, **counters}, temporary)
        os.replace(temporary, path)

    def load(self, path: Path, device: torch.device) -> None:
        saved: dict[str, Any] = torch.load(path, map_location=device)
        self.model.load_state_dict(saved["model"])
        for optimizer, its in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(its)
        self.step, self.tokens, self.seconds = saved["step"], saved["tokens"], saved["seconds"]


def train(
    encoded: list[Encoded],
    held_out: list[Encoded],
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    *,
    folder: Path,
    device: torch.device,
    stop_at_step: int | None = None,
) -> State:
    """Train until the plan is fulfilled, continuing from ``folder`` if a checkpoint lies there.

    ``stop_at_step`` leaves early with a checkpoint, as an interruption would.
    """
    torch.manual_seed(plan.seed)
    model = LlamaForCausalLM(architecture(tokenizer)).to(device)
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim > 1 and ".layers." in name]
    embeddings = [weight for name, weight in model.named_parameters() if weight.ndim > 1 and ".layers." not in name]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": embeddings, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
    muon = torch.optim.Muon(matrices, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw")
    state = State(model, (muon, torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)))
    if (folder / CHECKPOINT).exists():
        state.load(folder / CHECKPOINT, device)

    loss_of = torch.compile(weighted_loss, dynamic=False) if plan.compile else weighted_loss
    padding: int = tokenizer.pad_token_id
    checks = list(itertools.islice(_endless(held_out, plan, padding), HELD_OUT_BATCHES))
    stream = itertools.islice(_endless(encoded, plan, padding), state.step, None)
    started, saved_at = time.monotonic() - state.seconds, state.seconds
    bar = tqdm(total=plan.tokens, initial=state.tokens, desc="training", unit="token", unit_scale=True, mininterval=2)
    smoothed = math.nan
    with bar:
        while (progress := _progress(state, plan)) < 1 and state.step != stop_at_step:
            rate = plan.rate(progress)
            loss, count = _step(state, loss_of, next(stream).to(device), rate, plan.clip)
            state.seconds = time.monotonic() - started
            smoothed = loss if math.isnan(smoothed) else smoothed + (loss - smoothed) / SMOOTHED
            bar.update(count)
            bar.set_postfix_str(f"loss {smoothed:.3f}, {progress:.0%}", refresh=False)
            _log(folder, step=state.step, tokens=state.tokens, seconds=round(state.seconds, 1), rate=rate, loss=loss)
            if state.seconds - saved_at > 60 * plan.checkpoint_minutes:
                saved_at = state.seconds
                checkpoint(state, loss_of, checks, folder)
    checkpoint(state, loss_of, checks, folder)
    return state


def checkpoint(state: State, loss_of: Loss, checks: list[Batch], folder: Path) -> None:
    """Save, and measure the loss on texts that are never trained on."""
    state.save(folder / CHECKPOINT)
    with torch.no_grad():
        losses = [loss_of(state.model, batch.to(state.model.device)).item() for batch in checks]
    held_out = sum(losses) / len(losses)
    _log(folder, step=state.step, tokens=state.tokens, seconds=round(state.seconds, 1), held_out=held_out)
    tqdm.write(
        f"step {state.step}, {state.tokens:,} tokens, {state.seconds / 60:.1f} minutes: held-out loss {held_out:.4f}"
    )


def _endless(encoded: list[Encoded], plan: Plan, padding: int) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from batches(encoded, batch_tokens=plan.batch_tokens, seed=plan.seed, epoch=epoch, padding=padding)


def _progress(state: State, plan: Plan) -> float:
    return state.tokens / plan.tokens if plan.minutes is None else state.seconds / (60 * plan.minutes)


def _step(state: State, loss_of: Loss, batch: Batch, rate: float, clip: float) -> tuple[float, int]:
    for group in itertools.chain.from_iterable(optimizer.param_groups for optimizer in state.optimizers):
        group["lr"] = rate
    loss = loss_of(state.model, batch)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip)
    for optimizer in state.optimizers:
        optimizer.step()
        optimizer.zero_grad()
    count = int((batch.weights > 0).sum())
    state.step += 1
    state.tokens += count
    return loss.item(), count


def weighted_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Weighted mean cross-entropy in nats over the tokens that count.

    bf16 on a GPU and on a CPU with AMX; others compute it many times slower than float32.
    """
    device = batch.tokens.device.type
    # On a CPU the fused kernel's backward pass is slower than plain matrix products in short rows, and faster in long ones.
    plain = device == "cpu" and batch.tokens.shape[1] == ROW_LENGTHS[0]
    model.set_attn_implementation("eager" if plain else "sdpa")
    fast = device == "cuda" or bool(torch.cpu.get_capabilities().get("amx_bf16"))
    with torch.autocast(device, dtype=torch.bfloat16, enabled=fast):
        hidden = model.model(input_ids=batch.tokens, position_ids=batch.positions, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[batch.counted - 1])  # what stands before a token predicts it
    targets, weights = batch.tokens.flatten()[batch.counted], batch.weights.flatten()[batch.counted]
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def _log(folder: Path, **entry: float) -> None:
    with (folder / LOSSES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
