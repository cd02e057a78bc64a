"""Run the commands whose output the README quotes, and put that output into it.

    python benchmarks/readme.py [demo] [measured]

The blocks are of the kind that quoting.py replaces.
"""

import subprocess
import sys

from quoting import ROOT, quote

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


def draw(run: str, picture: str) -> None:
    """The curves of a run's report, as a picture of the README; on white, since readers in the dark would not see their letters."""
    output(f"qbench report {run} --formats figures")
    curves = (ROOT / run / "report" / "figures" / "curves.svg").read_text(encoding="utf-8")
    on_white = curves.replace("<g ", '<rect width="100%" height="100%" fill="white"/><g ', 1)
    (ROOT / picture).write_text(on_white, encoding="utf-8")


def block(command: str) -> str:
    return f"```console\n$ {command}\n{output(command)}\n```"


def main() -> None:
    names = sys.argv[1:] or list(COMMANDS)
    quote("README.md", {name: [block(command) for command in COMMANDS[name]] for name in names})
    if "demo" in names:
        draw("runs/demo", "docs/pictures/demo.svg")


if __name__ == "__main__":
    main()
