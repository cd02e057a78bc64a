"""Engine ``gguf``, the files: a Hugging Face folder becomes an F16 file, and that one a file of each level, by llama.cpp itself.

Every file is made once and kept under a name that is a hash of what it was made from (the weights, the configuration, the types, the
version of llama.cpp), so a sweep that is repeated quantizes nothing, and a model that changed is never mistaken for the one before.
"""

import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from qbench.errors import LevelError, ModelError
from qbench.gguf.llama import library, quantize_file
from qbench.gguf.types import K_QUANT_BLOCK, TYPES, module_name, of_level, tensor_name, tensor_types
from qbench.levels import AsIs, Mix, Rung
from qbench.quant.proof import ModuleProof, Proof
from qbench.quant.weights import Checkpoint

WRITER_VERSION = 1
"""Raised when the writer writes other files from the same weights, so that none of the old ones is taken."""
# Architectures that the writer knows: llama.cpp's name, and whether it wants rotated pairs of q and k side by side and not half a head
# apart.
FAMILY = {"llama": ("llama", True), "mistral": ("llama", True), "qwen2": ("qwen2", False), "qwen3": ("qwen3", False)}
EMBEDDING = "token_embd.weight"
ROPE_FACTORS = "rope_freqs.weight"
"""By how much each rotation is slower in a stretched window: a tensor of the file, and no parameter of the model."""
N_COMPARED = 1 << 20
"""Weights of a tensor whose error is measured, in evenly spaced rows."""
LARGEST_ERROR = 0.8
"""Of a ready-made file. The coarsest types of llama.cpp change a tensor by half its norm; another model's is off by 1.4 of it."""
FULL_PRECISION = {"F32", "F16", "BF16"}
UNREADABLE = (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError, AttributeError)
"""What the package gguf raises from a damaged file, which it reads without checking."""


def cache_dir() -> Path:
    """Folder of the GGUF files: ``$QBENCH_CACHE``, or ``qbench`` in the cache folder of the platform."""
    if own := os.environ.get("QBENCH_CACHE"):
        return Path(own) / "gguf"
    if sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "qbench" / "gguf"


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Tensor:
    """One tensor of a GGUF file."""

    name: str
    type: str
    """``Q4_K``, ``F16``, …"""
    shape: tuple[int, ...]
    """As torch has it: (out, in)."""
    n_bytes: int
    data: Any
    """Mapped into memory, in the file's own encoding: an array with a row for each row of the tensor."""

    @property
    def n_weights(self) -> int:
        return math.prod(self.shape)

    def rows(self, which: slice) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Some rows of a matrix as float32.

        Raises:
            ModelError: its type is none of weights, as in a damaged file.
        """
        from gguf import GGMLQuantizationType, dequantize

        try:
            found: np.ndarray[Any, np.dtype[np.float32]] = dequantize(
                np.ascontiguousarray(self.data[which]), GGMLQuantizationType[self.type]
            )
        except (NotImplementedError, ValueError) as error:
            raise ModelError(
                f"The tensor {self.name} cannot be read as {self.type} ({error}); the file is damaged, or newer than the package gguf."
            ) from None
        return found


@dataclass(frozen=True)
class GGUFFile:
    """A GGUF file, and what it was made from."""

    path: Path
    key: str
    """Content hash: of the file itself, or of all that it was made from."""
    weights_sha256: str
    """SHA-256 of the full-precision weights: of the checkpoint's files, or of the GGUF file that somebody gave."""

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """By name.

        Raises:
            ModelError: this is no GGUF file, a damaged one, or no model's.
        """
        library()
        from gguf import GGUFReader

        try:
            reader = GGUFReader(self.path)
        except UNREADABLE as error:
            why = f"{type(error).__name__}: {error}"
            raise ModelError(
                f"{self.path} cannot be read as a GGUF file ({why}); it is cut short, damaged, or none. Copy or convert it anew."
            ) from None
        found = {
            tensor.name: Tensor(
                tensor.name,
                tensor.tensor_type.name,
                tuple(int(size) for size in reversed(tensor.shape)),
                int(tensor.n_bytes),
                tensor.data,
            )
            for tensor in reader.tensors
        }
        if EMBEDDING not in found or len(found[EMBEDDING].shape) != 2:
            raise ModelError(
                f"{self.path} has no matrix {EMBEDDING}: it is damaged, or holds no language model. Copy or convert it anew."
            )
        return found

    @property
    def matrices(self) -> list[str]:
        """Names of the tensors that a level applies to."""
        return [name for name, tensor in self.tensors.items() if len(tensor.shape) == 2 and name.endswith(".weight")]

    @property
    def n_parameters(self) -> int:
        return sum(tensor.n_weights for tensor in self.tensors.values() if tensor.name != ROPE_FACTORS)

    def check_is_full_precision(self) -> None:
        """Raise a LevelError if the file is quantized already: levels made from it would be levels of a damaged model."""
        lowered = [name for name in self.matrices if self.tensors[name].type not in FULL_PRECISION]
        if lowered:
            raise LevelError(
                f"{self.path} is quantized already ({lowered[0]} is {self.tensors[lowered[0]].type}), and a level of it would be damaged "
                "twice; give the F16 or BF16 file that it was made from."
            )


