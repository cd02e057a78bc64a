"""Two runs of the same questions, item by item.

Everything that is compared is compared on the same items, asked with the same prompts. Where that cannot be had, nothing is paired: a
difference between other questions is no damage.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qbench.errors import PairingError, SamplesError, did_you_mean
from qbench.samples import Sample, is_item
from qbench.stats import choice_divergence

Array = NDArray[np.float64]

MAIN_SCORES = (
    "score",
    "exact_match",
    "acc_norm",
    "acc",
)  # the first that a task has is its score; else its first metric. More of any of them is better
NUMBERS = {bool, int, float, type(None)}  # what the value of a metric can be in JSON


class Direction(StrEnum):
    """Which scores are the better ones."""

    HIGHER = "higher is better"
    LOWER = "lower is better"
    UNKNOWN = "unknown"
    """Nobody said so; they are read as if higher were better."""


class Answers(Protocol):
    """What was answered in one run: a level of a sweep, or an output folder of lm-eval."""

    @property
    def name(self) -> str: ...
    @property
    def tasks(self) -> list[str]: ...
    @property
    def shares(self) -> tuple[float, ...] | None: ...
    @property
    def bank_sha256(self) -> str: ...
    def higher_is_better(self, task: str) -> Mapping[str, bool]: ...
    def samples(self, task: str) -> list[Sample]: ...


NOT_ASKED: Sample = {"filtered_resps": "not asked: decided by an earlier look"}  # what is read of it besides is missing
OF_GENERATED = ("truncated", "degeneration", "n_tokens", "matching_digits")  # what only a response that was written has
COUNTED = frozenset({"answered", "truncated", "degeneration"})  # measures of which an item has all, none or a part
MEASURES = (*OF_GENERATED, "margin", "confidence", "brier")
LESS_IS_BETTER = frozenset({"truncated", "degeneration", "brier", "divergence"})  # of measures


@dataclass(frozen=True)
class Selection:
    """Which part of the samples is compared, and what their clusters are."""

    metric: str | None = None
    """The metric that is paired; the first of MAIN_SCORES that a task has if not given."""
    filter_name: str | None = None
    """The filter of lm-eval that is read; the first if not given."""
    cluster: str | None = None
    """Field of the documents that names the cluster of an item; the template in the bank, else each item is its own."""


@dataclass(frozen=True)
class Pair:
    """One task at two levels: arrays with one entry per item, in the baseline's order. A failed item's score is NaN."""

    task: str
    score: str
    """Which of the task's metrics is compared."""
    direction: Direction
    in_bank: bool
    """Whether the items are qbench's own. In any other task task, category and stratum are one, and each item is its own template, unless
    a field names its cluster."""
    item_id: NDArray[np.str_]
    look: NDArray[np.intp]
    """The look that asked each item; 1 for all where no run looked before its end."""
    asked: NDArray[np.bool_]
    """Whether the level was asked the item too. One that had been decided by then was not, and is NaN there."""
    baseline: NDArray[np.float64]
    level: NDArray[np.float64]
    template: NDArray[np.str_]
    draw: NDArray[np.str_]
    """What was drawn from the template: the family that an item is a twin of, else the item itself."""
    stratum: NDArray[np.str_]
    category: NDArray[np.str_]
    difficulty: NDArray[np.float64]
    baseline_answered: NDArray[np.float64]
    """1 where an answer could be extracted, 0 where not; NaN for a failed item and for a task that does not say."""
    level_answered: NDArray[np.float64]
    baseline_responses: tuple[str, ...]
    level_responses: tuple[str, ...]
    measures: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    """What else is known of each item, at the baseline and at the level: the MEASURES that the task has, and for a forced choice the
    ``divergence`` of the choices' probabilities from the baseline's."""
    documents: tuple[Mapping[str, Any], ...]

    @property
    def n_failed(self) -> int:
        """Items that failed on either side, and that no statistic counts."""
        return int(np.sum((np.isnan(self.baseline) | np.isnan(self.level)) & self.asked))


