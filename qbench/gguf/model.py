"""``--model qbench --model_args engine=gguf``: a model that llama.cpp runs, as lm-eval wants it.

Log-likelihoods are exact (the logits of all tokens, not the top few that a server gives), and decoding is greedy. A model that came
from a Hugging Face folder is fed the ids of its own tokenizer; a bare GGUF file uses the one inside it.
"""

import logging
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm
from transformers.utils.chat_template_utils import render_jinja_template

from qbench import levels
from qbench.answering import Answering, Asked, Encoded
from qbench.decoding import Decoded, Ending
from qbench.errors import ModelError
from qbench.gguf import batches
from qbench.gguf.files import at_level, check_level, from_folder, open_file, prove
from qbench.gguf.gate import check
from qbench.gguf.llama import Llama, Tree
from qbench.gguf.types import as_gguf
from qbench.levels import Rung
from qbench.models import nano_path
from qbench.notes import Note

log = logging.getLogger(__name__)

DEFAULT_BATCH_SIZE = 16
DEFAULT_MAX_GEN_TOKS = 256


class FileTokenizer:
    """The tokenizer inside a GGUF file, with what lm-eval asks of one of transformers."""

    def __init__(self, llama: Llama, path: Path) -> None:
        self._llama = llama
        self.name_or_path = str(path)
        self.bos_token_id = llama.special_token("bos")
        self.eos_token_id = _known(llama.special_token("eos"), path)
        self.chat_template = llama.metadata("tokenizer.chat_template")

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return self._llama.tokenize(text, add_special_tokens=add_special_tokens)

    def decode(self, tokens: int | Sequence[int], skip_special_tokens: bool = False) -> str:
        several = [tokens] if isinstance(tokens, int) else tokens
        return self._llama.detokenize(several, skip_special_tokens=skip_special_tokens)

    def apply_chat_template(self, conversation: list[dict[str, str]], tokenize: bool, **options: Any) -> str:
        if self.chat_template is None:
            raise ModelError(f"{self.name_or_path} has no chat template; run without one.")
        special = {
            name: self.decode(token)
            for name, token in (("bos_token", self.bos_token_id), ("eos_token", self.eos_token_id))
            if token is not None
        }
        rendered, _ = render_jinja_template([conversation], chat_template=self.chat_template, **options, **special)
        return str(rendered[0])


def _known(end_token: int | None, path: Path) -> int:
    if end_token is None:
        raise ModelError(f"The tokenizer inside {path} has no end-of-text token; name another one: tokenizer=FOLDER.")
    return end_token


def _end_tokens_of(folder: str, revision: str) -> set[int]:
    """What ends a response, by the generation settings of a model, or else by its configuration."""
    for kind in (transformers.GenerationConfig, transformers.AutoConfig):
        try:
            ends = kind.from_pretrained(folder, revision=revision).eos_token_id
        except (OSError, ValueError):  # a folder with a tokenizer alone has neither
            continue
        return set(ends if isinstance(ends, list) else [ends]) - {None}
    return set()