def open_file(path: Path) -> GGUFFile:
    """A GGUF file of somebody's own.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise ModelError(f"There is no GGUF file {path}.")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    found = GGUFFile(path, sha256, sha256)
    found.tensors.keys()  # read and kept now, before llama.cpp loads what is damaged
    return found


# ---------------------------------------------------------------- making


def from_folder(pretrained: str, revision: str = "main") -> GGUFFile:
    """The F16 file of a Hugging Face model.

    Args:
        pretrained: a folder or a hub id, with safetensors.
        revision: of a hub id.

    Raises:
        LevelError: llama.cpp is not installed, or the architecture is none that the writer knows.
        ModelError: there is no such model, or its weights do not fit into F16.
    """
    library()
    try:
        config = transformers.AutoConfig.from_pretrained(pretrained, revision=revision)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"There is no model at {pretrained!r}: neither a folder with a config.json, nor an id that the hub (or its cache) answers to, "
            f"nor a .gguf file. {str(error).splitlines()[0]}"
        ) from error
    _check_architecture(config, pretrained)
    checkpoint = Checkpoint(pretrained, revision)
    sha256 = checkpoint.sha256()
    key = _key("F16", sha256, json.dumps(config.to_dict(), sort_keys=True, default=str))
    path = cache_dir() / f"{key}-F16.gguf"
    if not path.is_file():
        with _written_whole(path) as unfinished:
            _write(checkpoint, config, unfinished)
    return GGUFFile(path, key, sha256)


def at_level(source: GGUFFile, level: Rung, threads: int) -> GGUFFile:
    """The file of a level or mix, made by llama.cpp from a full-precision file; that file itself for the baseline.

    A ready-made file (``as-is:PATH.gguf``) is taken as it stands.

    Raises:
        LevelError: the source is quantized already, the level is another engine's, or llama.cpp refuses.
        MixError: a rule of the mix decides for no tensor.
        ModelError: the ready-made file has another vocabulary.
    """
    if isinstance(level, AsIs):
        return _ready_made(source, level)
    source.check_is_full_precision()
    if level.is_full_precision:
        return source
    types: dict[str, str] = {}
    if isinstance(level, Mix):
        types = tensor_types(level, source.matrices)
        # Every matrix has its type by name. The recipe only must not be F16, with which llama.cpp copies and looks at no type.
        recipe, label = "Q8_0", "mix"
    else:
        recipe = label = of_level(level).file
    key = _key(recipe, source.key, json.dumps(types))
    path = cache_dir() / f"{key}-{label}.gguf"
    if not path.is_file():
        with _written_whole(path) as unfinished:
            quantize_file(source.path, unfinished, recipe, types, threads)
    return GGUFFile(path, key, source.weights_sha256)


def check_level(source: GGUFFile, level: Rung) -> None:
    """Raise what `at_level` would, as far as it can be known without making a file."""
    if isinstance(level, AsIs):
        _ready_made(source, level)
    elif isinstance(level, Mix):
        tensor_types(level, source.matrices)
    else:
        of_level(level)


def _ready_made(source: GGUFFile, level: AsIs) -> GGUFFile:
    if not level.path.endswith(".gguf"):
        raise LevelError(
            f"The engine gguf takes .gguf files as they stand, and {level.path} is none; take the engine intx."
        )
    made = open_file(Path(level.path))
    for name in [EMBEDDING, *made.tensors]:
        theirs, ours = made.tensors[name].shape, source.tensors.get(name, made.tensors[name]).shape
        if ours != theirs:
            sizes, own = (" x ".join(map(str, shape)) for shape in (theirs, ours))
            raise ModelError(
                f"{level.path} is another model: its {'embedding' if name == EMBEDDING else name} is {sizes}, and the baseline's {own}. "
                "As-is levels are paired item by item with the model they were made from."
            )
    return made


def _key(*parts: str) -> str:
    versions = (str(WRITER_VERSION), str(library().__version__))
    return hashlib.sha256("\n".join((*versions, *parts)).encode()).hexdigest()[:32]


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    """A file to write to, which takes its place under its name only when all of it is there."""
    unfinished = Path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".gguf")
        os.close(handle)
        unfinished = Path(name)
        yield unfinished
        unfinished.chmod(0o644)
        unfinished.replace(path)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written ({error.strerror}); free some space, or set QBENCH_CACHE to a folder on another disk."
        ) from None
    finally:
        if unfinished.name:
            unfinished.unlink(missing_ok=True)


# ---------------------------------------------------------------- writing F16


def _check_architecture(config: Any, pretrained: str) -> None:
    kind = config.model_type
    if kind not in FAMILY:
        raise LevelError(
            f"{pretrained} is a {kind} model, and the engine gguf writes files of {', '.join(FAMILY)} only. Convert it with llama.cpp's "
            "convert_hf_to_gguf.py --outtype f16 and give the file (pretrained=model.gguf), or take the engine intx."
        )
    rope = rope_type(config)
    if rope not in {"default", "linear", "llama3"} or (rope != "default" and FAMILY[kind][0] != "llama"):
        raise LevelError(
            f"{pretrained} stretches its window by {rope}, which the engine gguf does not write for {kind}. Convert it with llama.cpp's "
            "convert_hf_to_gguf.py --outtype f16 and give the file (pretrained=model.gguf)."
        )
    window = getattr(config, "sliding_window", None)
    if kind == "mistral" and window is not None and window < config.max_position_embeddings:
        raise LevelError(
            f"{pretrained} attends to a sliding window of {window} tokens, which llama.cpp would ignore. Take the engine intx."
        )


def rope_type(config: Any) -> str:
    return str((getattr(config, "rope_parameters", None) or {}).get("rope_type", "default"))


def _write(checkpoint: Checkpoint, config: Any, path: Path) -> None:
    """Write the weights of a checkpoint as F16, one tensor at a time; vectors stay F32, as llama.cpp has them."""
    from gguf import GGUFWriter

    architecture, paired = FAMILY[config.model_type]
    n_heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads} if paired else {}
    parameters = _parameters(checkpoint, config)
    factors = None if rope_type(config) == "default" else _rope_factors(config)
    with closing(GGUFWriter(path, architecture)) as writer:
        _add_metadata(writer, config)
        if factors is not None:
            writer.add_tensor_info(ROPE_FACTORS, factors.shape, factors.dtype, factors.nbytes)
        for parameter, name in parameters.items():
            shape = checkpoint.shape(parameter)
            dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16)
            writer.add_tensor_info(name, shape, dtype, math.prod(shape) * dtype.itemsize)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if factors is not None:
            writer.write_tensor_data(factors)
        for parameter in parameters:
            tensor, module = checkpoint[parameter], parameter.split(".")[-2]
            if module in n_heads:
                tensor = rotated_pairs_together(tensor, n_heads[module])
            writer.write_tensor_data(_converted(tensor, parameter))


def _add_metadata(writer: Any, config: Any) -> None:
    from gguf import LlamaFileType

    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    # No tokenizer inside: the model's own one gives the ids, and a second could only disagree.
    writer.add_tokenizer_model("none")


def _parameters(checkpoint: Checkpoint, config: Any) -> dict[str, str]:
    """The parameters to write, and their names in the file.

    Raises:
        LevelError: one that llama.cpp has no place for.
    """
    names = {}
    for parameter in checkpoint.names():
        if parameter.endswith("rotary_emb.inv_freq") or (parameter == "lm_head.weight" and config.tie_word_embeddings):
            continue
        name = tensor_name(parameter)
        if name is None:
            raise LevelError(
                f"The engine gguf has no place for {parameter} of this {config.model_type} model; take the engine intx."
            )
        names[parameter] = name
    return names


def rotated_pairs_together(weight: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Reorder the rows of q or k: transformers rotates row i of a head with row i + half a head, llama.cpp with the next one."""
    halves = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, *weight.shape[1:])
    return halves.transpose(1, 2).reshape(weight.shape)


