"""qbench shows what quantization broke in a language model: a question bank and a plugin for lm-evaluation-harness."""

__version__ = "0.1.0"

__all__ = ["__version__"]
