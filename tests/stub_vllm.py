"""What lm-eval and qbench import of vLLM, for machines that cannot run it: the folder is computed by transformers, one prompt at a time.

All its modules are this one; `installed` puts it in their place.
"""

import contextlib
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers

MODULES = (
    "vllm",
    "vllm.distributed",
    "vllm.lora",
    "vllm.lora.request",
    "vllm.model_executor",
    "vllm.model_executor.layers",
    "vllm.model_executor.layers.quantization",
    "vllm.renderers",
    "vllm.renderers.hf",
    "vllm.tokenizers",
)
USERS = ("lm_eval.models.vllm_causallms", "qbench.vllm")
QUANTIZATION_METHODS = ["fp8", "compressed-tensors"]  # 0.33 has these and others, and bitsandbytes no more


class LoRARequest:
    """Imported by lm-eval, and never made here."""


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Be vLLM, with the metadata of a package in the folder."""
    (folder / "vllm-0.33.0.dist-info").mkdir()
    (folder / "vllm-0.33.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.33.0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for name in MODULES:
            patch.setitem(sys.modules, name, sys.modules[__name__])
        for name in USERS:
            patch.delitem(sys.modules, name, raising=False)
        yield
        for name in USERS:
            package, _, own = name.rpartition(".")
            if sys.modules.pop(name, None):
                delattr(sys.modules[package], own)


__spec__ = importlib.machinery.ModuleSpec(__name__, None)


@dataclass
class TokensPrompt:
    prompt_token_ids: list[int]


@dataclass
class SamplingParams:
    """Those that lm-eval and qbench set."""

    temperature: float = 1.0
    max_tokens: int = 16
    stop: Sequence[str] = ()
    prompt_logprobs: int | None = None
    ignore_eos: bool = False
    detokenize: bool = True
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = True


@dataclass
class Completion:
    text: str
    token_ids: list[int]
    finish_reason: str


@dataclass
class RequestOutput:
    outputs: list[Completion]
    prompt_logprobs: list[Mapping[int, float] | None] = field(default_factory=list)


class LLM:
    """Computes what it is given, and remembers with what arguments it was made."""

    made: list[dict[str, Any]] = []  # noqa: RUF012  # of all of them

    def __init__(self, **arguments: Any) -> None:
        LLM.made.append(arguments)
        self.network = transformers.AutoModelForCausalLM.from_pretrained(
            arguments["model"], dtype=arguments["dtype"]
        ).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(arguments["tokenizer"])
        window = arguments["max_model_len"] or self.network.config.max_position_embeddings
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=window, dtype=self.network.dtype))

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[TokensPrompt],
        sampling_params: SamplingParams | Sequence[SamplingParams],
        use_tqdm: bool,
        lora_request: None = None,
    ) -> list[RequestOutput]:
        each = [sampling_params] * len(prompts) if isinstance(sampling_params, SamplingParams) else sampling_params
        return [self._generate(prompt.prompt_token_ids, options) for prompt, options in zip(prompts, each, strict=True)]

    def _generate(self, prompt: list[int], options: SamplingParams) -> RequestOutput:
        assert options.temperature == 0
        assert len(prompt) + options.max_tokens <= self.llm_engine.model_config.max_model_len
        step = self.network(torch.tensor([prompt]), use_cache=True)
        scores = step.logits[0].log_softmax(-1)
        tokens: list[int] = []
        reason = "length"
        while len(tokens) < options.max_tokens:
            if tokens:
                step = self.network(torch.tensor([tokens[-1:]]), past_key_values=step.past_key_values, use_cache=True)
            tokens.append(int(step.logits[0, -1].argmax()))
            ends = tokens[-1] == self.tokenizer.eos_token_id and not options.ignore_eos
            if ends or any(stop in self.tokenizer.decode(tokens) for stop in options.stop):
                reason = "stop"
                break
        text = self.tokenizer.decode(tokens, skip_special_tokens=options.skip_special_tokens)
        for stop in options.stop:
            text = text.split(stop)[0]
        shown: list[Mapping[int, float] | None] = [None]
        for row, token in zip(scores, prompt[1:], strict=False):
            shown.append({int(row.argmax()): float(row.max()), token: float(row[token])})
        return RequestOutput([Completion(text, tokens, reason)], shown if options.prompt_logprobs else [])


def get_tokenizer(name: str, *, revision: str | None = None, trust_remote_code: bool = False, **_: Any) -> Any:
    return transformers.AutoTokenizer.from_pretrained(name, revision=revision or "main")


def resolve_chat_template(tokenizer: Any, chat_template: None, tools: None, *, model_config: Any) -> str | None:
    return getattr(tokenizer, "chat_template", None)


def cleanup_dist_env_and_memory() -> None:
    return None
