"""Run the commands whose output the README quotes, and put that output into it.

    python benchmarks/readme.py [demo] [measured]

A block of the README begins with ``<!-- NAME: … -->`` and ends with ``<!-- /NAME -->``; what stands between is replaced.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
COMMANDS = {
    "demo": ["qbench sweep --items 1 --run runs/demo"],
    "measured": [
        "python benchmarks/sweep.py --items 1 --tasks qbench_numerical_arithmetic,qbench_logic_deduction --lm-eval-batch-size 1",
    ],
}


def output(command: str) -> str:
    """What a command prints, run from the root of the repository with this Python."""
    words = command.split()
    program = [PYTHON, "-m", "qbench"] if words[0] == "qbench" else [PYTHON]
    finished = subprocess.run([*program, *words[1:]], cwd=ROOT, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"{command} failed:\n{finished.stderr[-2000:]}")
    return finished.stdout.rstrip()


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name in sys.argv[1:] or COMMANDS:
        blocks = "\n".join(f"```console\n$ {command}\n{output(command)}\n```\n" for command in COMMANDS[name])
        begin, end = re.search(rf"<!-- {name}: .*?-->\n", text), text.index(f"<!-- /{name} -->")
        assert begin, f"README.md has no block {name}"
        text = text[: begin.end()] + blocks + text[end:]
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
