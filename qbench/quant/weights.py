"""The checkpoint of a model as memory-mapped files, so that each level is made from the same weights and none is kept twice."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers.utils.hub import cached_file

from qbench.errors import ModelError

FLOATS = {"F64", "F32", "BF16", "F16"}


@dataclass(frozen=True)
class Stored:
    """One tensor of a checkpoint, as its file describes it."""

    n_bytes: int
    is_float: bool
    """Of 16 bits or more: a weight, a bias or a scale, and not codes."""


class Checkpoint:
    """Reads single weights from the safetensors files of a local folder or of the hub's cache."""

    def __init__(self, pretrained: str, revision: str = "main") -> None:
        self.files = _files(pretrained, revision)
        self._where: dict[str, Path] = {}
        for path in self.files:
            with safe_open(path, framework="pt") as file:
                self._where |= dict.fromkeys(file.keys(), path)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read one tensor. The file is mapped for this call alone, so that its pages do not count as the process's memory."""
        with safe_open(self._where[name], framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(name)
            return tensor

    def stored(self) -> dict[str, Stored]:
        """Size and kind of every tensor, from the heads of the files."""
        found = {}
        for path in self.files:
            with path.open("rb") as file:  # eight bytes say how long the head is; it is JSON
                head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            for name, tensor in head.items():
                if name != "__metadata__":
                    start, end = tensor["data_offsets"]
                    found[name] = Stored(end - start, tensor["dtype"] in FLOATS)
        return found

    def names(self) -> list[str]:
        return list(self._where)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one tensor, which is not read for it."""
        with safe_open(self._where[name], framework="pt") as file:
            return tuple(file.get_slice(name).get_shape())

    def sha256(self) -> str:
        """SHA-256 over the weight files, in name order."""
        total = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()


def _files(pretrained: str, revision: str) -> list[Path]:
    single = cached_file(
        pretrained, "model.safetensors", revision=revision, _raise_exceptions_for_missing_entries=False
    )
    if single:
        return [Path(single)]
    index = cached_file(
        pretrained, "model.safetensors.index.json", revision=revision, _raise_exceptions_for_missing_entries=False
    )
    if not index:
        raise ModelError(
            f"{pretrained} has no safetensors files, which levels are made from; convert it with save_pretrained."
        )
    names = sorted(set(json.loads(Path(index).read_text())["weight_map"].values()))
    return [Path(str(cached_file(pretrained, name, revision=revision))) for name in names]
