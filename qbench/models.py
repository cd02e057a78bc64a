"""``--model qbench``: lm-eval's Hugging Face model, with a level.

All of lm-eval's arguments (dtype, device, batch_size, parallelize, peft, chat templates, thinking tokens, …) keep working; ``level``
takes the name of a level or mix, or the path of a mix. What differs from ``--model hf``: greedy decoding drops finished rows and can
verify drafts, the choices of a question share their context, no prompt is ever truncated in silence, and NaN is a failure and not an
answer.
"""

import logging
import re
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.resources import files
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import postprocess_generated_text
from lm_eval.utils import simple_parse_args_string
from tqdm import tqdm

from qbench import choices, cost, levels
from qbench.answering import Answering, Asked, Encoded
from qbench.choices import Branches
from qbench.decoding import Decoded, Ending, decode, device_of
from qbench.errors import LevelError, ModelError
from qbench.levels import Rung
from qbench.notes import Note
from qbench.quant import bnb
from qbench.quant.apply import apply
from qbench.quant.as_is import check_full_precision, check_vocabulary, configuration
from qbench.quant.loaded import prove, stored_in, widen, without_import_complaints
from qbench.quant.modules import units
from qbench.quant.weights import Checkpoint, Stored


def nano_path() -> str:
    """The reference model that ships in the package: a demonstration and a test fixture, no result about language models."""
    return str(files("qbench") / "nano")


MODELS = {"gguf": "qbench.gguf.model:GGUFLM"}
"""Engines that bring a model of their own; all others are levels of lm-eval's Hugging Face model."""
BACKENDS = {"vllm": "qbench.vllm:VLLMLM"}
"""Programs beside transformers that run the levels of the other engines."""
COUNTS = {"max_length", "max_gen_toks", "threads"}
"""Arguments of a model that are whole numbers, and that nobody looks at before the first prompt."""
UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


def open_model(model_backend: str | None = None, **arguments: Any) -> Any:
    """The model for lm-eval that these arguments describe, of the class that their backend or their engine needs.

    Raises:
        ModelError: there is no such backend, or an argument is unknown or no number.
    """
    if model_backend is not None and model_backend not in BACKENDS:
        raise ModelError(
            f"There is no model backend {model_backend!r}; known is {', '.join(BACKENDS)}, and without one the engine runs its levels "
            "itself."
        )
    for name in COUNTS & arguments.keys():
        if arguments[name] is not None and (not isinstance(arguments[name], int) or arguments[name] < 1):
            raise ModelError(f"{name} must be a whole number of at least 1, not {arguments[name]!r}.")
    target = BACKENDS.get(model_backend or "") or MODELS.get(arguments.get("engine", ""))
    module, _, name = (target or "qbench.models:QBenchLM").partition(":")
    model = getattr(import_module(module), name)
    try:
        return model(**arguments)
    except TypeError as error:  # of transformers, which is handed what neither qbench nor lm-eval knows
        unknown = UNEXPECTED.search(str(error))
        if not unknown or unknown[1] not in arguments:
            raise
        raise ModelError(
            f"The model takes no argument {unknown[1]}; it takes those of lm-eval's own model, and of the class that loads its weights."
        ) from error


def _check_dtype(dtype: Any) -> None:
    """
    Raises:
        ModelError: torch cannot compute a model in it.
    """
    found = dtype if isinstance(dtype, torch.dtype) else getattr(torch, str(dtype), None)
    if dtype not in (None, "auto") and not (isinstance(found, torch.dtype) and found.is_floating_point):
        raise ModelError(f"No model computes in dtype {dtype}; it is auto, float32, bfloat16 or float16.")