def _converted(tensor: torch.Tensor, name: str) -> np.ndarray[Any, Any]:
    if tensor.ndim == 1:
        return tensor.float().contiguous().numpy()
    half = tensor.half()
    if not torch.isfinite(half).all():
        raise ModelError(
            f"{name} of this model has weights that F16 cannot hold (beyond 65504, or not finite); take the engine intx."
        )
    return half.contiguous().numpy()


def _rope_factors(config: Any) -> np.ndarray[Any, Any]:
    """By how much each rotation is slower than the unstretched one."""
    frequencies, _ = ROPE_INIT_FUNCTIONS[rope_type(config)](config, torch.device("cpu"))
    head_size = 2 * len(frequencies)
    base = config.rope_parameters["rope_theta"] ** -(torch.arange(0, head_size, 2).float() / head_size)
    return np.ascontiguousarray((base / frequencies).numpy())


# ---------------------------------------------------------------- proof


@dataclass(frozen=True)
class GGUFProof(Proof):
    """What a level did to a model, read from the file that is evaluated."""

    file: str = ""
    """Its name in the cache, a content hash."""
    file_bytes: int = 0
    """All of the file; ``storage_bytes`` is its tensors."""
    fallbacks: tuple[str, ...] = ()
    """Modules whose rows are no multiple of 256 weights, so that llama.cpp took another type than the level's."""
    gate: dict[str, Any] = field(default_factory=dict)
    """How far the F16 file agrees with transformers (see `qbench.gguf.gate`)."""

    def to_json(self) -> dict[str, Any]:
        types: dict[str, int] = {}
        for module in self.modules:
            types[module.level] = types.get(module.level, 0) + module.n_weights
        return {
            **super().to_json(),
            "gguf": {
                "file": self.file,
                "file_bytes": self.file_bytes,
                "weights_by_type": types,
                "fallbacks": list(self.fallbacks),
                "gate": self.gate,
            },
        }