class GGUFLM(Answering):
    """A causal language model in llama.cpp at one level.

    Args:
        pretrained: a Llama-family Hugging Face folder or hub id, of which an F16 file is made; or a GGUF file. By default the
            reference model that ships with qbench.
        level: name of a level or mix, the path of a mix, or ``as-is:PATH.gguf`` for a file that somebody else has quantized.
        engine: ``gguf``.
        tokenizer: folder or hub id of a tokenizer to take the ids from; by default that of the folder, or the one inside the file.
        reference: for a GGUF file, the Hugging Face model that it was made of, to be compared before anything is scored. A folder is
            always its own reference.
        gate: False scores without that comparison, which loads the model once in fp32.
        revision: of a hub id.
        batch_size: sequences in one batch, at most.
        max_length: tokens of the longest sequence; by default the model's window.
        max_gen_toks: longest response where the task does not say.
        add_bos_token: whether prompts begin with one; by default what the tokenizer does.
        threads: of the processor; by default as many as torch takes.
        device: taken because lm_eval's command line always gives one; llama.cpp computes where it was built for.
        max_batch_size: taken for the same reason.

    Raises:
        ModelError: there is no such model, or it disagrees with transformers.
        LevelError: llama.cpp is not installed, the model is none of the Llama family, or there is no such level.
    """

    takes_drafts = False  # they change answers: llama.cpp's numbers depend on how many tokens a pass has (docs/gguf.md)

    def __init__(
        self,
        pretrained: Any = None,
        level: str = "fp16",
        engine: str = "gguf",
        tokenizer: str | None = None,
        reference: str | None = None,
        gate: bool = True,
        revision: str = "main",
        batch_size: int | str = DEFAULT_BATCH_SIZE,
        max_length: int | None = None,
        max_gen_toks: int = DEFAULT_MAX_GEN_TOKS,
        add_bos_token: bool | None = None,
        threads: int | None = None,
        device: str | None = None,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        if unknown:
            raise ModelError(
                f"The engine gguf takes no argument {', '.join(unknown)}; it takes pretrained, level, tokenizer, reference, gate, "
                "revision, batch_size, max_length, max_gen_toks, add_bos_token and threads."
            )
        wanted = levels.resolve(level)  # before anything expensive, so that a typo costs nothing
        self.pretrained = str(pretrained or nano_path())
        self.revision = revision
        self.batch_size_per_gpu = DEFAULT_BATCH_SIZE if str(batch_size).startswith("auto") else int(batch_size)
        self.threads = threads or torch.get_num_threads()
        self.max_gen_toks = max_gen_toks
        self.add_bos_token = add_bos_token
        self._device = torch.device("cpu")  # where logits arrive

        is_file = self.pretrained.endswith(".gguf")
        self.source = open_file(Path(self.pretrained)) if is_file else from_folder(self.pretrained, revision)
        self._file = self.source
        self.llama = Llama(self.source.path, self.threads)
        self.max_length = max_length or self.llama.window
        own_tokenizer = is_file and tokenizer is None
        self.tokenizer = self._file_tokenizer() if own_tokenizer else self._open_tokenizer(tokenizer or self.pretrained)
        reference = reference if is_file else self.pretrained
        self._gate: dict[str, Any] = {}
        if gate and reference:
            self.source.check_is_full_precision()
            self._gate = check(
                self.llama, self.source, reference, revision, self.tokenizer, own_tokenizer=own_tokenizer
            )
        elif gate:
            self._gate = {"reference": None}
            self.caution = (
                f"{self.pretrained} is scored without being compared with transformers; name the model it was made of: "
                "reference=FOLDER."
            )
            log.warning(self.caution)
        self._set_level(wanted)

    # ------------------------------------------------------------ levels

    def check_level(self, name: str) -> Rung:
        """Find out whether the model can be brought to a level, without doing it, and return the level as llama.cpp makes it.

        Raises:
            QBenchError: another engine makes the level, a rule of a mix decides for no module, or a ready-made file is another model's.
        """
        level = levels.resolve(name)
        check_level(self.source, level)
        return as_gguf(level)

    def _set_level(self, level: Rung) -> None:
        made = at_level(self.source, level, self.threads)
        self.proof = prove(made, self.source, level, self._gate)
        if made.path != self._file.path:
            self._file = made
            self.llama.close()  # one model in memory at a time
            self.llama = Llama(made.path, self.threads)
            if isinstance(self.tokenizer, FileTokenizer):
                self.tokenizer = self._file_tokenizer()
        self.level = as_gguf(level)

    def weights_sha256(self) -> str:
        """SHA-256 over the checkpoint's weight files, or of the GGUF file that was given."""
        return self.source.weights_sha256

    @property
    def weights_dtype(self) -> str:
        return "GGUF"

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval records of the model."""
        assert self.proof is not None
        return {
            "model_num_parameters": self.source.n_parameters,
            "model_dtype": "GGUF",
            "model_revision": self.revision,
            "model_sha": self.weights_sha256(),
            "qbench_level": self.level.name,
            "qbench_proof": self.proof.to_json(),
        }

    # ------------------------------------------------------------ tokens

    def _open_tokenizer(self, name: str) -> Any:
        try:
            return transformers.AutoTokenizer.from_pretrained(name, revision=self.revision)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{name} has no tokenizer that transformers can read: {str(error).splitlines()[0]}"
            ) from error

    def _file_tokenizer(self) -> FileTokenizer:
        if not self.llama.has_tokenizer():
            raise ModelError(
                f"{self.source.path} has no tokenizer inside; name the folder that it was made of: tokenizer=FOLDER,reference=FOLDER."
            )
        return FileTokenizer(self.llama, self.source.path)

    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path).replace("/", "__")

    @property
    def batch_size(self) -> int:
        return self.batch_size_per_gpu

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids, with the same special tokens in front that lm-eval's Hugging Face model sets."""
        if add_special_tokens is None:
            already = string.startswith(self.tokenizer.decode(self.prefix_token_id))
            add_special_tokens = False if already else self.add_bos_token
        options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return list(self.tokenizer.encode(string, **options))

    def tok_decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    @cached_property
    def _ends(self) -> set[int]:
        if isinstance(self.tokenizer, FileTokenizer):
            return {token for token in range(self.llama.n_vocabulary) if self.llama.ends_generation(token)}
        return _end_tokens_of(self.tokenizer.name_or_path, self.revision)

    def _end_tokens(self) -> set[int]:
        return {self.eot_token_id, *self._ends}

    # ------------------------------------------------------------ generation

    def _answer(self, asked: Sequence[Asked], progress: Callable[[int], Any]) -> list[tuple[str, Note]]:
        """
        Raises:
            ModelError: a task asks for samples or beams.
        """
        options = self._options(asked[0].request)
        if options.get("do_sample") or options.get("num_beams", 1) != 1:
            raise ModelError(
                "The engine gguf decodes greedily, and this task asks for samples or beams; take the engine intx."
            )
        return super()._answer(asked, progress)

    def _decode(
        self,
        asked: Sequence[Asked],
        ending: Ending,
        drafts: list[list[int] | None] | None,
        progress: Callable[[int], Any],
    ) -> list[Decoded]:
        prompts, limits = [one.tokens for one in asked], [one.max_new_tokens for one in asked]
        return batches.decode(self.llama, prompts, limits, ending, batch_size=self.batch_size, progress=progress)

    # ------------------------------------------------------------ log-likelihoods

    def _score(self, requests: list[Encoded], disable_tqdm: bool = False, **_: Any) -> list[tuple[float, bool]]:
        pairs = [(context, continuation) for _, context, continuation in requests]
        with tqdm(total=len(requests), desc="Scoring", disable=disable_tqdm) as bar:
            scored = batches.log_likelihoods(self.llama, pairs, batch_size=self.batch_size, progress=bar.update)
        for request, result in zip(requests, scored, strict=True):
            if request[0] is not None:
                self.cache_hook.add_partial("loglikelihood", request[0], result)
        return scored

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, in windows that are as long as the model allows."""
        windows: list[Encoded] = []
        ends = []
        for request in requests:
            rolling = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            windows += [(None, *make_disjoint_window(window)) for window in rolling]
            ends.append(len(windows))
        scores = [score for score, _ in self._loglikelihood_tokens(windows, disable_tqdm=disable_tqdm)]
        starts = [0, *ends[:-1]]
        return [math.fsum(scores[start:end]) for start, end in zip(starts, ends, strict=True)]

    # ------------------------------------------------------------ cost

    def timed_pass(self, n_prompt: int, n_new: int) -> tuple[float, float]:
        """Seconds to read a prompt of synthetic tokens, and to generate behind it; see `qbench.cost`."""
        tree = Tree()
        tree.add([token % self.llama.n_vocabulary for token in range(1, n_prompt + 1)])
        self.llama.clear(n_prompt + n_new)
        started = perf_counter()
        wanted = [False] * (n_prompt - 1) + [True]
        ((_, logits),) = self.llama.compute(tree, wanted)
        token = int(logits.argmax())
        read = perf_counter()
        for position in range(n_prompt, n_prompt + n_new):
            following = self.llama.extend([token], [position], [[0]], [True])
            assert following is not None
            token = int(following.argmax())
        return read - started, perf_counter() - read
