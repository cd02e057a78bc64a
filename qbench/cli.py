"""The command line: a door to each room, and no work of its own.

Modules are imported inside the function that needs them, so that ``qbench --help`` answers at once and a command that only reads files
never loads torch.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qbench.errors import QBenchError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["lm-eval"]:  # everything behind it belongs to lm_eval, --help included
        return _guarded(lambda: _lm_eval(arguments[1:]))
    options = parser().parse_args(arguments)
    return _guarded(lambda: options.door(options))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except QBenchError as error:
        print(f"qbench: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("qbench: interrupted; finished cells are kept, and the same command continues.", file=sys.stderr)
        return EXIT_INTERRUPTED


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="qbench",
        description="What quantization broke in a language model: where, by how much, and how sure we are.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    sweep = _command(commands, "sweep", _sweep, "evaluate a model at several levels, then report (the main job)")
    sweep.add_argument(
        "--model",
        default="",
        metavar="PATH",
        help="folder or hub id (default: nano, the reference model in the package)",
    )
    sweep.add_argument(
        "--levels",
        type=_names,
        metavar="A,B,…",
        help="levels, mixes and paths of mixes; the first is the baseline (default: fp16,q8,q6,q5,q4,q3,q2)",
    )
    sweep.add_argument(
        "--tasks",
        type=_names,
        metavar="A,B,…",
        help="names or globs of lm-eval tasks, ours or others (default: qbench_*)",
    )
    sweep.add_argument(
        "--run", type=Path, metavar="DIR", help="folder to write to, and to continue in (default: runs/MODEL)"
    )
    sweep.add_argument("--items", type=_positive, metavar="N", help="items of each template of the bank (default: 20)")
    sweep.add_argument("--limit", type=_positive, metavar="N", help="items of each task, the first ones")
    sweep.add_argument("--seed", type=int, help="seed of the bank's items and the few-shot examples")
    sweep.add_argument(
        "--num-fewshot", "--num_fewshot", type=int, metavar="N", help="examples in front of each question"
    )
    sweep.add_argument(
        "--apply-chat-template",
        "--apply_chat_template",
        action="store_true",
        default=None,
        help="send prompts through the chat template",
    )
    sweep.add_argument(
        "--batch-size", "--batch_size", type=_positive, metavar="N", help="rows in one pass (default: 64)"
    )
    sweep.add_argument(
        "--model-args",
        "--model_args",
        default="",
        metavar="K=V,…",
        help="further arguments of the model, as for lm_eval",
    )
    sweep.add_argument(
        "--include-path",
        "--include_path",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder with task YAMLs of your own",
    )
    sweep.add_argument(
        "--no-noise-floor",
        dest="noise_floor",
        action="store_false",
        default=None,
        help="skip the second run of the baseline",
    )
    sweep.add_argument(
        "--no-drafts", dest="drafts", action="store_false", default=None, help="decode every level from scratch"
    )
    _report_options(sweep)

    report = _command(
        commands, "report", _report, "write the tables of a finished sweep: Markdown, LaTeX, CSV and JSON"
    )
    report.add_argument("run_dir", type=Path, metavar="RUN", help="folder that qbench sweep wrote, such as runs/nano")
    _report_options(report)

    _command(commands, "levels", _levels, "list every level and mix: bits, distinct values, size against FP32 and FP16")

    bank = commands.add_parser("bank", help="the question bank: path, list, show, verify").add_subparsers(
        required=True, metavar="WHAT"
    )
    _command(bank, "path", _bank_path, "print the folder for lm_eval --include_path")
    _command(bank, "list", _bank_list, "list the leaves and their templates")
    show = _command(bank, "show", _bank_show, "print one item, or the first items of a leaf or template")
    show.add_argument("name", help="a task, a template or an item id")
    verify = _command(
        bank, "verify", _bank_verify, "draw every default item and compare the bank's SHA-256 with its release"
    )
    verify.add_argument(
        "--write", action="store_true", help="record today's hash as the release (for authors of the bank)"
    )

    commands.add_parser("lm-eval", help="lm_eval's own command line, with qbench registered")
    return top


def _command(commands: Any, name: str, door: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    command.set_defaults(door=door)
    return command


def _report_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--margin",
        type=float,
        metavar="PP",
        help="percentage points that count as no loss, declared beforehand (default: 2)",
    )
    command.add_argument("--confidence", type=float, metavar="P", help="of every interval (default: 0.95)")
    command.add_argument("--by", metavar="FIELD", help="break down by a field of the documents, such as difficulty")


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the others keep the default of the Python function."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


# ---------------------------------------------------------------- doors


def _sweep(options: argparse.Namespace) -> int:
    from lm_eval.utils import simple_parse_args_string

    from qbench.sweep import sweep

    wanted = _given(
        options,
        "levels",
        "tasks",
        "run",
        "items",
        "limit",
        "seed",
        "num_fewshot",
        "apply_chat_template",
        "batch_size",
        "include_path",
        "noise_floor",
        "drafts",
    )
    finished = sweep(options.model, **wanted, model_args=simple_parse_args_string(options.model_args))
    return _write_report(finished.dir, options)


def _report(options: argparse.Namespace) -> int:
    return _write_report(options.run_dir, options)


def _write_report(run_dir: Path, options: argparse.Namespace) -> int:
    from qbench.report import report, summary

    result = report(run_dir, **_given(options, "margin", "confidence", "by"))
    print(summary(result.table))
    for path in result.paths:
        print(path)
    return 0


def _levels(options: argparse.Namespace) -> int:
    from qbench.levels import LEVELS, read_mix, shipped_mixes

    print(f"{'level':<8} {'engine':<7} {'bits':>4} {'values':>7} {'bits/weight':>11} {'vs FP32':>8} {'vs FP16':>8}")
    for level in LEVELS.values():
        size = level.bits_per_weight()
        engine = "-" if level.is_full_precision else level.engine
        storage = f"{level.bits or 16:>4} {level.distinct_values:>7} {size:>11.2f}"
        print(f"{level.name:<8} {engine:<7} {storage} {32 / size:>7.1f}x {16 / size:>7.1f}x")
    print("\nmixes (their size depends on the model; run.json has it)")
    for name, path in shipped_mixes().items():
        print(f"{name:<28} {read_mix(path).about}")
    return 0


def _bank_path(options: argparse.Namespace) -> int:
    from qbench.bank import tasks_dir

    print(tasks_dir())
    return 0


def _bank_list(options: argparse.Namespace) -> int:
    from qbench.bank import leaves

    for leaf in leaves():
        print(f"{leaf.task}: {', '.join(template.id for template in leaf.templates)}")
    return 0


def _bank_show(options: argparse.Namespace) -> int:
    import json

    from qbench.bank import leaves
    from qbench.errors import BankError

    for leaf in leaves():
        if (
            options.name == leaf.task
            or options.name.startswith(leaf.task.removeprefix("qbench_") + ".")
            or any(options.name == template.id for template in leaf.templates)
        ):
            found = [item for item in leaf.items() if options.name in (leaf.task, item.template, item.id)]
            for item in found[:5]:
                print(json.dumps(item.row(), ensure_ascii=False, indent=2))
            if found:
                return 0
    raise BankError(f"The bank has no task, template or item named {options.name!r}; qbench bank list names them.")


def _bank_verify(options: argparse.Namespace) -> int:
    from qbench.bank import verify

    state = verify(write=options.write)
    print(f"bank version {state['version']}, {state['items']} items, sha256 {state['sha256']}")
    return 0


def _lm_eval(arguments: list[str]) -> int:
    from qbench.bridge import run_lm_eval

    return run_lm_eval(arguments)