def prove(made: GGUFFile, source: GGUFFile, level: Rung, gate: dict[str, Any]) -> GGUFProof:
    """Say what a level did, tensor by tensor.

    The type and the bytes of every tensor are the file's; errors are measured against the F16 weights, in at most `N_COMPARED` weights
    of a tensor.

    Raises:
        LevelError: a level that should lower weights changed none, or a ready-made file holds other weights.
    """
    modules = [_prove(made.tensors[name], source.tensors.get(name), made is source) for name in made.matrices]
    errors = {module.name: module.relative_error for module in modules if not math.isnan(module.relative_error)}
    if not level.is_full_precision and not any(errors.values()):
        raise LevelError(
            f"Level {level.name} changed nothing: every tensor of {made.path.name} has the values of the F16 file."
        )
    if foreign := [name for name, error in errors.items() if error > LARGEST_ERROR]:
        raise LevelError(
            f"{made.path.name} is not made from these weights: {foreign[0]} differs from the F16 file's by {errors[foreign[0]]:.0%} of its "
            "norm. It is the file of another model, or was converted wrongly."
        )
    wanted = _wanted_types(level, made)
    vectors = [tensor.n_bytes for name, tensor in made.tensors.items() if name not in set(made.matrices)]
    return GGUFProof(
        modules=tuple(modules),
        n_parameters=made.n_parameters,
        resident_bytes=sum(tensor.n_bytes for tensor in made.tensors.values()),
        other_bytes=float(sum(vectors)),
        file=made.path.name,
        file_bytes=made.path.stat().st_size,
        fallbacks=tuple(
            module_name(name)
            for name, kind in wanted.items()
            if kind.endswith("_K") and made.tensors[name].shape[1] % K_QUANT_BLOCK
        ),
        gate=gate,
    )


def _wanted_types(level: Rung, made: GGUFFile) -> dict[str, str]:
    """The types that a level asks for, by tensor; none for a ready-made file."""
    if isinstance(level, Mix):
        return tensor_types(level, made.matrices)
    return {} if isinstance(level, AsIs) else dict.fromkeys(made.matrices, of_level(level).tensor)


def _prove(made: Tensor, source: Tensor | None, same: bool) -> ModuleProof:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    error, bits, group_size = 0.0, None, None
    if source is None:  # a head of its own in a ready-made file, where the baseline's is tied
        error = math.nan
    elif not same:
        which = slice(None, None, max(1, made.n_weights // N_COMPARED))
        original = source.rows(which)
        change = float(np.linalg.norm(made.rows(which) - original))
        if math.isnan(change):
            raise ModelError(f"The tensor {made.name} holds values that are not numbers; the file is damaged.")
        error = change / max(float(np.linalg.norm(original)), 1e-30)
    if made.type not in FULL_PRECISION:
        bits = int(next(letter for letter in made.type if letter.isdigit()))
        known = {stored.tensor: stored.group_size for stored in TYPES.values()}
        group_size = known.get(made.type, GGML_QUANT_SIZES[GGMLQuantizationType[made.type]][0])
    return ModuleProof(module_name(made.name), made.type, bits, group_size, error, made.n_weights, float(made.n_bytes))