def pair_levels(
    baseline: Answers, levels: Sequence[Answers], task: str, *, select: Selection | None = None
) -> list[Pair]:
    """Pair one task of several runs with the same task of the baseline.

    Where one of two runs looked before its end and stopped, they are paired on the items that both were asked: whole templates, chosen
    beforehand.

    Raises:
        PairingError: the runs were drawn from different banks, or `pair` refuses.
    """
    before = baseline.samples(task)
    pairs = [
        pair(
            before,
            level.samples(task),
            task=task,
            select=select,
            may_stop=baseline.shares is not None or level.shares is not None,
            higher_is_better={**level.higher_is_better(task), **baseline.higher_is_better(task)},
        )
        for level in levels
    ]
    if pairs and pairs[0].in_bank:
        for level in levels:
            _check_same_bank(baseline, level)
    return pairs


def _check_same_bank(baseline: Answers, level: Answers) -> None:
    if baseline.bank_sha256 != level.bank_sha256:
        first, other = (run.bank_sha256[:12] or "unknown" for run in (baseline, level))
        raise PairingError(
            f"{baseline.name} was asked from bank {first} and {level.name} from bank {other}. "
            "Sweep one of them again, so that both answer the same bank."
        )


def pair(
    baseline: Sequence[Sample],
    level: Sequence[Sample],
    *,
    task: str,
    select: Selection | None = None,
    may_stop: bool = False,
    higher_is_better: Mapping[str, bool] | None = None,
) -> Pair:
    """Pair the samples of one task, as lm-eval writes them with ``--log_samples``.

    Args:
        baseline: samples of the baseline; they fix the order.
        level: samples of the other level.
        task: name of the task, for ids and messages.
        select: which metric, filter and clusters.
        may_stop: whether one of the two may have been asked fewer items, because it was decided by then.
        higher_is_better: of each metric whether more of it is better, as far as the runs say.

    Raises:
        PairingError: items on one side only, items with other documents or prompts, or items that occur twice.
        SamplesError: the samples lack what is needed to pair them.
    """
    select = select or Selection()
    before = _by_item(baseline, task, select.filter_name)
    after = _by_item(level, task, select.filter_name)
    shared = before.keys() & after.keys()
    if before.keys() != after.keys() and not (may_stop and shared):
        raise PairingError(
            f"The runs of {task} share {len(shared)} items; {len(before.keys() - after.keys())} appear only in the "
            f"baseline and {len(after.keys() - before.keys())} only in the other run. Finish both with the same task version and limit."
        )
    if not before:
        raise PairingError(f"{task} has no items to pair. Check the limit that the runs were made with.")
    both = {item_id: sample for item_id, sample in before.items() if item_id in shared}
    _check_same(
        both,
        after,
        "doc_hash",
        f"items of {task} differ in their text",
        "Run both with the same version of the task.",
    )
    _check_same(
        both,
        after,
        "prompt_hash",
        f"items of {task} were asked with different prompts",
        "Check the chat template, the system prompt and the few-shot examples of the two runs.",
    )
    first = next(iter(before.values()))
    score = _main_score(first, task, select.metric)
    documents = tuple(sample["doc"] for sample in before.values())
    in_bank = all(map(is_item, documents))
    item_ids = list(before)
    others = [after.get(item_id, NOT_ASKED) for item_id in item_ids]
    _check_scored([*before.values(), *after.values()], score, task)
    return Pair(
        task=task,
        score=score,
        direction=_direction(score, higher_is_better or {}),
        in_bank=in_bank,
        item_id=np.array(item_ids),
        look=np.array(
            [max(own.get("look", 1), other.get("look", 1)) for own, other in zip(before.values(), others, strict=True)]
        ),
        asked=np.array([item_id in shared for item_id in item_ids]),
        baseline=_numbers(before.values(), score, task),
        level=_numbers(others, score, task),
        template=np.array(_clusters(documents, item_ids, task, select.cluster or ("template" if in_bank else None))),
        draw=np.array(
            [(in_bank and document.get("twin")) or own for own, document in zip(item_ids, documents, strict=True)]
        ),
        stratum=np.array([document["subcategory"] if in_bank else task for document in documents]),
        category=np.array([document["category"] if in_bank else task for document in documents]),
        difficulty=np.array([float(document["difficulty"]) if in_bank else math.nan for document in documents]),
        baseline_answered=_numbers(before.values(), "answered", task),
        level_answered=_numbers(others, "answered", task),
        baseline_responses=tuple(_response(sample, score) for sample in before.values()),
        level_responses=tuple(_response(sample, score) for sample in others),
        measures=_measures(list(before.values()), others, task),
        documents=documents,
    )


