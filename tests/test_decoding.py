"""Drafted decoding gives what plain greedy decoding gives, and that is what transformers' own greedy search gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from qbench.decoding import Decoded, Ending, decode

MAX_NEW = 24


@pytest.fixture(scope="module")
def model(random_llama: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    return loaded


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(1, 257, int(length)).tolist() for length in rng.integers(3, 40, 30)]


def ending(tokens: frozenset[int] = frozenset(), stop: Sequence[int] = ()) -> Ending:
    wanted = ",".join(map(str, stop))
    return Ending(tokens, lambda decoded: bool(stop) and wanted in ",".join(map(str, decoded)))


def run(model: torch.nn.Module, prompts: list[list[int]], ending: Ending, **options: Any) -> list[Decoded]:
    return decode(model, prompts, [MAX_NEW] * len(prompts), ending, batch_size=8, **options)


@pytest.fixture(scope="module")
def reference(model: torch.nn.Module, prompts: list[list[int]]) -> list[list[int]]:
    """Greedy search by transformers, one prompt at a time, no padding."""
    responses = []
    for prompt in prompts:
        output = model.generate(  # type: ignore[operator]
            torch.tensor([prompt]), max_new_tokens=MAX_NEW, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        responses.append(output[0, len(prompt) :].tolist())
    return responses


def test_plain_decoding_is_greedy_search(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    decoded = run(model, prompts, ending())
    assert [result.tokens for result in decoded] == reference
    assert not any(result.stopped for result in decoded)


def test_each_prompt_has_its_own_limit(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    limits = [1 + index % MAX_NEW for index in range(len(prompts))]
    decoded = decode(model, prompts, limits, ending(), batch_size=8)
    assert [result.tokens for result in decoded] == [r[:limit] for r, limit in zip(reference, limits, strict=True)]


@pytest.mark.parametrize("kept", [0, 1, 10, MAX_NEW])
def test_a_draft_changes_nothing_but_the_work(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]], kept: int
) -> None:
    # Drafts that agree for `kept` tokens and then go wrong.
    drafts = [response[:kept] + [(token + 1) % 257 for token in response[kept:]] for response in reference]
    decoded = run(model, prompts, ending(), drafts=drafts)
    assert [result.tokens for result in decoded] == reference
    assert [result.accepted for result in decoded] == [kept] * len(prompts)


def work(model: torch.nn.Module, prompt: list[int], draft: list[int] | None) -> tuple[list[int], int, int]:
    """The response, the number of passes and of tokens computed."""
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda module, arguments, inputs: sizes.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    try:
        (decoded,) = run(model, [prompt], ending(), drafts=None if draft is None else [draft])
    finally:
        handle.remove()
    return decoded.tokens, len(sizes), sum(sizes)


def test_a_right_draft_costs_one_pass(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    assert work(model, prompts[0], None) == (reference[0], MAX_NEW, len(prompts[0]) + MAX_NEW - 1)
    assert work(model, prompts[0], reference[0]) == (reference[0], 1, len(prompts[0]) + MAX_NEW)


def test_a_draft_goes_on_behind_a_token_that_differs(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    for prompt, response in zip(prompts, reference, strict=True):
        draft = [*response[:6], (response[6] + 1) % 257, *response[7:]]
        tokens, n_passes, _ = work(model, prompt, draft)
        assert tokens == response
        # Two tokens are decoded until the response reads like the draft again, and eight are guessed after a miss.
        assert n_passes <= MAX_NEW // 2


def test_drafts_that_never_hold_cost_little(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    for prompt, response in zip(prompts, reference, strict=True):
        wrong = [(token + 1) % 257 for token in response]
        tokens, n_passes, n_computed = work(model, prompt, wrong)
        assert tokens == response
        assert n_passes <= MAX_NEW
        assert n_computed <= len(prompt) + 2 * MAX_NEW + 8


def test_an_end_token_ends_the_response(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    end = reference[0][5]
    expected = [response[: response.index(end)] if end in response else response for response in reference]
    for drafts in (None, expected):
        decoded = run(model, prompts, ending(frozenset({end})), drafts=drafts)
        assert [result.tokens for result in decoded] == expected
        assert [result.stopped for result in decoded] == [end in response for response in reference]


@pytest.mark.parametrize("drafted", [False, True])
def test_a_response_ends_with_its_stop_string(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]], drafted: bool
) -> None:
    stop = reference[2][3:5]
    decoded = run(model, prompts, ending(stop=stop), drafts=reference if drafted else None)
    for result, response in zip(decoded, reference, strict=True):
        ends = [at + 2 for at in range(MAX_NEW - 1) if response[at : at + 2] == stop]
        assert result.stopped == bool(ends)
        assert result.tokens == (response[: ends[0]] if ends else response)
    assert decoded[2].stopped


def test_nan_is_a_failure_and_not_an_answer(model: torch.nn.Module, prompts: list[list[int]]) -> None:
    class Broken(torch.nn.Module):
        """Fails for prompts that begin with token 9."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, **inputs: torch.Tensor) -> object:
            output = self.inner(**inputs)
            first = inputs["attention_mask"].argmax(-1)
            if inputs["input_ids"].shape[1] > 1:
                bad = inputs["input_ids"].gather(1, first[:, None])[:, 0] == 9
                output.logits[bad] = float("nan")
            return output

    decoded = run(Broken(), [[9, *prompts[0]], prompts[1]], ending())
    assert decoded[0] == Decoded(MAX_NEW, failed=True)
    assert not decoded[1].failed
    assert len(decoded[1].tokens) == MAX_NEW
