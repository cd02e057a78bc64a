"""llama.cpp in this process: token ids go in, full logits come out.

What sequences share is computed once: a batch is a tree of tokens, and a token belongs to every sequence that runs through it. The
choices of one question share the question, and the items of a few-shot task their examples, without any bookkeeping of caches.
"""

import ctypes
import functools
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qbench.errors import LevelError, ModelError

CELLS = 8192
"""Tokens that the attention cache holds, at least; more where a single sequence is longer."""
CHUNK = 512
"""Tokens of one pass. Bounds the memory of its logits, whatever the batch size: 256 MiB with a vocabulary of 128k."""
KEPT_LINES = 20
WARNING, ERROR = 3, 4  # of ggml_log_level

_said: deque[str] = deque(maxlen=KEPT_LINES)
"""The last warnings and errors of llama.cpp, which otherwise writes them to stderr with everything else it has to say."""


@functools.cache
def library() -> Any:
    """The bindings, with llama.cpp silenced.

    Raises:
        LevelError: they are not installed.
    """
    try:
        import gguf  # noqa: F401  # the other half of the engine: it reads and writes the files
        import llama_cpp
    except ImportError as error:
        raise LevelError(
            f"The engine gguf needs llama.cpp ({error}): pip install 'qbench[gguf]', which builds it with a C++ compiler in some minutes."
        ) from None
    llama_cpp.llama_log_set(_keep_silent(llama_cpp), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


@functools.cache  # llama.cpp calls it for as long as the process lives
def _keep_silent(llama_cpp: Any) -> Any:
    def keep(level: int, text: bytes, _: Any) -> None:
        if level in (WARNING, ERROR):
            _said.append(text.decode(errors="replace").strip())

    return llama_cpp.llama_log_callback(keep)


def last_words() -> str:
    """What llama.cpp said last, for an error message."""
    return _said[-1] if _said else "llama.cpp gave no reason"


class Tree:
    """Token sequences, with what they share at their beginning held once.

    Nodes are numbered in the order in which they can be computed: no node comes before the one it continues.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.sequences: list[list[int]] = []
        """Of each node, the numbers of the sequences that run through it."""
        self.n_sequences = 0
        self._next: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def n_new(self, sequence: Sequence[int]) -> int:
        """How many nodes a sequence would add."""
        node = -1
        for at, token in enumerate(sequence):
            following = self._next.get((node, token))
            if following is None:
                return len(sequence) - at
            node = following
        return 0

    def add(self, sequence: Sequence[int]) -> list[int]:
        """Add a sequence and return its nodes, one for each token."""
        path = []
        node = -1
        for position, token in enumerate(sequence):
            key = (node, token)
            if key not in self._next:
                self._next[key] = len(self.tokens)
                self.tokens.append(token)
                self.positions.append(position)
                self.sequences.append([])
            node = self._next[key]
            self.sequences[node].append(self.n_sequences)
            path.append(node)
        self.n_sequences += 1
        return path


class Llama:
    """A GGUF file, loaded.

    Args:
        path: the file; it is mapped into memory, not read.
        threads: of the processor, for the computation.

    Raises:
        LevelError: llama.cpp is not installed.
        ModelError: llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._library = library()
        self._threads = threads
        self._context: Any = None
        self._n_cells = 0
        parameters = self._library.llama_model_default_params()
        # No repacked copies of the weights: they take memory, and the kernels for AMX tiles died of a general protection fault on a
        # virtual machine whose processor has them (llama-cpp-python 0.3.36).
        parameters.use_extra_bufts = False
        self._model = self._library.llama_model_load_from_file(str(path).encode(), parameters)
        if not self._model:
            raise ModelError(f"llama.cpp cannot load {path}: {last_words()}")
        self.vocabulary = self._library.llama_model_get_vocab(self._model)
        self.n_vocabulary = int(self._library.llama_vocab_n_tokens(self.vocabulary))
        self.window = int(self._library.llama_model_n_ctx_train(self._model))
        self.max_sequences = int(self._library.llama_max_parallel_sequences())

    def close(self) -> None:
        """Give the memory back."""
        if self._context is not None:
            self._library.llama_free(self._context)
            self._context = None
        if self._model:
            self._library.llama_model_free(self._model)
            self._model = None

    def __del__(self) -> None:
        if getattr(self, "_model", None) and not sys.is_finalizing():
            self.close()

    def metadata(self, key: str) -> str | None:
        """A value of the file's metadata as text, cut to 64 KiB."""
        buffer = ctypes.create_string_buffer(1 << 16)
        length = self._library.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode(errors="replace") if length >= 0 else None

    # ------------------------------------------------------------ computing

    def clear(self, n_cells: int) -> None:
        """Forget all sequences, and make room for so many tokens.

        Every batch starts from an empty cache, so that its numbers depend on the batch alone and not on what came before.
        """
        if n_cells > self._n_cells or self._context is None:
            if self._context is not None:
                self._library.llama_free(self._context)
            self._n_cells = max(CELLS, n_cells)
            self._context = self._new_context()
        self._library.llama_memory_clear(self._library.llama_get_memory(self._context), True)

    def _new_context(self) -> Any:
        parameters = self._library.llama_context_default_params()
        parameters.n_ctx = self._n_cells
        parameters.n_batch = parameters.n_ubatch = CHUNK
        parameters.n_seq_max = self.max_sequences
        parameters.kv_unified = True  # one cache for all sequences, so that they can share tokens
        parameters.n_threads = parameters.n_threads_batch = self._threads
        parameters.no_perf = True
        context = self._library.llama_init_from_model(self._model, parameters)
        if not context:
            raise ModelError(
                f"llama.cpp has no room for {self._n_cells} tokens of this model ({last_words()}); lower max_length."
            )
        return context

    def compute(self, tree: Tree, wanted: Sequence[bool]) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Compute a tree of sequences from nothing, and give the logits of the wanted nodes a chunk at a time.

        Yields:
            Nodes, and their (node, vocabulary) logits, which are overwritten by the next chunk.
        """
        for start in range(0, len(tree), CHUNK):
            nodes = range(start, min(start + CHUNK, len(tree)))
            logits = self.extend(
                [tree.tokens[node] for node in nodes],
                [tree.positions[node] for node in nodes],
                [tree.sequences[node] for node in nodes],
                [wanted[node] for node in nodes],
            )
            if logits is not None:
                yield [node for node in nodes if wanted[node]], logits

    def extend(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        sequences: Sequence[Sequence[int]],
        wanted: Sequence[bool],
    ) -> torch.Tensor | None:
        """Compute at most `CHUNK` tokens behind what the cache holds; the (wanted, vocabulary) logits, or None if none are wanted."""
        token, position = np.asarray(tokens, np.int32), np.asarray(positions, np.int32)
        lengths = np.asarray([len(numbers) for numbers in sequences], np.int32)
        numbers = np.asarray([number for numbers in sequences for number in numbers], np.int32)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        pointers = (numbers.ctypes.data + starts * numbers.itemsize).astype(np.uintp)
        flags = np.asarray(wanted, np.int8)
        batch = self._library.llama_batch(
            len(token),
            token.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            None,
            position.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            lengths.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            flags.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        if status := self._library.llama_decode(self._context, batch):
            raise ModelError(
                f"llama.cpp cannot compute a batch of {len(token)} tokens (status {status}): {last_words()}"
            )
        n_wanted = int(flags.sum())
        if not n_wanted:
            return None
        values = np.ctypeslib.as_array(
            self._library.llama_get_logits(self._context), shape=(n_wanted * self.n_vocabulary,)
        )
        return torch.from_numpy(values).view(n_wanted, self.n_vocabulary)

    def forget(self, sequence: int, position: int = 0) -> None:
        """Take a sequence out of the cache, from a position on."""
        self._library.llama_memory_seq_rm(self._library.llama_get_memory(self._context), sequence, position, -1)

    # ------------------------------------------------------------ the tokenizer inside the file

    def tokenize(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text by the file's own tokenizer; special tokens written in the text are read as such."""
        encoded = text.encode()
        tokens = (ctypes.c_int32 * (len(encoded) + 8))()
        n = self._library.llama_tokenize(
            self.vocabulary, encoded, len(encoded), tokens, len(tokens), add_special_tokens, True
        )
        return list(tokens[:n])

    def detokenize(self, tokens: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Text of token ids by the file's own tokenizer."""
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        size = 16 * len(tokens) + 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = self._library.llama_detokenize(
                self.vocabulary, ids, len(ids), buffer, size, skip_special_tokens, not skip_special_tokens
            )
            if n >= 0:
                return buffer.raw[:n].decode(errors="replace")
            size = -n

    def special_token(self, name: str) -> int | None:
        """Id of ``bos``, ``eos`` or ``eot``; None if the tokenizer has none."""
        token = int(getattr(self._library, f"llama_vocab_{name}")(self.vocabulary))
        return token if token >= 0 else None

    def ends_generation(self, token: int) -> bool:
        return bool(self._library.llama_vocab_is_eog(self.vocabulary, token))

    def has_tokenizer(self) -> bool:
        return bool(self._library.llama_vocab_type(self.vocabulary) != self._library.LLAMA_VOCAB_TYPE_NONE)


def quantize_file(source: Path, target: Path, file_type: str, tensor_types: dict[str, str], threads: int) -> None:
    """Let llama.cpp quantize a GGUF file.

    Args:
        source: a file with F16, BF16 or F32 weights.
        target: the file to write.
        file_type: llama.cpp's recipe for a whole file, such as ``Q4_K_M``.
        tensor_types: types by tensor name, such as ``{"blk.0.attn_q.weight": "Q8_0"}``, which win over the recipe.
        threads: of the processor.

    Raises:
        LevelError: llama.cpp refuses.
    """
    bindings = library()
    from gguf import GGMLQuantizationType

    parameters = bindings.llama_model_quantize_default_params()
    prefix = "LLAMA_FTYPE_MOSTLY_"
    parameters.ftype = getattr(bindings, prefix + file_type)
    parameters.nthread = threads
    # llama.cpp reads patterns up to one without a name.
    overrides = (bindings.llama_model_tensor_override * (len(tensor_types) + 1))()
    for override, (name, tensor_type) in zip(overrides, tensor_types.items(), strict=False):
        override.pattern = f"^{name.replace('.', '[.]')}$".encode()
        override.type = GGMLQuantizationType[tensor_type].value
    if tensor_types:
        parameters.tt_overrides = overrides
    if bindings.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)):
        raise LevelError(f"llama.cpp cannot quantize {source} to {file_type}: {last_words()}")
