"""Probe text: what a model is asked about when its sensitivity is measured.

Items of any lm-eval task, asked as lm-eval asks them, with the items' own answers or with the model's; or a plain text file. Taken from a
split that lm-eval does not evaluate, where a task has one.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

from qbench import bank
from qbench.errors import ProfileError
from qbench.harness import find_tasks, load_tasks, quiet
from qbench.names import MIN_SEQUENCES, is_text_file, probe
from qbench.samples import ITEM_FIELDS

RESPONSES = ("reference", "own")
SPLITS = ("validation", "train", "test")
FILE_TOKENS = 128
"""Tokens of each sequence of a plain text file."""
LEAST_FILE_TOKENS = 16
"""Of its last one, which is left out where it is shorter."""


@dataclass(frozen=True)
class Text:
    """One sequence: a prompt, and the response behind it whose every token is scored."""

    item: str
    """As in `qbench.profiles.Probe.items`."""
    tokens: tuple[int, ...]
    n_prompt: int
    """At least 1: the first token of a text follows nothing and cannot be scored."""

    @property
    def n_scored(self) -> int:
        return len(self.tokens) - self.n_prompt


@dataclass(frozen=True)
class ProbeText:
    """The sequences of one probe, and where they come from; the fields are those of `qbench.profiles.Probe`."""

    name: str
    tasks: tuple[str, ...]
    responses: str
    split: str
    texts: tuple[Text, ...]
    n_left_out: int

    @property
    def sha256(self) -> str:
        content = "\n".join(f"{text.n_prompt} {text.tokens}" for text in self.texts)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def scored(self) -> tuple[int, ...]:
        return tuple(text.n_scored for text in self.texts)


def draw(
    lm: Any,
    argument: str,
    *,
    sequences: int,
    responses: str = "reference",
    seed: int = bank.DEFAULT_SEED,
    max_tokens: int | None = None,
    include_path: Sequence[Path] = (),
    exclude: Sequence[str] = (),
) -> ProbeText:
    """Draw the text of one probe.

    Args:
        lm: a `qbench.models.QBenchLM`, for its tokenizer and, with ``own``, its responses.
        argument: as `qbench.names.probe` reads it: names or globs of lm-eval tasks, or the path of a ``.txt`` or ``.md`` file.
        sequences: how many, shared evenly among the tasks; fewer where there are no more.
        responses: ``reference`` scores the items' own answers, ``own`` what this model answers.
        seed: of the bank's items.
        max_tokens: longest sequence; the model's window if not given. Longer items are left out and counted, never cut.
        exclude: items that must not be among them, as `qbench.profiles.Probe.items` names them.

    Raises:
        BankError: a pattern matches no task.
        ProfileError: there is no such file, or nothing in it or in the tasks can be asked; the message says why.
    """
    name, patterns = probe(argument)
    longest = min(max_tokens or lm.max_length, lm.max_length)
    if any(map(is_text_file, patterns)):
        texts = [text for path in patterns for text in _of_file(lm, Path(path), min(FILE_TOKENS, longest))]
        kept = [text for text in texts if text.item not in exclude][:sequences]
        if len(kept) < MIN_SEQUENCES:
            raise ProfileError(_too_little_text(name, patterns, len(texts), len(kept), min(FILE_TOKENS, longest)))
        return ProbeText(name, tuple(patterns), "text", "", tuple(kept), 0)
    with quiet():
        metadata = {"qb_seed": seed, "pretrained": lm.pretrained}
        manager, names = find_tasks(patterns, include_path, metadata=metadata)
        tasks = load_tasks(manager, names, 0, seed)
    if responses not in RESPONSES:
        raise ProfileError(f"Responses are {' or '.join(RESPONSES)}, not {responses!r}.")
    splits = {task_name: split_of(task) for task_name, task in tasks.items()}
    kept, n_left_out, n_seen = [], 0, 0
    streams = [
        _of_task(lm, task_name, task, splits[task_name], responses, longest) for task_name, task in tasks.items()
    ]
    for text in _in_turn(streams):
        if len(kept) == sequences:
            break
        if text.item in exclude:
            n_seen += 1
            continue
        if not text.n_scored:
            continue
        if len(text.tokens) > longest:
            n_left_out += 1
            continue
        kept.append(text)
    if len(kept) < MIN_SEQUENCES:
        raise ProfileError(_too_few_items(name, longest, lm.max_length, len(kept), n_left_out, n_seen))
    used = "+".join(dict.fromkeys(splits.values()))
    return ProbeText(name, tuple(tasks), responses, used, tuple(kept), n_left_out)


def _too_little_text(name: str, paths: Sequence[str], n_texts: int, n_kept: int, length: int) -> str:
    """Why a plain text gives too little to ask, and what to do."""
    found, files = "a single text" if n_kept else "no text", ", ".join(paths)
    if n_texts >= MIN_SEQUENCES:
        return (
            f"The probe {name} has {found} left (looked at before: {n_texts - n_kept}), and a standard error takes {MIN_SEQUENCES}; "
            f"add more to {files}."
        )
    return (
        f"The probe {name} has {found}, and a standard error takes {MIN_SEQUENCES}: {files} has fewer than the "
        f"{length + min(LEAST_FILE_TOKENS, length)} tokens that makes. Write more into it."
    )


def _too_few_items(name: str, longest: int, window: int, n_kept: int, n_left_out: int, n_seen: int) -> str:
    """Why tasks give too little to ask, and what to do."""
    found = "a single text" if n_kept else "no text"
    seen = f"; looked at before: {n_seen}" if n_seen else ""
    if n_left_out:
        more = (
            "allow more with --max-tokens" if longest < window else "more do not fit the model, so choose other tasks"
        )
        return (
            f"The probe {name} has {found} of at most {longest} tokens (longer: {n_left_out}{seen}), and a standard error takes "
            f"{MIN_SEQUENCES}; {more}."
        )
    return (
        f"The probe {name} has {found} with a response to score{seen}, and a standard error takes {MIN_SEQUENCES}; choose tasks with more "
        "items."
    )


def _in_turn(streams: Sequence[Iterator[Text]]) -> Iterator[Text]:
    """One of each, over and over: any number of them is spread over the tasks."""
    for round_ in itertools.zip_longest(*streams):
        yield from (text for text in round_ if text is not None)


def item_name(document: Any, task: str, split: str, number: int) -> str:
    """An item as `qbench.profiles.Probe.items` names it. The ids of other tasks than the bank's may begin anew in every split."""
    return str(document["id"]) if document.keys() >= ITEM_FIELDS else f"{task}/{split}/{number}"