def _by_item(samples: Sequence[Sample], task: str, filter_name: str | None) -> dict[str, Sample]:
    """Samples by item id. lm-eval writes one line per item and filter; one filter is read."""
    again = "Write them again with lm-eval 0.4.13 or later and --log_samples."
    for field in ("doc", "doc_id", "doc_hash", "prompt_hash", "metrics"):
        if any(field not in sample for sample in samples):
            raise SamplesError(f"The samples of {task} have no field {field!r}. {again}")
    filters = list(dict.fromkeys(sample.get("filter", "none") for sample in samples))
    if filter_name is not None and filter_name not in filters:
        raise PairingError(f"{task} has no filter {filter_name!r}; it has {', '.join(map(str, filters)) or 'none'}.")
    wanted = filter_name if filter_name is not None else next(iter(filters), None)
    chosen = [sample for sample in samples if sample.get("filter", "none") == wanted]
    by_item = {_item_id(sample, task): sample for sample in chosen}
    if len(by_item) < len(chosen):
        repeated, _ = Counter(_item_id(sample, task) for sample in chosen).most_common(1)[0]
        raise PairingError(
            f"{len(chosen) - len(by_item)} of {len(chosen)} samples of {task} repeat an item (first: {repeated}). "
            "Were two runs written into one file? Give each its own folder."
        )
    return by_item


def _item_id(sample: Sample, task: str) -> str:
    return str(sample["doc"]["id"]) if is_item(sample["doc"]) else f"{task}:{sample['doc_id']}"


def _check_same(before: Mapping[str, Sample], after: Mapping[str, Sample], field: str, what: str, remedy: str) -> None:
    differing = [item_id for item_id, sample in before.items() if sample.get(field) != after[item_id].get(field)]
    if differing:
        raise PairingError(f"{len(differing)} of {len(before)} {what} (first: {differing[0]}). {remedy}")


def _check_scored(samples: Sequence[Sample], score: str, task: str) -> None:
    """A score that is null failed and counts as missing; one that is not there at all was another version's."""
    n_without = sum(score not in sample for sample in samples)
    if n_without:
        raise SamplesError(
            f"{n_without} of {len(samples)} samples of {task} have no {score!r}, which the others are scored by. Run both with the same "
            "version of the task, or choose another --metric."
        )


def _clusters(documents: Sequence[Mapping[str, Any]], item_ids: list[str], task: str, field: str | None) -> list[str]:
    if field is None:
        return item_ids
    n_without = sum(field not in document for document in documents)
    if n_without:
        known = sorted({str(name) for document in documents for name in document})
        raise PairingError(
            f"{n_without} of {len(documents)} documents of {task} have no field {field!r} to cluster by."
            f"{did_you_mean(field, known)} There are: {', '.join(known)}."
        )
    return [str(document[field]) for document in documents]


