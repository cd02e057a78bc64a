"""What a result was made with: libraries, commit and machine."""

import functools
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

LIBRARIES = ("qbench", "lm_eval", "torch", "transformers", "torchao", "datasets", "numpy", "scipy", "sympy")
OPTIONAL_LIBRARIES = ("bitsandbytes", "compressed_tensors", "gguf", "gptqmodel", "llama_cpp_python", "optimum", "vllm")


def versions() -> dict[str, str]:
    """The version of Python and of every library that can move a number; optional ones where they are installed."""
    return {
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        **{library: found for library in OPTIONAL_LIBRARIES if (found := _version(library))},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


@functools.cache  # asked for with every portion of a sweep
def git_commit() -> str | None:
    """Commit of the checkout that qbench runs from; None for an installed wheel."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def hardware() -> dict[str, str | int | None]:
    """The processor's kind, the operating system, torch's threads, and the GPU if there is one."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
