"""Looking at what modules put out, while a model runs."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import torch


class Sums(Protocol):
    """What is kept of a module's outputs, batch after batch."""

    def see(self, output: Any, is_token: torch.Tensor) -> None:
        """Take in what a module put out for a batch; ``is_token``, (sequences, tokens), is False for padding, which counts for nothing."""


Kept = TypeVar("Kept", bound=Sums)


class Watch(Generic[Kept]):
    """Hooks on modules, for as long as the block lasts.

    Args:
        modules: by the name that they get in ``sums``.
        sums: makes what keeps the outputs of one module.
    """

    def __init__(self, modules: Mapping[str, torch.nn.Module], sums: Callable[[], Kept]) -> None:
        self.modules = modules
        self.sums = {name: sums() for name in modules}
        self.is_token = torch.zeros(0, dtype=torch.bool)
        """Set before each pass."""

    def __enter__(self) -> "Watch[Kept]":
        self._hooks = [self._attach(module, self.sums[name]) for name, module in self.modules.items()]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._hooks:
            handle.remove()

    def _attach(self, module: torch.nn.Module, sums: Kept) -> Any:
        def hook(module: torch.nn.Module, args: Any, output: Any) -> None:
            sums.see(output, self.is_token)

        return module.register_forward_hook(hook)
