"""``model_backend=vllm``: levels that vLLM runs, asked through lm-eval's own vLLM model.

vLLM loads folders, so a level is written as one: the weights that its codes stand for (engine ``intx``), bitsandbytes' own codes, or
nothing at all where the folder is there already (the baseline, ready-made checkpoints). The folder lives as long as the level.
"""

import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers
from lm_eval.api.instance import Instance

from qbench import levels
from qbench.answering import Answering, Asked, Encoded
from qbench.errors import LevelError, ModelError
from qbench.levels import AsIs, Level, Mix, Rung
from qbench.models import nano_path
from qbench.notes import Note
from qbench.quant import bnb
from qbench.quant.apply import apply
from qbench.quant.as_is import check_full_precision, check_vocabulary
from qbench.quant.loaded import empty_model, prove, prove_files, stored_in, without_import_complaints
from qbench.quant.modules import units
from qbench.quant.proof import Proof
from qbench.quant.weights import Checkpoint

try:
    from lm_eval.models.vllm_causallms import VLLM
    from vllm import LLM, SamplingParams, TokensPrompt
    from vllm.distributed import cleanup_dist_env_and_memory
    from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
except ImportError as error:
    raise ModelError(f"The model backend vllm needs vLLM ({error}): pip install 'qbench[vllm]'.") from None


