"""Drafted decoding gives what plain greedy decoding gives, and that is what transformers' own greedy search gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from qbench.decoding import Decoded, Limits, decode

MAX_NEW = 24


@pytest.fixture(scope="module")
def model(random_llama: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    return loaded


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(1, 257, int(length)).tolist() for length in rng.integers(3, 40, 30)]


def limits(end_tokens: set[int] = frozenset(), stop: tuple[int, ...] = ()) -> Limits:  # type: ignore[assignment]
    def is_stopped(tokens: object) -> bool:
        text = ",".join(map(str, tokens))  # type: ignore[call-overload]
        return bool(stop) and ",".join(map(str, stop)) in text

    return Limits(MAX_NEW, frozenset(end_tokens), is_stopped)


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
    decoded = decode(model, prompts, limits(), batch_size=8)
    assert [result.tokens for result in decoded] == reference
    assert not any(result.stopped for result in decoded)


@pytest.mark.parametrize("kept", [0, 1, 10, MAX_NEW])
def test_a_draft_changes_nothing_but_the_work(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]], kept: int
) -> None:
    # Drafts that agree for `kept` tokens and then go wrong.
    drafts = [response[:kept] + [(token + 1) % 257 for token in response[kept:]] for response in reference]
    decoded = decode(model, prompts, limits(), batch_size=8, drafts=drafts)
    assert [result.tokens for result in decoded] == reference
    assert [result.accepted for result in decoded] == [kept] * len(prompts)


def test_an_end_token_ends_the_response(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    end = reference[0][5]
    expected = [response[: response.index(end)] if end in response else response for response in reference]
    for drafts in (None, expected):
        decoded = decode(model, prompts, limits({end}), batch_size=8, drafts=drafts)
        assert [result.tokens for result in decoded] == expected
        assert [result.stopped for result in decoded] == [end in response for response in reference]


def test_a_stop_string_ends_the_response_soon_after(
    model: torch.nn.Module, prompts: list[list[int]], reference: list[list[int]]
) -> None:
    stop = tuple(reference[2][3:5])
    decoded = decode(model, prompts, limits(stop=stop), batch_size=8)
    assert decoded[2].stopped
    assert decoded[2].tokens == reference[2][: len(decoded[2].tokens)]


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

    decoded = decode(Broken(), [[9, *prompts[0]], prompts[1]], limits(), batch_size=8)
    assert decoded[0] == Decoded(failed=True)
    assert not decoded[1].failed
    assert len(decoded[1].tokens) == MAX_NEW
