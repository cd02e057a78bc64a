"""Models that another library has quantized: bitsandbytes levels, and ready-made checkpoints as they stand.

Every library keeps its codes in its own way. What they share is that a layer multiplies: the weight that a layer really has is read off
what it makes of unit vectors. So one proof serves GPTQ, AWQ, FP8, compressed-tensors, torchao and bitsandbytes alike.
"""

import contextlib
import copy
import functools
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
import transformers

from qbench.errors import LevelError
from qbench.levels import AsIs, Level, Rung
from qbench.quant.modules import Loader, Unit, held, kept, units
from qbench.quant.proof import ModuleProof, Proof, vector_bytes
from qbench.quant.weights import Checkpoint, Stored

N_PROBED = 512
"""Inputs of a layer, evenly spaced, whose weights are compared with the original; all of them where there are no more."""
FLATTEN = "__tensor_flatten__"


@contextlib.contextmanager
def without_import_complaints() -> Iterator[None]:
    """Hide what torchao says when transformers first imports it, about CUDA kernels that nobody here calls."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def widen(model: torch.nn.Module) -> None:
    """Bring 16-bit parameters to float32: transformers unpacks FP8 to bf16 on a CPU, also in a model that it loads in float32."""
    for parameter in model.parameters():
        if parameter.dtype in {torch.bfloat16, torch.float16}:
            parameter.data = parameter.data.float()


@torch.no_grad()
def prove(model: Any, level: Rung, stored: Mapping[str, Stored], load: Loader | None = None) -> Proof:
    """Say what a library did to a model while it was loaded.

    Args:
        model: the loaded model.
        level: the level it is at.
        stored: the tensors of the checkpoint that the model was loaded from, or would be saved to, by name. Of a ready-made checkpoint
            every byte counts as it is; of a level, what stays in full precision counts as it does at every other level.
        load: gives a weight of the full-precision model by parameter name, or raises KeyError; without it no error is measured.

    Returns:
        The proof. A weight whose tensors in the checkpoint have other names (experts that are fused on loading) is none of its modules,
        and counted with the rest of the file.

    Raises:
        LevelError: the engine found nothing to quantize, or a checkpoint holds the very weights of the full-precision model.
    """
    resident_bytes = sum(tensor.n_bytes for tensor in stored_in(model).values())  # before the model is used
    # compressed-tensors unpacks at the first pass.
    model(**{name: tensor.to(model.device) for name, tensor in model.dummy_inputs.items()})
    columns = functools.partial(_columns_of_model, model)
    return _prove(_skeleton(type(model), model.config), level, stored, resident_bytes, columns, load)


def prove_files(level: AsIs, config: Any, load: Loader) -> Proof:
    """Say what the files of a ready-made checkpoint hold, for a program that loads them by itself.

    Args:
        level: the checkpoint.
        config: of the full-precision model.
        load: gives a weight of the full-precision model by parameter name, or raises KeyError.

    Returns:
        The proof. What codes stand for is for that program to know, so a quantized weight has no error here.

    Raises:
        LevelError: the checkpoint holds the very weights of the full-precision model.
    """
    checkpoint = Checkpoint(level.path)
    stored = checkpoint.stored()
    resident_bytes = sum(tensor.n_bytes for tensor in stored.values())
    columns = functools.partial(_columns_of_file, checkpoint)
    return _prove(empty_model(config), level, stored, resident_bytes, columns, load)


def empty_model(config: Any) -> torch.nn.Module:
    """A causal language model that has shapes and no weights."""
    with without_import_complaints():
        return _skeleton(transformers.AutoModelForCausalLM.from_config, config)


Columns = Callable[[Unit, torch.Tensor, bool], torch.Tensor | None]
"""Gives columns of the (out, in) weight that a unit multiplies with; the flag says whether it is quantized. None if they are not known."""


def _prove(
    skeleton: torch.nn.Module,
    level: Rung,
    stored: Mapping[str, Stored],
    resident_bytes: int,
    columns: Columns,
    load: Loader | None,
) -> Proof:
    is_file = isinstance(level, AsIs)
    found = units(skeleton)
    files = _by_module(stored, [unit.name for unit in found])
    proofs = [_prove_unit(unit, level, files[unit.name], columns, load) for unit in found if unit.name in files]
    proofs += [
        ModuleProof.as_loaded(
            name.removesuffix(".weight"), parameter.numel(), stored[name].n_bytes if is_file else None
        )
        for name, parameter in kept(skeleton, found)
        if name in stored
    ]
    if not is_file and all(proof.bits is None for proof in proofs):
        raise LevelError(
            f"Level {level.name} changed nothing: bitsandbytes found no layer of this model that it knows."
        )
    if is_file and all(proof.relative_error == 0 for proof in proofs):
        raise LevelError(f"{level.name} holds the very weights of the model that it is compared with.")
    n_stored = sum(tensor.n_bytes for tensor in stored.values())
    return Proof(
        modules=tuple(proofs),
        n_parameters=sum(parameter.numel() for parameter in skeleton.parameters()),
        resident_bytes=resident_bytes,
        other_bytes=n_stored - sum(proof.storage_bytes for proof in proofs) if is_file else vector_bytes(skeleton),
    )


def stored_in(model: torch.nn.Module) -> dict[str, Stored]:
    """The tensors of a loaded model, tied ones once.

    Ask before the model is used: bitsandbytes repacks its codes at the first pass on a CPU, and reading them then spoils the weights
    (0.50.2; the logits of an nf4 model differ before and after ``state_dict()``).
    """
    once = {tensor.data_ptr() or name: (name, tensor) for name, tensor in reversed(model.state_dict().items())}
    return {name: Stored(_n_bytes(tensor), _is_float(tensor)) for name, tensor in once.values()}


def _n_bytes(tensor: torch.Tensor) -> int:
    if hasattr(tensor, FLATTEN):  # torchao's, which hold several tensors
        flatten: Callable[[], tuple[list[str], Any]] = getattr(tensor, FLATTEN)
        inner, _ = flatten()
        return sum(_n_bytes(getattr(tensor, name)) for name in inner)
    return tensor.numel() * tensor.element_size()


def _is_float(tensor: torch.Tensor) -> bool:
    return not hasattr(tensor, FLATTEN) and tensor.is_floating_point() and tensor.element_size() > 1


def _skeleton(make: Callable[[Any], Any], config: Any) -> torch.nn.Module:
    """The same architecture without weights and without quantization: what its weights would be called, and how many there are."""
    config = copy.deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        skeleton = make(config)
    skeleton.tie_weights()
    return cast(torch.nn.Module, skeleton)


def _by_module(stored: Mapping[str, Stored], modules: list[str]) -> dict[str, list[Stored]]:
    """What is stored of each module's weight: its tensors but for the bias."""
    known = set(modules)
    found: dict[str, list[Stored]] = defaultdict(list)
    for name, tensor in stored.items():
        module = name
        while module and module not in known:
            module = module.rpartition(".")[0]
        if module and name != f"{module}.bias":
            found[module].append(tensor)
    return dict(found)