class VLLMLM(Answering, VLLM):  # type: ignore[misc]  # lm-eval ships no types
    """A causal language model in vLLM at one level.

    Args:
        pretrained: a local folder or a hub id; by default the reference model that ships with qbench.
        level: name of a level or mix, the path of a mix, or ``as-is:PATH`` for a checkpoint of this model that vLLM can load.
        engine: the library that quantizes; ``intx``.
        dtype: what vLLM computes in, and what lowered weights are stored in; ``auto`` is the checkpoint's own.
        tokenizer: where tokens come from at every level; the model by default.
        revision: of a hub id.
        trust_remote_code: as lm-eval takes it.
        device: taken because lm_eval's command line always gives one; vLLM computes on what CUDA_VISIBLE_DEVICES names.
        kwargs: everything else that lm-eval's ``vllm`` model takes, vLLM's own arguments included.

    Raises:
        ModelError: there is no such model, or vLLM cannot run it.
        LevelError: there is no such level, or vLLM has nothing to run it with.
    """

    model: Any
    takes_drafts = False
    is_in_process = False
    advice = "Try dtype=bfloat16"

    def __init__(
        self,
        pretrained: Any = None,
        level: str = "fp16",
        engine: str = "intx",
        dtype: str = "auto",
        tokenizer: str | None = None,
        revision: str = "main",
        trust_remote_code: bool = False,
        device: str | None = None,
        **kwargs: Any,
    ) -> None:
        if engine not in levels.ENGINES:
            raise LevelError(f"vLLM runs the levels of {', '.join(levels.ENGINES)}, and none of the engine {engine!r}.")
        self.pretrained = str(pretrained or nano_path())
        self.revision = revision
        self._source = {"revision": revision, "trust_remote_code": trust_remote_code}
        self._dtype = dtype
        self._tokenizer_name = tokenizer or self.pretrained
        self._forget_folder: Callable[[], Any] = lambda: None
        self._finished: dict[tuple[int, ...], Note] = {}
        """By the tokens of a prompt: how its response ended."""
        self._n_timed = 0
        try:
            self._base = transformers.AutoConfig.from_pretrained(self.pretrained, **self._source)
        except (OSError, ValueError) as error:
            raise ModelError(f"There is no model at {self.pretrained!r}: {str(error).splitlines()[0]}") from error
        wanted = self.check_level(level)
        folder, proof = self._made(wanted)
        super().__init__(
            pretrained=folder,
            dtype=dtype,
            tokenizer=self._tokenizer_name,
            tokenizer_revision=revision,
            **self._source,
            **kwargs,
        )
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.level, self.proof = wanted, proof

    # ------------------------------------------------------------ levels

    def check_level(self, name: str) -> Rung:
        """Find out whether vLLM can be brought to a level, as far as that is known without doing it, and return the level.

        Raises:
            QBenchError: a library is missing, a checkpoint has another vocabulary, or a mix has a rule that decides for no module.
        """
        level = levels.resolve(name)
        if isinstance(level, AsIs):
            theirs = transformers.AutoTokenizer.from_pretrained(self._tokenizer_name, **self._source)
            check_vocabulary(level.path, theirs)
            return level
        check_full_precision(self._base)
        if isinstance(level, Mix):
            level.lower([unit.name for unit in units(empty_model(self._base))])
        elif level.is_made_on_loading:
            bnb.configuration(level, self._dtype)
            if "bitsandbytes" not in QUANTIZATION_METHODS:
                raise LevelError(
                    f"This vLLM runs no bitsandbytes, which level {name} is made by; leave out the model backend for it."
                )
        return level

    def _set_level(self, level: Rung) -> None:
        if level == self.level:
            return
        self.model = None  # one model in memory at a time
        cleanup_dist_env_and_memory()
        self.model_args["model"], self.proof = self._made(level)
        if self.data_parallel_size == 1:  # else every replica loads it when it is asked
            self.model = LLM(**self.model_args)
        self.level = level

    def _made(self, level: Rung) -> tuple[str, Proof]:
        """The folder of a level, and the proof of what is in it."""
        self._forget_folder()
        if isinstance(level, AsIs):
            return level.path, prove_files(level, self._base, Checkpoint(self.pretrained, self.revision).__getitem__)
        if level.is_full_precision:
            return self.pretrained, apply(empty_model(self._base), level)
        folder = tempfile.mkdtemp(prefix="qbench-vllm-")
        self._forget_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder, self._write(level, folder)

    def _write(self, level: Level | Mix, folder: str) -> Proof:
        """Let transformers make a folder of the model at a level. All of it is in the host's memory once."""
        options: dict[str, Any] = {"dtype": self._dtype, **self._source}
        if isinstance(level, Level) and level.is_made_on_loading:
            options["quantization_config"] = bnb.configuration(level, self._dtype)
        with without_import_complaints():
            model = transformers.AutoModelForCausalLM.from_pretrained(self.pretrained, **options).eval()
        if not level.is_made_on_loading:
            proof = apply(model, level)
            model.save_pretrained(folder)
            return proof
        stored = stored_in(model)
        model.save_pretrained(folder)  # before the proof uses the model, which spoils its codes on some CPUs
        return prove(model, level, stored, Checkpoint(self.pretrained, self.revision).__getitem__)

    def weights_sha256(self) -> str:
        """SHA-256 over the checkpoint's weight files."""
        return Checkpoint(self.pretrained, self.revision).sha256()

    @property
    def weights_dtype(self) -> str:
        is_here = self.data_parallel_size == 1
        return str(self.model.llm_engine.model_config.dtype if is_here else self.model_args["dtype"])

    @property
    def batch_size_per_gpu(self) -> int | str:
        """Requests that vLLM gets at once; what it computes together is its own business."""
        size: int | str = self.batch_size
        return size

    @batch_size_per_gpu.setter
    def batch_size_per_gpu(self, size: int) -> None:
        self.batch_size = size

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval records of the model."""
        assert self.proof is not None
        return {
            "model_num_parameters": self.proof.n_parameters,
            "model_dtype": self.weights_dtype,
            "model_revision": self.revision,
            "model_sha": self.weights_sha256(),
            "qbench_level": self.level.name,
            "qbench_proof": self.proof.to_json(),
        }

    # ------------------------------------------------------------ answering

    def _answer(self, asked: Sequence[Asked], progress: Callable[[int], Any]) -> list[tuple[str, Note]]:
        self._finished = {}
        # In full: where a task says neither do_sample nor temperature, lm-eval 0.4.13 has vLLM sample, and its other models do not.
        requests = [Instance("generate_until", {}, (one.prompt, self._options(one.request)), 0) for one in asked]
        texts = VLLM.generate_until(self, requests, disable_tqdm=True)
        progress(len(asked))
        return [(text, self._finished[tuple(one.tokens)]) for text, one in zip(texts, asked, strict=True)]

    def _model_generate(self, requests: list[list[int]], generate: bool = False, sampling_params: Any = None) -> Any:
        """What lm-eval has vLLM compute. How a response ended is noted here, since lm-eval keeps its text alone."""
        outputs = VLLM._model_generate(self, requests, generate=generate, sampling_params=sampling_params)
        if generate:
            for tokens, output in zip(requests, outputs, strict=True):
                (response,) = output.outputs
                self._finished[tuple(tokens)] = Note(
                    n_tokens=len(response.token_ids), truncated=response.finish_reason == "length"
                )
        return outputs

    @property
    def _longest_scored(self) -> int:
        return int(self.max_length) - 1  # vLLM also generates a token behind what it scores

    def _score(self, requests: list[Encoded], disable_tqdm: bool = False, **_: Any) -> list[tuple[float, bool]]:
        return list(VLLM._loglikelihood_tokens(self, requests, disable_tqdm=disable_tqdm))

    # ------------------------------------------------------------ cost

    @property
    def can_be_timed(self) -> bool:
        """Not where lm-eval hands the requests to several replicas, each of which it starts anew."""
        return bool(self.data_parallel_size == 1)

    def timed_pass(self, n_prompt: int, n_new: int) -> tuple[float, float]:
        """Seconds to read a prompt of synthetic tokens, and to generate behind it; see `qbench.cost`."""
        read = self._timed(n_prompt, 1)
        return read, self._timed(n_prompt, 1 + n_new) - read

    def _timed(self, n_prompt: int, n_new: int) -> float:
        self._n_timed += 1  # every prompt begins with another token: vLLM keeps what it has read
        prompt = [(self._n_timed + at) % self._base.vocab_size for at in range(n_prompt)]
        options = SamplingParams(temperature=0, max_tokens=n_new, ignore_eos=True, detokenize=False)
        started = time.perf_counter()
        self.model.generate([TokensPrompt(prompt_token_ids=prompt)], sampling_params=options, use_tqdm=False)
        return time.perf_counter() - started