def _main_score(sample: Sample, task: str, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in sample["metrics"]:
            raise PairingError(
                f"{task} has no metric {wanted!r}.{did_you_mean(wanted, sample['metrics'])} It has "
                f"{', '.join(sample['metrics']) or 'none'}."
            )
        return wanted
    metrics = [*(name for name in MAIN_SCORES if name in sample["metrics"]), *sample["metrics"]]
    if not metrics:
        raise SamplesError(
            f"{task} has no metric for a single item, so there is nothing to pair. Choose a task that scores its items."
        )
    return str(metrics[0])


def _direction(score: str, known: Mapping[str, bool]) -> Direction:
    """What the run says of a metric; of those that nearly every task has it is known without."""
    if score not in known:
        return Direction.HIGHER if score in MAIN_SCORES else Direction.UNKNOWN
    return Direction.HIGHER if known[score] else Direction.LOWER


def _numbers(samples: Iterable[Sample], name: str, task: str) -> NDArray[np.float64]:
    """The values of one metric; NaN where it is null, absent, or infinite, which JSON does not know and our own files have as null."""
    values = [sample.get(name) for sample in samples]
    try:
        numbers = np.array(values, dtype=float)  # None becomes NaN
    except (OverflowError, TypeError, ValueError):
        numbers = np.array([])
    if len(numbers) < len(values) or not set(map(type, values)) <= NUMBERS:
        raise SamplesError(
            f"The metric {name!r} of {task} is not a number for each item, so it cannot be paired. Choose another task or metric."
        )
    return np.where(np.isinf(numbers), np.nan, numbers)


def _measures(before: Sequence[Sample], after: Sequence[Sample], task: str) -> dict[str, tuple[Array, Array]]:
    """The MEASURES that the task has; a forced choice writes nothing, so it has none of a response's, but a divergence."""
    divergence = _divergence(before, after)
    names = [name for name in MEASURES if name in before[0] and not (divergence and name in OF_GENERATED)]
    return {**{name: (_numbers(before, name, task), _numbers(after, name, task)) for name in names}, **divergence}


def _divergence(before: Sequence[Sample], after: Sequence[Sample]) -> dict[str, tuple[Array, Array]]:
    """KL to the baseline over the choices of each item; nothing for a task that is no forced choice."""
    choices = [_likelihoods(sample) for sample in before]
    if any(likelihoods is None for likelihoods in choices):
        return {}
    divergences = [
        math.nan if other is None or len(other) != len(own) else choice_divergence(own, other)
        for own, other in zip(choices, map(_likelihoods, after), strict=True)
        if own is not None
    ]
    return {"divergence": (np.zeros(len(divergences)), np.array(divergences))}


def _likelihoods(sample: Sample) -> list[float] | None:
    """The log-likelihood of each choice, which lm-eval writes as text; None where the task is none of forced choice."""
    try:
        likelihoods = [float(value) for ((value, _),) in sample["resps"]]
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return likelihoods if len(likelihoods) > 1 else None


def _response(sample: Sample, score: str) -> str:
    """The text that was generated; of a forced choice the option that was chosen; else what lm-eval made of the log-likelihoods."""
    first = sample["resps"][0][0] if sample.get("resps") and sample["resps"][0] else None
    if isinstance(first, str):
        return first
    likelihoods = _likelihoods(sample)
    if likelihoods is None or any(map(math.isnan, likelihoods)):
        return str(sample.get("filtered_resps", ""))
    options = _options(sample, len(likelihoods))
    if score == "acc_norm":
        likelihoods = [value / max(1, len(option)) for value, option in zip(likelihoods, options, strict=True)]
    chosen = likelihoods.index(max(likelihoods))
    return options[chosen] if len(set(options)) == len(options) else f"choice {chosen + 1}"


def _options(sample: Sample, n_options: int) -> list[str]:
    """The text of each choice: the document's own, or what was put behind the question; empty where neither is known."""
    choices = sample["doc"].get("choices")
    if isinstance(choices, list) and len(choices) == n_options:
        return [str(choice) for choice in choices]
    arguments = sample.get("arguments", {})
    return [str(arguments.get(f"gen_args_{i}", {}).get("arg_1", "")).strip() for i in range(n_options)]