def _prove_unit(unit: Unit, level: Rung, stored: list[Stored], columns: Columns, load: Loader | None) -> ModuleProof:
    n_weights, n_bytes = unit.weight.numel(), sum(tensor.n_bytes for tensor in stored)
    is_quantized = not all(tensor.is_float for tensor in stored)
    if not is_quantized and not isinstance(level, AsIs):
        return ModuleProof.as_loaded(unit.name, n_weights)
    return ModuleProof(
        name=unit.name,
        level=level.name if is_quantized else "fp16",
        bits=int(8 * n_bytes / n_weights) if is_quantized else None,
        group_size=level.group_size if is_quantized and isinstance(level, Level) else None,
        relative_error=_relative_error(unit, is_quantized, columns, load),
        n_weights=n_weights,
        storage_bytes=n_bytes,
    )


def _relative_error(unit: Unit, is_quantized: bool, columns: Columns, load: Loader | None) -> float:
    """Of the weight that the layer has against the original, over some of its inputs; NaN where either cannot be told."""
    try:
        original = load(unit.parameter_name) if load else None
    except KeyError:
        original = None
    if original is None or original.shape != unit.weight.shape:
        return math.nan
    (rows,) = unit.matrices(original)
    inputs = torch.linspace(0, rows.shape[1] - 1, min(N_PROBED, rows.shape[1])).long()
    actual = columns(unit, inputs, is_quantized)
    if actual is None:
        return math.nan
    expected = rows[:, inputs].to(actual.device, torch.float32)
    change, total = torch.linalg.vector_norm(actual.float() - expected), torch.linalg.vector_norm(expected)
    return float(change / total) if total else 0.0


def _columns_of_model(model: Any, unit: Unit, inputs: torch.Tensor, is_quantized: bool) -> torch.Tensor | None:
    """Of a loaded model. What a quantized layer multiplies with are its answers to unit vectors, less its bias."""
    module = model.get_submodule(unit.name)
    if not is_quantized:
        weight = held(module, "weight", unit.name)
        return unit.matrices(weight)[0][:, inputs.to(weight.device)]
    if isinstance(module, torch.nn.Embedding):
        return None
    device = next(tensor.device for tensor in (*module.parameters(), *module.buffers()))
    if device.type == "meta":  # offloaded
        return None
    (rows,) = unit.matrices(unit.weight)
    vectors = torch.zeros(len(inputs), rows.shape[1], device=device, dtype=model.dtype)
    vectors[torch.arange(len(inputs)), inputs] = 1
    answers: torch.Tensor = module(vectors)
    bias = getattr(module, "bias", None)
    return (answers if bias is None else answers - bias).T


def _columns_of_file(
    checkpoint: Checkpoint, unit: Unit, inputs: torch.Tensor, is_quantized: bool
) -> torch.Tensor | None:
    return None if is_quantized else unit.matrices(checkpoint[unit.parameter_name])[0][:, inputs]
