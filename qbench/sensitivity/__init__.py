"""Which parts of a model can be lowered: what it would cost, predicted and measured, on any text.

The command's Python twin is `sensitivity`. What it is made of works on any ``torch.nn.Module`` that answers batches with logits
(`taps.Answer`): `parts.parts`, `predicted.predict`, `measured.Divergences`, `fisher.gradients`, `activations` and `attention`.
"""

from qbench.sensitivity.profiling import DEFAULT_OUT, sensitivity

__all__ = ["DEFAULT_OUT", "sensitivity"]