def split_of(task: Any) -> str:
    """A split that lm-eval does not evaluate: validation where there is a test split, else train; what it evaluates if it has no other."""
    has = {"validation": task.has_validation_docs(), "train": task.has_training_docs(), "test": task.has_test_docs()}
    evaluated = evaluated_split(task)
    return next((split for split in SPLITS if has[split] and split != evaluated), evaluated)


def evaluated_split(task: Any) -> str:
    return "test" if task.has_test_docs() else "validation"


def _of_task(lm: Any, name: str, task: Any, split: str, responses: str, longest: int) -> Iterator[Text]:
    documents = {"validation": task.validation_docs, "train": task.training_docs, "test": task.test_docs}[split]()
    for number, document in enumerate(documents):
        context = task.fewshot_context(document, num_fewshot=0, gen_prefix=task.doc_to_prefix(document))
        if not isinstance(context, str):
            raise ProfileError(
                f"{name} asks every item with several prompts, and a probe needs one; choose another task."
            )
        fits = len(lm.tok_encode(context)) < longest  # else there is no use in answering
        response = _own(lm, task, document, context) if responses == "own" and fits else _reference(task, document)
        yield _text(lm, item_name(document, name, split, number), context, response)


def _reference(task: Any, document: Any) -> str:
    target: Any = task.doc_to_target(document)
    target = target[0] if isinstance(target, list) and target else target
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[target]
    return f"{task.config.target_delimiter or ''}{target}"


def _own(lm: Any, task: Any, document: Any, context: str) -> str:
    """The model's greedy answer, as the task asks for it; where the task only scores choices, its reference."""
    if task.OUTPUT_TYPE != "generate_until":
        return _reference(task, document)
    arguments = (context, dict(task.config.generation_kwargs))
    asked = Instance("generate_until", document, arguments, 0)
    return str(lm.generate_until([asked], disable_tqdm=True)[0])


def _text(lm: Any, item: str, context: str, response: str) -> Text:
    if not context:
        return Text(item, tuple(lm.tok_encode(response)), 1)
    prompt, behind = lm._encode_pair(context, response)
    return Text(item, (*prompt, *behind), max(1, len(prompt)))


def _of_file(lm: Any, path: Path, length: int) -> Iterator[Text]:
    try:
        tokens = lm.tok_encode(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProfileError(f"There is no text file {path}.") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path} cannot be read as text; save it as UTF-8.") from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read as text ({error.strerror}).") from None
    least = max(2, min(LEAST_FILE_TOKENS, length))  # the first token follows nothing and cannot be scored
    for number, start in enumerate(range(0, len(tokens), length)):
        piece = tuple(tokens[start : start + length])
        if len(piece) >= least:
            yield Text(f"{path.name}/{number}", piece, 1)


def batches(texts: Sequence[Text], *, batch_tokens: int) -> list[list[int]]:
    """Positions of the texts in batches of like length, none with more than so many tokens, padding included."""
    order = sorted(range(len(texts)), key=lambda at: (len(texts[at].tokens), at))
    made: list[list[int]] = []
    for at in order:
        if not made or (len(made[-1]) + 1) * len(texts[at].tokens) > batch_tokens:
            made.append([])
        made[-1].append(at)
    return made
