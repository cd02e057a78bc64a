"""The bank is the same under every version of Python: draw it under each, and compare the SHA-256.

    python benchmarks/pythons.py                     # every python3.11, python3.12, … that is found
    python benchmarks/pythons.py /path/to/python3.13

Each gets a virtual environment of its own with what drawing needs (numpy, sympy, mpmath, scipy, Jinja2, PyYAML, from constraints.txt), in
a temporary folder. It takes about a minute a version.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ["numpy", "sympy", "mpmath", "scipy", "jinja2", "pyyaml"]
# The checkout's layout: qbench.tasks and qbench.scoring are top-level folders that the wheel maps into the package.
DRAW = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from qbench.bank import default_items, digest, leaves
items = list(default_items())
views = [item for leaf in leaves() for item in leaf.items(items=3, as_choices=True)]
print(len(items) + len(views), digest([*items, *views]))
"""


def main() -> None:
    pythons = sys.argv[1:] or [
        found for minor in range(11, 15) if (found := shutil.which(f"python3.{minor}")) and works(found)
    ]
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        lay_out(package)
        for python in pythons:
            environment = Path(folder) / Path(python).name
            subprocess.run([python, "-m", "venv", str(environment)], check=True)
            bare = str(environment / "bin" / "python")
            constraints = ["--constraint", str(ROOT / "constraints.txt")]
            subprocess.run([bare, "-m", "pip", "install", "-qq", *constraints, *NEEDED], check=True)
            variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            shown = subprocess.run(
                [bare, "-I", "-c", DRAW, str(package)], env=variables, check=True, capture_output=True, text=True
            ).stdout.split()
            digests.add(shown[1])
            version = subprocess.run([bare, "--version"], check=True, capture_output=True, text=True).stdout.strip()
            print(f"{version}: {shown[0]} items, sha256 {shown[1]}")
    print("the same under all" if len(digests) == 1 else "DIFFERENT")
    sys.exit(len(digests) != 1)


def works(python: str) -> bool:
    """Whether it is more than a stub that names a version which is not installed."""
    return subprocess.run([python, "--version"], capture_output=True).returncode == 0


def lay_out(package: Path) -> None:
    """Put the folders where an installed package has them."""
    shutil.copytree(ROOT / "qbench", package / "qbench")
    for name in ("prompts", "scoring", "tasks"):
        shutil.copytree(ROOT / name, package / "qbench" / name)


if __name__ == "__main__":
    main()
