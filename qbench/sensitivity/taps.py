"""Hooks on a model's weights: what goes into each, and the gradient at what comes out, handed over one weight at a time.

No gradient of a weight is ever kept. A linear layer's is the product of its output's gradient and its input, made for some rows at a time,
multiplied with what every format would change in those rows, and forgotten. Where a module holds several matrices and sends tokens to
some of them itself (fused experts), autograd makes the gradient of that one parameter, which is forgotten likewise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qbench.errors import ProfileError
from qbench.quant.modules import Unit

PIECE = 1 << 21
"""Numbers that are held at a time while the gradient of a weight is gone through: 8 MB of float32."""


@dataclass(frozen=True)
class Scored:
    """What a model says where it is scored."""

    logits: torch.Tensor
    """(positions, classes), with their graph."""
    sequence: torch.Tensor
    """(positions,): which sequence of the batch each belongs to."""
    n_sequences: int
    labels: torch.Tensor | None = None
    """(positions,): the right class of each; only gradients of the loss need them."""

    @classmethod
    def of(cls, logits: torch.Tensor, labels: torch.Tensor | None = None) -> "Scored":
        """Of a classifier: one position a sequence, logits (sequences, classes)."""
        return cls(logits, torch.arange(len(logits), device=logits.device), len(logits), labels)


Answer = Callable[[Any], Scored]
"""Runs the model on a batch. The gradient with respect to its logits goes back through whatever it did."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a weight, seen as (out, in), and the gradient of each sequence with respect to them."""

    unit: Unit
    weight: torch.Tensor
    """(rows, in), as it is stored in the model."""
    gradient: torch.Tensor
    """(sequences, rows, in), float32."""


Take = Callable[[Rows], None]


class Taps:
    """Hooks that hand over gradients, rows by rows, whenever something goes back through the model, which is in evaluation mode as long.

    Args:
        model: its parameters are not touched.
        units: the weights to look at.
        take: called for pieces of every weight, several times for one that is used at several places, such as a tied head; what it is given
            adds up to the gradients of the sequences.
    """

    def __init__(self, model: torch.nn.Module, units: Sequence[Unit], take: Take) -> None:
        self.model, self.units, self.take = model, units, take
        self.n_sequences = 0

    def __enter__(self) -> "Taps":
        self._was_training = self.model.training
        self.model.eval()
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        for parameter in self._trained:
            parameter.requires_grad_(False)
        self._hooks = [handle for unit in self.units for handle in self._attach(unit)]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._hooks:
            handle.remove()
        for unit in filter(is_fused, self.units):
            unit.weight.requires_grad_(False)
            unit.weight.grad = None
        for parameter in self._trained:
            parameter.requires_grad_(True)
        self.model.train(self._was_training)

    def _attach(self, unit: Unit) -> Iterator[Any]:
        if is_fused(unit):
            unit.weight.requires_grad_(True)
            parameter: Any = unit.weight  # whose hooks torch has not typed
            yield parameter.register_post_accumulate_grad_hook(lambda _: self._take_parameter(unit))
            return
        for name in (unit.name, *unit.tied_to):
            module = self.model.get_submodule(name)

            def hook(module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
                inputs = (args[0] if args else next(iter(kwargs.values()))).detach()
                version = inputs._version
                if not output.requires_grad:  # The graph begins here; with a copy, since a model may go on in place.
                    output = output.detach().requires_grad_().clone()

                def back(gradient: torch.Tensor) -> None:
                    if inputs._version != version:
                        raise ProfileError(
                            f"The model overwrites the input of {unit.name} after it was used, so that its sensitivity cannot be "
                            "predicted; measure it instead (--measure)."
                        )
                    self._take(unit, module, inputs, gradient)

                output.register_hook(back)
                return output

            yield module.register_forward_hook(hook, with_kwargs=True)

    @torch.no_grad()
    def _take(self, unit: Unit, module: torch.nn.Module, inputs: torch.Tensor, gradient: torch.Tensor) -> None:
        (weight,) = unit.matrices(unit.weight.data)
        gradient = self._by_sequence(unit, gradient, inputs)
        if isinstance(module, torch.nn.Embedding):
            self._take_table(unit, weight, inputs.reshape(len(gradient), -1), gradient)
            return
        inputs = self._by_sequence(unit, inputs, inputs)
        for rows in _pieces(len(weight), len(inputs) * weight.shape[1]):
            product = torch.bmm(gradient[:, :, rows].transpose(1, 2), inputs)
            self.take(Rows(unit, weight[rows], product.float()))

    def _take_table(self, unit: Unit, weight: torch.Tensor, ids: torch.Tensor, gradient: torch.Tensor) -> None:
        """A row of a table is used where its token stands: the gradient there is its gradient."""
        tokens, position = torch.unique(ids, return_inverse=True)
        for rows in _pieces(len(tokens), len(ids) * gradient.shape[-1]):
            own = torch.zeros(len(ids), len(tokens[rows]), gradient.shape[-1], device=gradient.device)
            sequence, place = ((position >= rows.start) & (position < rows.stop)).nonzero(as_tuple=True)
            where = (sequence, position[sequence, place] - rows.start)
            own.index_put_(where, gradient[sequence, place].float(), accumulate=True)
            self.take(Rows(unit, weight[tokens[rows]], own))

    @torch.no_grad()
    def _take_parameter(self, unit: Unit) -> None:
        if self.n_sequences != 1:
            raise ProfileError(
                f"{unit.name} holds fused experts, whose tokens cannot be told apart by sequence; give batches of one sequence."
            )
        gradient = unit.weight.grad
        unit.weight.grad = None
        if gradient is not None:
            for weight, own in zip(unit.matrices(unit.weight.data), unit.matrices(gradient), strict=True):
                for rows in _pieces(len(weight), weight.shape[1]):
                    self.take(Rows(unit, weight[rows], own[rows].float().unsqueeze(0)))

    def _by_sequence(self, unit: Unit, tensor: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """(sequences, tokens, width), also where a model flattens sequences into one list of tokens."""
        n, width = self.n_sequences, tensor.shape[-1]
        rows = tensor.numel() // width
        if tensor.shape[0] not in (n, rows) or rows % n:
            raise ProfileError(
                f"{unit.name} sees {rows} tokens that do not divide among {n} sequences; give batches of one sequence."
            )
        return tensor.reshape(n, -1, width)


def is_fused(unit: Unit) -> bool:
    return unit.weight.ndim > 2


def _pieces(n_rows: int, row_size: int) -> Iterator[slice]:
    step = max(1, PIECE // max(1, row_size))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)
