"""Choices behind a shared context get the log-likelihoods that lm-eval's own model computes one by one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from qbench import choices
from qbench.choices import branches, can_branch, log_likelihoods
from qbench.models import QBenchLM

Request = tuple[list[int], list[int]]


@pytest.fixture(scope="module")
def model(random_llama: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    return loaded


def requests_of(seed: int, n_items: int, n_choices: int, vocabulary: int = 257) -> list[Request]:
    """Contexts and choices of all lengths, one token included."""
    rng = np.random.default_rng(seed)

    def tokens(low: int, high: int) -> list[int]:
        return [int(token) for token in rng.integers(1, vocabulary, rng.integers(low, high))]

    return [(context, tokens(1, 9)) for context in (tokens(1, 60) for _ in range(n_items)) for _ in range(n_choices)]


def one_by_one(model: torch.nn.Module, requests: list[Request]) -> list[tuple[float, bool]]:
    """The textbook: one unpadded pass over context and continuation, no cache."""
    results = []
    for context, continuation in requests:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([context + continuation])).logits[0, len(context) - 1 : -1]
        chosen = logits.log_softmax(-1)[range(len(continuation)), continuation]
        results.append((float(chosen.sum()), logits.argmax(-1).tolist() == continuation))
    return results


def scored(model: torch.nn.Module, requests: list[Request], **options: Any) -> list[tuple[float, bool]]:
    found = log_likelihoods(model, branches(requests), **{"batch_size": 8, **options})
    return [found[position] for position in range(len(requests))]


def assert_same(found: list[tuple[float, bool]], expected: list[tuple[float, bool]]) -> None:
    np.testing.assert_allclose([value for value, _ in found], [value for value, _ in expected], atol=1e-4, rtol=0)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_choices_behind_a_context_are_scored_as_if_alone(model: torch.nn.Module, batch_size: int) -> None:
    requests = requests_of(1, 25, 4)
    assert_same(scored(model, requests, batch_size=batch_size), one_by_one(model, requests))


def test_the_greedy_continuation_is_recognised(model: torch.nn.Module) -> None:
    context = [5, 9, 13]
    tokens = [5, 9, 13]
    for _ in range(5):
        tokens.append(int(model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
    tokens = tokens[3:]
    wrong = [*tokens[:4], (tokens[4] + 1) % 257]
    found = scored(model, [(context, tokens), (context, wrong), (context, tokens[:1]), (context, wrong[4:])])
    assert [greedy for _, greedy in found] == [True, False, True, wrong[4] == tokens[0]]


def tokens_computed(model: torch.nn.Module, requests: list[Request], **options: Any) -> list[int]:
    """Tokens of each forward pass, padding included."""
    sizes: list[int] = []

    def count(module: torch.nn.Module, arguments: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        sizes.append(inputs["input_ids"].numel())

    handle = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        scored(model, requests, **options)
    finally:
        handle.remove()
    return sizes


def test_a_context_is_computed_once_and_a_choice_of_one_token_costs_nothing(model: torch.nn.Module) -> None:
    context = list(range(1, 31))
    assert sum(tokens_computed(model, [(context, [token]) for token in (6, 7, 8, 9)])) == 30
    assert sum(tokens_computed(model, [(context, [token, 5, 5]) for token in (6, 7, 8, 9)])) == 30 + 4 * 2


def test_a_batch_is_bounded_in_tokens_not_only_in_rows(model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = requests_of(5, 20, 4)
    assert max(tokens_computed(model, requests, batch_size=64)) > 200
    monkeypatch.setattr(choices, "MAX_BATCH_TOKENS", 200)
    assert max(tokens_computed(model, requests, batch_size=64)) <= 200
    assert_same(scored(model, requests, batch_size=64), one_by_one(model, requests))


def test_many_choices_are_split_and_none_is_lost(model: torch.nn.Module) -> None:
    rng = np.random.default_rng(2)
    requests = [([7], rng.integers(1, 257, 40).tolist()) for _ in range(30)]
    parts = branches(requests)
    assert len(parts) == 5  # the context's last token and six times 39 behind it: 235 of 256
    assert sorted(request for part in parts for request in part.requests) == list(range(30))
    assert_same(scored(model, requests), one_by_one(model, requests))


def test_a_context_that_nobody_shares_is_left_to_lm_eval() -> None:
    assert branches([([1, 2], [3]), ([1], [3]), ([1, 2, 2], [3])]) == []
    # Two continuations too long for one row stand alone as well.
    assert branches([([1], [3] * 300), ([1], [4] * 300)]) == []


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (GPT2LMHeadModel, GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=64, n_positions=128)),
        (
            Qwen3ForCausalLM,
            Qwen3Config(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=8,
                vocab_size=64,
            ),
        ),
    ],
)
def test_other_architectures_branch_too(kind: Any, config: Any) -> None:
    torch.manual_seed(1)
    model = kind(config).eval()
    assert can_branch(model)
    requests = requests_of(3, 5, 3, vocabulary=64)
    assert_same(scored(model, requests), one_by_one(model, requests))


SMALL: dict[str, Any] = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    vocab_size=64,
)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=16)), id="sliding window"),
        pytest.param(
            lambda: BloomForCausalLM(BloomConfig(hidden_size=32, n_layer=2, n_head=2, vocab_size=64)), id="alibi"
        ),
        pytest.param(
            lambda: LlamaForCausalLM._from_config(LlamaConfig(**SMALL), attn_implementation="eager"), id="no sdpa"
        ),
    ],
)
def test_a_model_that_cannot_branch_is_left_to_lm_eval(make: Any) -> None:
    assert not can_branch(make().eval())


def test_a_model_that_counts_positions_itself_is_found_out(model: torch.nn.Module) -> None:
    class Counting(torch.nn.Module):
        """Ignores the positions it is given, as attention with ALiBi does."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model
            self.config = model.config

        def forward(self, position_ids: Any = None, logits_to_keep: int = 0, **inputs: Any) -> Any:
            return self.inner(**inputs, logits_to_keep=logits_to_keep)

    assert can_branch(model)
    assert not can_branch(Counting())


