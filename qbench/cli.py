"""The command line: a door to each room, and no work of its own.

Modules are imported inside the function that needs them, so that ``qbench --help`` answers at once and a command that only reads files
never loads torch.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qbench import __version__
from qbench.errors import QBenchError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
LARGEST_SEED = 2**63 - 1
"""That a column of whole numbers holds; every item is written down with its seed."""


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
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("qbench: interrupted; finished cells are kept, and the same command continues.", file=sys.stderr)
        return EXIT_INTERRUPTED


# ---------------------------------------------------------------- what can be typed


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="qbench",
        description="What quantization broke in a language model: where, by how much, and how sure we are.",
    )
    top.add_argument("--version", action="version", version=f"qbench {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_sweep,
        _add_report,
        _add_compare,
        _add_plan,
        _add_sensitivity,
        _add_allocate,
        _add_cite,
        _add_rescore,
        _add_levels,
        _add_bank,
    ):
        add(commands)
    commands.add_parser("lm-eval", help="lm_eval's own command line, with qbench registered")
    return top


def _add_sweep(commands: Any) -> None:
    sweep = _command(commands, "sweep", _sweep, "evaluate a model at several levels, then report (the main job)")
    _model_option(sweep, "folder or hub id (default: nano, the reference model in the package)")
    sweep.add_argument(
        "--levels",
        type=_names,
        metavar="A,B,…",
        help="levels, mixes, paths of mixes, and as-is:PATH for checkpoints that are quantized already; the first is the baseline "
        "(default: fp16,q8,q6,q5,q4,q3,q2)",
    )
    sweep.add_argument(
        "--engine",
        metavar="NAME",
        help="what makes and runs the levels: intx, or gguf for files of llama.cpp (default: intx)",
    )
    sweep.add_argument(
        "--model-backend",
        "--model_backend",
        metavar="NAME",
        help="what runs the levels, where the engine does not: vllm",
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
    sweep.add_argument("--seed", type=_seed, help="seed of the bank's items and the few-shot examples")
    sweep.add_argument(
        "--num-fewshot", "--num_fewshot", type=_count, metavar="N", help="examples in front of each question"
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
        "--metadata",
        type=_json_object,
        metavar="JSON",
        help="further arguments of the tasks, as for lm_eval: '{\"qb_context_tokens\": [8192]}'",
    )
    _harness_options(sweep)
    sweep.add_argument(
        "--no-noise-floor",
        dest="noise_floor",
        action="store_false",
        default=None,
        help="skip the second run of the baseline",
    )
    sweep.add_argument(
        "--until",
        choices=("decided",),
        help="ask in looks declared beforehand, and no category any more once it is degraded or within the margin",
    )
    sweep.add_argument(
        "--no-drafts", dest="drafts", action="store_false", default=None, help="decode every level from scratch"
    )
    sweep.add_argument(
        "--no-cost", dest="cost", action="store_false", default=None, help="do not measure speed and energy"
    )
    _report_options(sweep)


def _model_option(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--model", type=_model, metavar="PATH", help=text)


def _harness_options(command: argparse.ArgumentParser) -> None:
    """What every door that loads a model and tasks hands on to lm_eval."""
    command.add_argument(
        "--model-args",
        "--model_args",
        default="",
        metavar="K=V,…",
        help="further arguments of the model, as for lm_eval",
    )
    command.add_argument(
        "--include-path",
        "--include_path",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder with task YAMLs of your own",
    )


def _add_report(commands: Any) -> None:
    report = _command(commands, "report", _report, "write what a finished sweep found: a page, tables and figures")
    report.add_argument("run_dir", type=Path, metavar="RUN", help="folder that qbench sweep wrote, such as runs/nano")
    _report_options(report)


def _add_compare(commands: Any) -> None:
    compare = _command(
        commands,
        "compare",
        _compare,
        "compare output folders of lm_eval (--log_samples), whatever the tasks and models",
    )
    compare.add_argument(
        "base", type=Path, metavar="BASE", help="--output_path of the run that the others are held against"
    )
    compare.add_argument("others", type=Path, nargs="+", metavar="OTHER", help="further runs of the same items")
    compare.add_argument("--tasks", type=_names, metavar="A,B,…", help="tasks to compare (default: all in common)")
    compare.add_argument("--metric", metavar="NAME", help="metric to compare (default: acc_norm, acc, exact_match, …)")
    compare.add_argument("--filter", dest="filter_name", metavar="NAME", help="filter to read (default: the first)")
    compare.add_argument(
        "--cluster",
        metavar="FIELD",
        help="field of the documents whose values belong together, such as subject (default: items)",
    )
    compare.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the report (default: print the table only)"
    )
    _report_options(compare)


def _add_sensitivity(commands: Any) -> None:
    sensitivity = _command(
        commands, "sensitivity", _sensitivity, "find out which parts of a model can be lowered, and what it costs"
    )
    _model_option(sensitivity, "folder or hub id (default: nano, the reference model in the package)")
    sensitivity.add_argument(
        "--tasks",
        action="append",
        metavar="A,B,…",
        help="a probe: names or globs of lm-eval tasks, ours or others, or a .txt; NAME=A,B names it; again for another one "
        "(default: qbench_*)",
    )
    sensitivity.add_argument(
        "--formats",
        type=_names,
        metavar="A,B,…",
        help="levels that a unit may be lowered to (default: q8,q6,q5,q4,q3,q2)",
    )
    sensitivity.add_argument(
        "--unit", choices=("module", "layer", "block"), help="what is lowered as one (default: module)"
    )
    sensitivity.add_argument(
        "--measure",
        metavar="all|N",
        help="also measure the cost of all or of N units, each lowered alone and each restored alone (default: predict only)",
    )
    sensitivity.add_argument("--out", type=Path, metavar="FILE", help="to write, and to continue (default: sens.json)")
    sensitivity.add_argument("--sequences", type=_positive, metavar="N", help="of each probe (default: 64)")
    sensitivity.add_argument(
        "--responses",
        choices=("reference", "own"),
        help="score the items' own answers, or what the model answers (default: reference)",
    )
    sensitivity.add_argument("--draws", type=_positive, metavar="N", help="passes back for each sequence (default: 3)")
    sensitivity.add_argument("--seed", type=_seed, help="of the draws and the bank's items")
    sensitivity.add_argument(
        "--max-tokens", "--max_tokens", type=_positive, metavar="N", help="leave longer items out (default: the window)"
    )
    sensitivity.add_argument(
        "--batch-tokens", "--batch_tokens", type=_positive, metavar="N", help="of one pass (default: 2048)"
    )
    _harness_options(sensitivity)
    what = sensitivity.add_subparsers(metavar="WHAT")
    show = _command(what, "show", _sensitivity_show, "print what a profile holds, and how its probes differ")
    show.add_argument("profile", type=Path, metavar="FILE", help="that qbench sensitivity wrote")
    show.add_argument(
        "--contrast",
        type=_names,
        metavar="A,B",
        help="two probes to lay side by side (default: the first two, where there are two)",
    )
    show.add_argument("--format", metavar="NAME", help="of the costs that are shown (default: q4, or the middle one)")
    _validation_option(show)
    show.add_argument("--confidence", type=float, metavar="P", help="of every interval (default: 0.95)")
    _add_validate(what)
    _add_maps(what)


def _add_validate(what: Any) -> None:
    validate = _command(
        what,
        "validate",
        _sensitivity_validate,
        "hold a profile against what is measured on fresh text, and a mix against others of its size on test items",
    )
    validate.add_argument("profile", type=Path, metavar="FILE", help="that qbench sensitivity wrote")
    validate.add_argument("mix", type=Path, metavar="MIX", help="that qbench allocate wrote")
    validate.add_argument(
        "controls",
        type=Path,
        nargs="*",
        metavar="CONTROL",
        help="mixes of its size (default: those that allocate wrote of it)",
    )
    _model_option(validate, "folder or hub id, the profile's (default: nano)")
    validate.add_argument(
        "--run", type=Path, metavar="DIR", help="folder to write to, and to continue in (default: runs/MIX-validation)"
    )
    validate.add_argument("--sequences", type=_positive, metavar="N", help="of fresh text for each probe (default: 64)")
    validate.add_argument(
        "--tasks",
        type=_names,
        metavar="A,B,…",
        help="whose test items are asked (default: those of the profile's probes)",
    )
    validate.add_argument(
        "--items", type=_positive, metavar="N", help="items of each template of the bank (default: 20)"
    )
    validate.add_argument("--limit", type=_positive, metavar="N", help="items of each task, the first ones")
    validate.add_argument("--no-test", dest="test", action="store_false", default=None, help="ask no test items")
    validate.add_argument(
        "--batch-size", "--batch_size", type=_positive, metavar="N", help="rows in one pass (default: 64)"
    )
    validate.add_argument(
        "--batch-tokens",
        "--batch_tokens",
        type=_positive,
        metavar="N",
        help="of one pass of fresh text (default: 2048)",
    )
    validate.add_argument(
        "--margin", type=float, metavar="PP", help="percentage points that count as no difference (default: 2)"
    )
    validate.add_argument("--confidence", type=float, metavar="P", help="of every interval (default: 0.95)")
    _harness_options(validate)


def _add_maps(what: Any) -> None:
    report = _command(what, "report", _sensitivity_report, "draw what a profile holds: a page, tables and figures")
    report.add_argument("profile", type=Path, metavar="FILE", help="that qbench sensitivity wrote")
    _validation_option(report)
    report.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: NAME-maps beside it)")
    report.add_argument(
        "--formats",
        type=_names,
        metavar="A,B,…",
        help="html, md, and figures as PDF and SVG (default: all but figures)",
    )
    report.add_argument(
        "--format", metavar="NAME", help="that sentences and verdicts are about (default: q4, or the middle one)"
    )
    report.add_argument("--confidence", type=float, metavar="P", help="of every interval (default: 0.95)")


def _validation_option(command: Any) -> None:
    command.add_argument(
        "--validation",
        type=Path,
        action="append",
        metavar="FILE",
        help="validation.json of mixes of this profile, that qbench sensitivity validate wrote; again for another size",
    )


def _add_plan(commands: Any) -> None:
    plan = _command(commands, "plan", _plan, "how many templates and items it takes to see a difference")
    plan.add_argument(
        "run", type=Path, nargs="?", metavar="RUN", help="a finished sweep as a pilot; or give --flip-rate"
    )
    plan.add_argument("--level", metavar="NAME", help="level whose noise is taken (default: q4, or the last)")
    plan.add_argument("--difference", type=float, metavar="PP", help="percentage points to be seen (default: 2)")
    plan.add_argument("--power", type=float, metavar="P", help="chance of seeing them (default: 0.8)")
    plan.add_argument("--confidence", type=float, metavar="P", help="of the interval (default: 0.95)")
    plan.add_argument("--flip-rate", type=float, metavar="PERCENT", help="items that flip, without a pilot")
    plan.add_argument("--design-effect", type=float, metavar="X", help="of templates, without a pilot (default: 1)")
    plan.add_argument(
        "--items", type=_positive, metavar="N", help="of a template, behind the design effect (default: 20)"
    )


def _add_allocate(commands: Any) -> None:
    allocate = _command(
        commands,
        "allocate",
        _allocate,
        "choose a format for each part of a model, by what a sensitivity profile predicts: the best mix under a budget",
    )
    allocate.add_argument("profile", type=Path, metavar="PROFILE", help="file that qbench sensitivity wrote")
    size = allocate.add_mutually_exclusive_group()
    size.add_argument("--bits", type=float, metavar="N", help="budget: bits per weight of the whole model, such as 4.5")
    size.add_argument("--bytes", type=float, metavar="N", help="budget: bytes of the whole model, such as 3.5e9")
    allocate.add_argument(
        "--limit",
        type=_named_number,
        action="append",
        metavar="PROBE=KL",
        help="largest predicted KL on a probe, in nats a token; without a budget, the smallest mix that keeps all limits",
    )
    allocate.add_argument(
        "--weight",
        type=_named_number,
        action="append",
        metavar="PROBE=W",
        help="weight of a probe in the KL that a budget is spent on (default: 1 for each that is not named)",
    )
    allocate.add_argument(
        "--formats", type=_names, metavar="A,B,…", help="formats to choose from, fp16 too (default: the profile's)"
    )
    allocate.add_argument(
        "--controls",
        action="store_true",
        default=None,
        help="also uniform, random, inverted, first/last-kept and magnitude mixes of the same size",
    )
    allocate.add_argument(
        "--out", type=Path, metavar="FILE", help="the mix, mix.yaml say; controls beside it (default: only show)"
    )
    allocate.add_argument("--seed", type=_seed, help="of the random controls")


def _add_cite(commands: Any) -> None:
    cite = _command(
        commands, "cite", _cite, "print a paragraph on methods and the references for a paper, in LaTeX and BibTeX"
    )
    cite.add_argument(
        "run", type=Path, nargs="?", metavar="RUN", help="folder that qbench sweep wrote (default: references only)"
    )
    _statistics_options(cite)


def _add_rescore(commands: Any) -> None:
    rescore = _command(commands, "rescore", _rescore, "judge the responses of a sweep again with today's scorers")
    rescore.add_argument("run", type=Path, metavar="RUN", help="folder that qbench sweep wrote")
    rescore.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for a copy with today's scores (default: only show)"
    )


def _add_levels(commands: Any) -> None:
    _command(commands, "levels", _levels, "list every level and mix: bits, distinct values, size against FP32 and FP16")


def _add_bank(commands: Any) -> None:
    bank = commands.add_parser("bank", help="the question bank: path, list, show, export, verify").add_subparsers(
        required=True, metavar="WHAT"
    )
    _command(bank, "path", _bank_path, "print the folder for lm_eval --include_path")
    _command(bank, "list", _bank_list, "list the leaves and their templates")
    show = _command(
        bank, "show", _bank_show, "print one item, or the first five of a leaf or template, as a person reads them"
    )
    show.add_argument("name", help="a task, a template, an item id or the YAML of a probe of your own")
    show.add_argument("--seed", type=_seed, help="seed of the items (default: the bank's own)")
    show.add_argument("--difficulty", type=int, choices=range(1, 6), help="only items of this difficulty")
    export = _command(bank, "export", _bank_export, "write the items to a file, a row for each")
    export.add_argument("file", type=Path, metavar="FILE", help="to write: .jsonl, .csv or .parquet")
    export.add_argument(
        "--tasks",
        type=_names,
        metavar="A,B,…",
        help="names or globs of tasks, or YAMLs of your own (default: qbench_*)",
    )
    export.add_argument("--split", choices=("test", "validation", "train"), help="which items (default: test)")
    export.add_argument("--items", type=_positive, metavar="N", help="items of each template (default: 20)")
    export.add_argument("--seed", type=_seed, help="seed of the items (default: the bank's own)")
    export.add_argument("--as-choices", action="store_true", default=None, help="the forced-choice view of each task")
    verify = _command(
        bank,
        "verify",
        _bank_verify,
        "draw every default item and compare the bank's SHA-256 with its release; or proofread probes of your own",
    )
    verify.add_argument("files", nargs="*", type=Path, metavar="FILE", help="YAML of a probe of your own")
    verify.add_argument(
        "--write", action="store_true", help="record today's hash as the release (for authors of the bank)"
    )


def _command(commands: Any, name: str, door: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    command.set_defaults(door=door)
    return command


def _statistics_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--margin",
        type=float,
        metavar="PP",
        help="percentage points that count as no loss; a sweep writes them down before its first item (default: the sweep's, else 2)",
    )
    command.add_argument(
        "--confidence", type=float, metavar="P", help="of every interval (default: the sweep's, else 0.95)"
    )
    command.add_argument(
        "--target",
        choices=("templates", "items"),
        help="what intervals are about: other templates like these, or fresh items of these templates (default: templates)",
    )


def _report_options(command: argparse.ArgumentParser) -> None:
    _statistics_options(command)
    command.add_argument("--by", metavar="FIELD", help="break down by a field of the documents, such as difficulty")
    command.add_argument(
        "--formats",
        type=_names,
        metavar="A,B,…",
        help="md, tex, csv, parquet, json, html, and figures as PDF and SVG (default: all but figures)",
    )


def _names(text: str) -> list[str]:
    names = [name for name in (part.strip() for part in text.split(",")) if name]
    if not names:
        raise argparse.ArgumentTypeError(f"names nothing: {text!r}; leave it out for the default")
    return names


def _model(text: str) -> str:
    # nano is what a command without --model is about; an unset variable of a shell is not a wish for it.
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; name a folder or a hub id, or leave it out for nano")
    return text


def _named_number(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be NAME=NUMBER, not {text!r}") from None


def _positive(text: str) -> int:
    return _whole_number(text, least=1)


def _count(text: str) -> int:
    return _whole_number(text, least=0)


def _seed(text: str) -> int:
    number = _whole_number(text, least=0)
    if number > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"must be at most {LARGEST_SEED}")
    return number


def _whole_number(text: str, *, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return number


def _json_object(text: str) -> dict[str, Any]:
    import json

    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise argparse.ArgumentTypeError("must be a JSON object") from None


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the others keep the default of the Python function."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


# ---------------------------------------------------------------- doors


def _sweep(options: argparse.Namespace) -> int:
    from qbench import names
    from qbench.report import check_asked, check_formats

    check_formats(options.formats or ())  # before the work, not after it
    check_asked(**_given(options, "levels", "noise_floor", "until", "target"))
    names.check(options.model or "", options.levels or (), options.tasks or (), options.include_path or ())

    from lm_eval.utils import simple_parse_args_string

    from qbench.sweep import sweep

    wanted = _given(
        options,
        "model",
        "levels",
        "engine",
        "model_backend",
        "tasks",
        "run",
        "items",
        "limit",
        "seed",
        "num_fewshot",
        "apply_chat_template",
        "batch_size",
        "metadata",
        "include_path",
        "noise_floor",
        "drafts",
        "cost",
        "until",
        "margin",
        "confidence",
        "by",
    )
    finished = sweep(**wanted, model_args=simple_parse_args_string(options.model_args))
    return _write_report(finished.dir, options)


def _sensitivity(options: argparse.Namespace) -> int:
    from qbench import names

    names.check_probes(
        options.model or "", options.formats or (), options.tasks or (), options.measure, options.include_path or ()
    )

    from lm_eval.utils import simple_parse_args_string

    from qbench.sensitivity import DEFAULT_OUT, sensitivity
    from qbench.sensitivity.summary import summary

    wanted = _given(
        options,
        "model",
        "tasks",
        "formats",
        "unit",
        "measure",
        "out",
        "sequences",
        "responses",
        "draws",
        "seed",
        "max_tokens",
        "batch_tokens",
        "include_path",
    )
    out = options.out or DEFAULT_OUT
    print(summary(sensitivity(**wanted, model_args=simple_parse_args_string(options.model_args)), out), out, sep="\n\n")
    return 0


def _sensitivity_validate(options: argparse.Namespace) -> int:
    from lm_eval.utils import simple_parse_args_string

    from qbench.sensitivity.validate import default_run, validate
    from qbench.validation import FILE, REPORT

    wanted = _given(
        options,
        "model",
        "run",
        "sequences",
        "tasks",
        "items",
        "limit",
        "test",
        "batch_size",
        "batch_tokens",
        "margin",
        "confidence",
        "include_path",
    )
    arguments = simple_parse_args_string(options.model_args)
    print(validate(options.profile, options.mix, options.controls, **wanted, model_args=arguments))
    folder = options.run or default_run(options.mix)
    print(folder / FILE, folder / REPORT, sep="\n")
    return 0


def _sensitivity_show(options: argparse.Namespace) -> int:
    from qbench import profiles
    from qbench.validation import read_all

    profile = profiles.read(options.profile)
    validations = read_all(options.validation or (), options.profile, profile)
    return _show(profile, validations, **_given(options, "contrast", "format", "confidence"))


def _show(
    profile: Any,
    validations: Sequence[Any] = (),
    *,
    contrast: Sequence[str] = (),
    format: str = "",
    confidence: float = 0.95,
) -> int:
    from qbench.contrasts import show
    from qbench.recommend import recommend
    from qbench.validation import fresh_nats

    named = profile.format(format)
    print(
        show(profile, contrast=contrast, format=named, confidence=confidence),
        *(
            recommend(
                profile,
                probe=probe.name,
                format=named,
                confidence=confidence,
                fresh=fresh_nats(validations, probe.name, named),
            )
            for probe in profile.probes
        ),
        sep="\n\n",
    )
    return 0


def _sensitivity_report(options: argparse.Namespace) -> int:
    from qbench.maps import report

    _print_report(report(options.profile, **_given(options, "validation", "out", "formats", "format", "confidence")))
    return 0


def _report(options: argparse.Namespace) -> int:
    return _write_report(options.run_dir, options)


def _compare(options: argparse.Namespace) -> int:
    from qbench.compare import compare

    wanted = _given(
        options, "tasks", "out", "metric", "filter_name", "cluster", "margin", "confidence", "target", "by", "formats"
    )
    _print_report(compare(options.base, options.others, **wanted))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from qbench.plan import plan

    wanted = _given(options, "level", "difference", "power", "confidence", "flip_rate", "design_effect", "items")
    print(plan(options.run, **wanted))
    return 0


def _allocate(options: argparse.Namespace) -> int:
    from qbench.allocate import allocate

    wanted = _given(options, "bits", "bytes", "formats", "controls", "out", "seed")
    wanted |= {name: dict(pairs) for name, pairs in _given(options, "limit", "weight").items()}
    found = allocate(options.profile, **wanted)
    print(found)
    for path in found.paths:
        print(path)
    return 0


def _cite(options: argparse.Namespace) -> int:
    from qbench.report import read_table
    from qbench.report.citation import bibtex, methods
    from qbench.report.table import read_target

    target = read_target(options.target or "templates")
    table = read_table(options.run, target=target, **_given(options, "margin", "confidence")) if options.run else None
    print(*([methods(table), ""] if table else []), bibtex(table), sep="\n", end="")
    return 0


def _rescore(options: argparse.Namespace) -> int:
    from qbench.rescore import rescore

    print(rescore(options.run, out=options.out))
    return 0


def _write_report(run_dir: Path, options: argparse.Namespace) -> int:
    from qbench.report import report

    _print_report(report(run_dir, **_given(options, "margin", "confidence", "target", "by", "formats")))
    return 0


def _print_report(result: Any) -> None:
    print(result)
    for path in result.paths:
        print(path)


def _levels(options: argparse.Namespace) -> int:
    from qbench.gguf.types import TYPES
    from qbench.levels import LEVELS, read_mix, shipped_mixes

    print(f"{'level':<8} {'engine':<7} {'bits':>4} {'values':>7} {'bits/weight':>11} {'vs FP32':>8} {'vs FP16':>8}")
    for level in LEVELS.values():
        size = level.bits_per_weight()
        engine = "-" if level.is_full_precision else level.engine
        storage = f"{level.bits or 16:>4} {level.distinct_values:>7} {size:>11.2f}"
        print(f"{level.name:<8} {engine:<7} {storage} {32 / size:>7.1f}x {16 / size:>7.1f}x")
    print(
        "as-is:PATH  a checkpoint that is quantized already: GPTQ, AWQ, FP8, compressed-tensors, bitsandbytes, torchao"
    )
    print(f"\n{'level':<8} {'gguf':<7} {'bits/weight':>11} {'vs FP32':>8} {'vs FP16':>8}")
    for name, stored in TYPES.items():
        size = stored.bits_per_weight
        print(f"{name:<8} {stored.file:<7} {size:>11.2f} {32 / size:>7.1f}x {16 / size:>7.1f}x")
    print(
        "(qbench sweep --engine gguf: whole files of llama.cpp, which keep some tensors at more bits; sizes of Llama 3.1 8B)"
    )
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

    found = leaves()
    for leaf in found:
        print(f"{leaf.task}  ({len(leaf.templates)} templates)")
        for template in leaf.templates:
            print(f"    {template.id}")
    print(f"{len(found)} tasks, {sum(len(leaf.templates) for leaf in found)} templates")
    return 0


def _bank_show(options: argparse.Namespace) -> int:
    from qbench.bank import find

    for item in find(options.name, **_given(options, "seed", "difficulty"))[:5]:
        print(item.text(), end="\n\n")
    return 0


def _bank_export(options: argparse.Namespace) -> int:
    from qbench.bank import export

    count = export(options.file, **_given(options, "tasks", "split", "items", "seed", "as_choices"))
    print(f"{count} items in {options.file}")
    return 0


def _bank_verify(options: argparse.Namespace) -> int:
    from qbench.bank import read_leaf, verify
    from qbench.proofreading import proofread

    for path in options.files:
        proofread(path)
        leaf = read_leaf(path)
        count = len(leaf.templates)
        print(f"{path}: {count} {'template' if count == 1 else 'templates'} of {leaf.task}, no flaw found")
    if not options.files:
        state = verify(write=options.write)
        print(f"bank version {state['version']}, {state['items']} items, sha256 {state['sha256']}")
    return 0


def _lm_eval(arguments: list[str]) -> int:
    from qbench.bridge import run_lm_eval

    return run_lm_eval(arguments)
