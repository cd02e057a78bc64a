"""Ready-made checkpoints: what they say of themselves, and whether they can stand beside the model they were made from."""

from typing import Any

import transformers
from transformers.utils.hub import cached_file

from qbench.errors import LevelError, ModelError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def quantization(path: str) -> dict[str, Any] | None:
    """What a checkpoint's configuration says of its quantization (method, bits, group size, …); None for a plain one.

    Raises:
        ModelError: there is no checkpoint.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"There is no model at {path!r}, which as-is: names: neither a folder with a config.json, nor an id that the hub (or its "
            f"cache) answers to. {str(error).splitlines()[0]}"
        ) from None
    said = getattr(config, "quantization_config", None)
    return dict(said if isinstance(said, dict) else said.to_dict()) if said is not None else None


def check_full_precision(config: Any) -> None:
    """Make sure that a model which levels are made of is no ready-made checkpoint: lowering codes a second time measures nothing.

    Raises:
        LevelError: it is quantized already.
    """
    if getattr(config, "quantization_config", None) is not None:
        raise LevelError(
            f"{config.name_or_path or 'This model'} is quantized already; give its full-precision model, and this one as the level "
            "as-is:PATH."
        )


def configuration(path: str) -> Any:
    """The same as ``from_pretrained`` takes it; None for a plain checkpoint.

    Raises:
        ModelError: there is no checkpoint, or transformers does not know its method.
    """
    from transformers.quantizers import (
        AutoQuantizationConfig,  # imports every library of quantization that is installed
    )

    said = quantization(path)
    if said is None:
        return None
    try:
        return AutoQuantizationConfig.from_dict(said)
    except (ImportError, ValueError) as error:
        raise ModelError(f"{path} cannot be loaded here: {str(error).strip().splitlines()[0]}") from None


def check_vocabulary(path: str, tokenizer: Any) -> None:
    """Make sure that a checkpoint reads tokens as the model does whose answers it is paired with.

    A checkpoint without a tokenizer of its own is asked in the model's tokens.

    Raises:
        ModelError: there is no checkpoint, or its tokenizer knows other tokens.
    """
    quantization(path)
    # Where no file is, transformers makes up an empty tokenizer.
    if not any(cached_file(path, name, _raise_exceptions_for_missing_entries=False) for name in TOKENIZER_FILES):
        return
    theirs = transformers.AutoTokenizer.from_pretrained(path).get_vocab()
    ours = tokenizer.get_vocab()
    if differing := sorted(token for token in {*ours, *theirs} if ours.get(token) != theirs.get(token)):
        raise ModelError(
            f"The tokenizer of {path} is not the model's: {len(differing)} tokens differ (first: {differing[0]!r}). As-is levels are "
            "paired item by item with the model they were made from; name that one with --model."
        )