# ---------------------------------------------------------------- as lm-eval's model


def instances(texts: list[tuple[str, str]]) -> list[Instance]:
    return [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(texts)]


TEXTS = [
    (context, choice)
    for context in ("The grass is", "The colour of the sky on a clear day is", "", "Trailing space ")
    for choice in (" red", " green", " bluish white", "!")
]


@pytest.mark.parametrize("batch_size", [2, 16])
def test_the_plugin_gives_the_log_likelihoods_of_hf(random_llama: Path, batch_size: int) -> None:
    options: dict[str, Any] = dict(pretrained=str(random_llama), device="cpu", dtype="float32", batch_size=batch_size)
    expected = HFLM(**options).loglikelihood(instances(TEXTS), disable_tqdm=True)
    ours = QBenchLM(**options)
    assert_same(ours.loglikelihood(instances(TEXTS), disable_tqdm=True), expected)


def test_what_is_scored_is_what_the_cache_of_lm_eval_keeps(random_llama: Path) -> None:
    class Hook:
        def __init__(self) -> None:
            self.kept: dict[tuple[str, str], tuple[float, bool]] = {}

        def add_partial(self, kind: str, request: tuple[str, str], result: tuple[float, bool]) -> None:
            assert kind == "loglikelihood"
            self.kept[request] = result

    lm = QBenchLM(str(random_llama), device="cpu")
    lm.cache_hook = hook = Hook()
    results = lm.loglikelihood(instances([*TEXTS, ("Alone", " here")]), disable_tqdm=True)
    assert hook.kept == dict(zip([*TEXTS, ("Alone", " here")], results, strict=True))