class QBenchLM(Answering, HFLM):  # type: ignore[misc]  # lm-eval ships no types
    """A causal language model of transformers at one level.

    Args:
        pretrained: a local folder or a hub id; by default the reference model that ships with qbench.
        level: name of a level or mix, the path of a mix, or ``as-is:PATH`` for a checkpoint of this model that is quantized already.
        engine: the library that quantizes; ``intx``. (``gguf`` is another class: see `open_model`.)
        dtype: what the arithmetic is done in. ``auto`` takes the checkpoint's own, but float32 on a CPU, where bf16 is slower and its
            rounding noise would drown the small levels.
        kwargs: everything else that lm-eval's ``hf`` model takes.

    Raises:
        ModelError: there is no such model, or no such dtype.
        LevelError: there is no such level, or it cannot be applied to this model.
    """

    def __init__(
        self,
        pretrained: Any = None,
        level: str = "fp16",
        engine: str = "intx",
        dtype: Any = "auto",
        device: str | None = None,
        **kwargs: Any,
    ) -> None:
        if engine not in levels.ENGINES:
            raise LevelError(f"There is no engine {engine!r}; known are {', '.join([*levels.ENGINES, *MODELS])}.")
        wanted = levels.resolve(level)  # before anything expensive, so that a typo costs nothing
        _check_dtype(dtype)
        # lm_eval's command line always names a device, cuda:0 on a machine without one, and lm-eval then falls back to the CPU.
        if not torch.accelerator.is_available() or (device is None and not torch.cuda.is_available()):
            device = "cpu"
        device = device or "cuda"
        if dtype in (None, "auto") and device == "cpu":
            dtype = "float32"
        self._loading: dict[str, Any] = {}
        self._wanted = wanted
        pretrained = pretrained or nano_path()
        try:
            with without_import_complaints():
                super().__init__(pretrained=pretrained, dtype=dtype, device=device, **kwargs)
        except OSError as error:
            if not isinstance(pretrained, str):
                raise
            raise ModelError(
                f"There is no model at {pretrained!r}: neither a folder with a config.json, nor an id that the hub (or its cache) "
                f"answers to. {str(error).splitlines()[0]}"
            ) from error
        if self.device.type == "meta":  # of an offloaded model object
            self._device = device_of(self.model)
        if wanted.is_made_on_loading and (self.peft or self.delta):
            raise LevelError(f"Level {level} cannot be made of an adapter or a delta; merge it into its model first.")
        if not self._loading:  # a model object, which lm-eval does not load
            self._check_full_precision()
        self._set_level(wanted)

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> Any:
        """What lm-eval calls with the text of ``--model_args``."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None) -> Any:
        """What lm-eval calls with the arguments as a dictionary, its own (batch size, device) apart."""
        given = {name: value for name, value in (additional_config or {}).items() if value is not None}
        return open_model(**arg_dict, **given)

    # ------------------------------------------------------------ levels

    def check_level(self, name: str) -> Rung:
        """Find out whether the model can be brought to a level, without doing it, and return the level.

        Raises:
            QBenchError: a library is missing, a checkpoint has another vocabulary, or a mix has a rule that decides for no module.
        """
        level = levels.resolve(name)
        if isinstance(level, levels.AsIs):
            check_vocabulary(level.path, self.tokenizer)
        elif isinstance(level, levels.Mix):
            level.lower([unit.name for unit in units(self.model)])
        elif level.engine == "bnb":
            bnb.configuration(level, self._loading.get("dtype"))
        return level

    def _set_level(self, level: Rung) -> None:
        is_loaded = self.proof is None and bool(self._loading)  # by lm-eval, for this very level
        if level.is_made_on_loading:
            if not is_loaded:
                self._load(level)
            self.proof = prove(self.model, level, self._stored(level), self._original().__getitem__)
        elif is_loaded or self.proof is None:
            self.proof = apply(self.model, level)
        elif not self.level.is_made_on_loading and (checkpoint := self._checkpoint()) is not None:
            self.proof = apply(self.model, level, checkpoint.__getitem__)
        else:
            self._load(level)
            self.proof = apply(self.model, level)
        self.level = level

    def _original(self) -> Checkpoint:
        return Checkpoint(self.pretrained, self.revision)

    def _stored(self, level: Rung) -> dict[str, Stored]:
        """The tensors that a level made on loading has in a file."""
        return Checkpoint(level.path).stored() if isinstance(level, levels.AsIs) else stored_in(self.model)

    def _checkpoint(self) -> Checkpoint | None:
        """The weight files, if the model's weights can be read from them as they are; adapters and deltas change them on loading."""
        if not isinstance(self.pretrained, str) or self.peft or self.delta:
            return None
        checkpoint = self._original()
        shapes_known = all(unit.parameter_name in checkpoint for unit in units(self.model))
        return checkpoint if shapes_known else None

    def weights_sha256(self) -> str:
        """SHA-256 over the checkpoint's weight files; empty for a model object, which has none."""
        return self._original().sha256() if isinstance(self.pretrained, str) else ""

    def _create_model(self, **kwargs: Any) -> None:
        self._check_full_precision()
        self._loading = kwargs
        self._load(self._wanted)

    def _check_full_precision(self) -> None:
        if not self._wanted.is_made_on_loading:
            check_full_precision(self.config)

    def _load(self, level: Rung) -> None:
        """Let lm-eval load the weights: the checkpoint's own, or what a level has a library make of them.

        Raises:
            LevelError: the model was given as an object, or a library is missing.
            ModelError: a ready-made checkpoint cannot be loaded.
        """
        if not self._loading:
            raise LevelError(
                "A model object can be brought to one level only, and to none that is made on loading; pass its folder or hub id."
            )
        self._model = None  # the old weights must be gone before the new ones come
        # At every multiplication it says that LLM.int8 computes in float16, and where a faster kernel could be downloaded.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        if isinstance(level, levels.AsIs):
            check_vocabulary(level.path, self.tokenizer)
            theirs = {"pretrained": level.path, "revision": "main", "subfolder": ""}
            theirs["quantization_config"] = configuration(level.path)
            try:
                with (
                    warnings.catch_warnings()
                ):  # lm-eval hands the configuration on, and transformers says that it knew it
                    warnings.filterwarnings("ignore", "You passed `quantization_config`", UserWarning)
                    super()._create_model(**{**self._loading, **theirs})
            except (ImportError, OSError, RuntimeError, ValueError) as error:
                raise ModelError(f"{level.path} cannot be loaded here: {str(error).strip().splitlines()[0]}") from error
            if self._loading["dtype"] == "float32":
                widen(self.model)
        elif isinstance(level, levels.Level) and level.engine == "bnb":
            theirs = {"quantization_config": bnb.configuration(level, self._loading["dtype"])}
            super()._create_model(**{**self._loading, **theirs})
        else:
            super()._create_model(**self._loading)
        self.model.eval().tie_weights()

    @property
    def weights_dtype(self) -> str:
        return str(self.model.dtype)

    def get_model_info(self) -> dict[str, Any]:
        """Beside what lm-eval records: the level, and the proof that it was applied."""
        info: dict[str, Any] = super().get_model_info() if isinstance(self.pretrained, str) else {}
        if self.proof is not None:
            info |= {"qbench_level": self.level.name, "qbench_proof": self.proof.to_json()}
        return info

    def timed_pass(self, n_prompt: int, n_new: int) -> tuple[float, float]:
        """Seconds to read a prompt of synthetic tokens, and to generate behind it; see `qbench.cost`."""
        return cost.timed_pass(self.model, n_prompt, n_new)

    # ------------------------------------------------------------ generation

    def _answer(self, asked: Sequence[Asked], progress: Callable[[int], Any]) -> list[tuple[str, Note]]:
        """Answer greedy requests by `qbench.decoding`, the others as lm-eval does."""
        options = self._options(asked[0].request)
        greedy = not options.get("do_sample") and options.get("num_beams", 1) == 1
        if greedy and self.backend == "causal":
            return super()._answer(asked, progress)
        texts = HFLM.generate_until(self, [one.request for one in asked], disable_tqdm=True)
        progress(len(asked))
        return [(text, Note()) for text in texts]

    def _decode(
        self,
        asked: Sequence[Asked],
        ending: Ending,
        drafts: list[list[int] | None] | None,
        progress: Callable[[int], Any],
    ) -> list[Decoded]:
        prompts, limits = [one.tokens for one in asked], [one.max_new_tokens for one in asked]
        return decode(self.model, prompts, limits, ending, batch_size=self._rows(), drafts=drafts, progress=progress)

    def _text(self, decoded: Decoded, stops: list[str]) -> str:
        tokens = decoded.tokens
        if isinstance(self.think_end_token, int) and self.think_end_token in tokens:
            last = len(tokens) - 1 - tokens[::-1].index(self.think_end_token)
            tokens = tokens[last + 1 :]
        think_end = self.think_end_token if isinstance(self.think_end_token, str) else None
        return str(postprocess_generated_text(self.tok_decode(tokens), stops, think_end))

    def _end_tokens(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        several = configured if isinstance(configured, list) else [configured]
        return {self.eot_token_id, *several} - {None}

    def _rows(self) -> int:
        """Rows of a batch. lm-eval's ``auto`` probes the memory; our batches are bounded in tokens anyway."""
        return self.max_batch_size if str(self.batch_size).startswith("auto") else int(self.batch_size)

    # ------------------------------------------------------------ log-likelihoods

    def _score(self, requests: list[Encoded], disable_tqdm: bool = False, **kwargs: Any) -> list[tuple[float, bool]]:
        """Score continuations, those behind the same context together, the others as lm-eval does."""
        shared = self._branches(requests)
        bar = tqdm(total=sum(len(part.requests) for part in shared), desc="Scoring choices", disable=disable_tqdm)
        with (
            bar,
            torch.autocast(
                self.device.type, self.mixed_precision_dtype, enabled=self.mixed_precision_dtype is not None
            ),
        ):
            scored = choices.log_likelihoods(
                self.model, shared, batch_size=self._rows(), softmax_dtype=self.softmax_dtype, progress=bar.update
            )
        for at, result in scored.items():
            self.cache_hook.add_partial("loglikelihood", requests[at][0], result)
        alone = [at for at in range(len(requests)) if at not in scored]
        theirs = HFLM._loglikelihood_tokens(self, [requests[at] for at in alone], disable_tqdm=disable_tqdm, **kwargs)
        scored |= zip(alone, theirs, strict=True)
        return [scored[at] for at in range(len(requests))]

    def _branches(self, requests: Sequence[Encoded]) -> list[Branches]:
        """Requests that share their context. The windows of a rolling log-likelihood, which have no texts, do not."""
        if self.backend != "causal" or any(texts is None for texts, _, _ in requests):
            return []
        shared = choices.branches([(context, continuation) for _, context, continuation in requests])
        return shared if shared and choices.can_branch(self.model) else []
