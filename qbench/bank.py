"""The question bank: which leaves there are, and the items of each.

A leaf is one lm-eval task YAML in tasks/<category>/<subcategory>.yaml. lm-eval calls `load_items` with what stands in the leaf's
``dataset_kwargs``; `leaves` reads the same files without lm-eval, for the command line, the bank's hash and the reference model's
corpus, so that both see the same items.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from qbench import contexts
from qbench.errors import BankError, TemplateError, did_you_mean
from qbench.generators.filler import Later
from qbench.shapes import ANYTHING, LIST, MAPPING, TEXT, TEXTS, Shape, check
from qbench.templates import Item, Template, draw

if TYPE_CHECKING:
    import datasets

DEFAULT_ITEMS = 20  # per template
VALIDATION_ITEMS = 5  # per template: few-shot examples and calibration text
DEFAULT_SEED = 2026
OWN_VERSION = "1.0"  # of a task that names none; the bank's leaves have the bank's
NO_LEAVES = ("choice", "facts", "groups", "long")  # folders of tasks/ that hold no leaf of their own
CATEGORIES = (
    "numerical",
    "long_context",
    "generation",
    "knowledge",
    "adversarial",
    "logic",
    "uncertainty",
    "realworld",
    "iterative",
    "probability",
)


@dataclass(frozen=True)
class Leaf:
    """One task of the bank, as its YAML declares it."""

    task: str
    category: str
    subcategory: str
    version: str
    templates: tuple[Template, ...]
    path: Path | None = None

    def items(
        self, split: str = "test", *, items: int = DEFAULT_ITEMS, seed: int = DEFAULT_SEED, as_choices: bool = False
    ) -> list[Item]:
        """Draw ``items`` items from each template, ordered so that every prefix is balanced over templates and difficulty.

        Twins count one by one and follow each other: four twins make twenty items in five draws.

        Args:
            as_choices: only items that can be asked as a forced choice, with `qbench.near_misses` where their template names no
                distractors.
        """
        drawn = [
            draw(
                template,
                category=self.category,
                subcategory=self.subcategory,
                version=self.version,
                split=split,
                seed=seed,
                count=items,
                offset=position,
                as_choices=as_choices,
            )
            for position, template in enumerate(self.templates)
        ]
        rounds = itertools.zip_longest(*drawn, fillvalue=[])
        found = [item for families in rounds for family in families for item in family]
        return [item for item in found if item.choices] if as_choices else found


def tasks_dir() -> Path:
    """The folder of task YAMLs that ships in the package, for ``lm_eval --include_path``."""
    return Path(str(files("qbench.tasks")))


def load_items(
    *,
    category: str,
    subcategory: str,
    templates: list[Any],
    version: str | float = OWN_VERSION,
    qb_items: int | str = DEFAULT_ITEMS,
    qb_seed: int | str = DEFAULT_SEED,
    qb_context_words: Any = None,
    as_choices: bool = False,
    **_: Any,
) -> "dict[str, datasets.Dataset]":
    """Build the splits of one leaf; every leaf's YAML names this function as its ``custom_dataset``.

    lm-eval passes ``dataset_kwargs``, ``metadata`` and the command line's ``--model_args`` and ``--metadata`` in one heap, hence the
    prefix ``qb_`` on ours and ``**_`` for the rest.

    Args:
        qb_context_words: how many words an item has, one size or several, where it has a document whose length can be chosen.
        as_choices: ask what can be asked as a forced choice, with near misses where a template names no distractors.

    Raises:
        TemplateError: a template cannot be read or drawn from.
        BankError: ``qb_items``, ``qb_seed`` or ``qb_context_words`` is no such number.
    """
    leaf = _leaf(f"qbench_{category}_{subcategory}", category, subcategory, str(version), templates)
    return _splits(leaf, qb_items, qb_seed, sizes=_sizes(qb_context_words), as_choices=as_choices)


def load_choices(
    *,
    leaf: str,
    qb_items: int | str = DEFAULT_ITEMS,
    qb_seed: int | str = DEFAULT_SEED,
    qb_context_words: Any = None,
    **_: Any,
) -> "dict[str, datasets.Dataset]":
    """Build the splits of a leaf's forced-choice view: the same items, those that have a closed answer, with near misses.

    Args:
        leaf: whose view it is, as in ``numerical/arithmetic``.
        qb_items, qb_seed, qb_context_words: as for `load_items`.

    Raises:
        BankError: the bank has no such leaf, or a number is none.
    """
    viewed = named_leaf(leaf)
    view = dataclasses.replace(viewed, category=f"choice-{viewed.category}")
    return _splits(view, qb_items, qb_seed, sizes=_sizes(qb_context_words), as_choices=True)


def _sizes(qb_context_words: Any) -> list[int]:
    return contexts.read_sizes(qb_context_words, "qb_context_words") if qb_context_words else []


def read_whole(number: Any, name: str, *, least: int) -> int:
    """A whole number as lm-eval hands it on: ``--model_args`` makes a text of it.

    Raises:
        BankError: it is none, or smaller than ``least``.
    """
    text = str(number)
    if text.isascii() and text.isdecimal() and len(text) < 19 and int(text) >= least:
        return int(text)
    raise BankError(f"{name} takes a whole number, {least} or more, not {number!r}.")


def _splits(
    leaf: Leaf, qb_items: Any, qb_seed: Any, *, as_choices: bool = False, sizes: Sequence[int] = ()
) -> "dict[str, datasets.Dataset]":
    import datasets  # slow to import, and only lm-eval needs it

    items, seed = read_whole(qb_items, "qb_items", least=1), read_whole(qb_seed, "qb_seed", least=0)
    declared = json.dumps(dataclasses.asdict(leaf), default=str)
    if as_choices and not _rows(declared, "test", items, seed, True, ()):
        raise BankError(
            f"{leaf.task} has no item that can be asked as a forced choice; give its templates distractors."
        )
    return {
        split: datasets.Dataset.from_list(
            _rows(declared, split, count, seed, as_choices, tuple(sizes) if split == "test" else ())
        )
        for split, count in (("test", items), ("validation", VALIDATION_ITEMS))
    }


@functools.lru_cache(maxsize=256)
def _rows(
    declared: str, split: str, items: int, seed: int, as_choices: bool, sizes: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Draw one split of a leaf. Remembered, because a glob matches a leaf and its tag, and lm-eval then builds the leaf twice."""
    fields = json.loads(declared)
    leaf = Leaf(**{**fields, "templates": tuple(Template(**template) for template in fields["templates"])})
    if sizes and any(map(contexts.has_length, leaf.templates)):
        return items_in_sizes(leaf, split, sizes, contexts.Words(), items=items, seed=seed, as_choices=as_choices)
    return [item.row() for item in leaf.items(split, items=items, seed=seed, as_choices=as_choices)]


def items_in_sizes(
    leaf: Leaf,
    split: str,
    sizes: Sequence[int],
    ruler: contexts.Ruler,
    *,
    items: int = DEFAULT_ITEMS,
    seed: int = DEFAULT_SEED,
    as_choices: bool = False,
) -> list[contexts.Row]:
    """Draw items whose documents have the sizes that are asked for; the sizes of one draw count one by one, as twins do.

    Raises:
        BankError: the facts of every item are larger than every size.
    """
    later = Later()
    open_ended = dataclasses.replace(leaf, templates=contexts.stretched(leaf.templates, later))
    drawn = open_ended.items(split, items=-(-items // len(sizes)), seed=seed, as_choices=as_choices)
    return contexts.in_sizes(drawn, later, sizes, ruler)


def _leaf(task: str, category: str, subcategory: str, version: str, entries: Any, path: Path | None = None) -> Leaf:
    if not isinstance(entries, list) or not entries:
        raise TemplateError(f"{task} has no templates; dataset_kwargs.templates must be a list of them.")
    templates = tuple(Template.from_yaml(entry) for entry in entries)
    names = [template.id for template in templates]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TemplateError(
            f"{task} has more than one template with the id {', '.join(repeated)}; ids name the random stream."
        )
    return Leaf(task, category, subcategory, version, templates, path)


# ---------------------------------------------------------------- reading the YAML files without lm-eval


class _TaskLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # five times as fast, where PyYAML has libyaml
    """Reads task YAMLs, anybody's; a ``!function`` stays a name, nothing is imported."""


class _LeafLoader(_TaskLoader):
    """Reads the YAML of a leaf, and refuses what YAML takes in silence and no author of a question means."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _refused(f"{key.value} comes twice; the first would be lost", key)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep=deep))

    def construct_truth(self, node: yaml.ScalarNode) -> bool:
        if node.value.lower() not in ("true", "false"):
            raise _refused(
                f"{node.value} is a truth value in YAML; put the word in quotes, or write true or false", node
            )
        return bool(self.construct_yaml_bool(node))


def _refused(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


class _Function(str):
    """The name behind a ``!function``."""


_TaskLoader.add_constructor("!function", lambda loader, node: _Function(loader.construct_scalar(node)))
_LeafLoader.add_constructor("tag:yaml.org,2002:bool", _LeafLoader.construct_truth)

INCLUDES = Shape("the path of a file, or a list of them", lambda value: TEXT.fits(value) or TEXTS.fits(value))
OF_A_TASK = {"task": TEXT, "metadata": MAPPING}
OF_A_LEAF = {"category": TEXT, "subcategory": TEXT, "templates": LIST, "version": ANYTHING}
OF_A_LEAF |= dict.fromkeys(("qb_items", "qb_seed", "qb_context_words", "as_choices"), ANYTHING)  # see load_items
PROBES = ("qbench.probe.Answer", "qbench.probe.Writing", "qbench.probe.Choice")


def check_way_of_asking(path: Path) -> None:
    """A task of the bank's kind includes one of its prompts, or names a class of `qbench.probe`.

    Raises:
        BankError: neither, a class that there is not, or no name for the task.
    """
    fields = task_fields(path)
    named = fields.get("class")
    if named is None and "custom_dataset" not in fields:
        raise BankError(f"{path} does not say how it is asked; add the line class: !function {PROBES[0]}")
    if named is not None and named not in PROBES:
        raise BankError(
            f"{path} names the class {named}.{did_you_mean(str(named), PROBES)} There are {', '.join(PROBES)}."
        )
    if named is not None and not isinstance(named, _Function):
        raise BankError(f"{path} names its class as a text, which lm-eval cannot call; write class: !function {named}")


def read_leaf(path: Path) -> Leaf:
    """Read one leaf's YAML.

    Raises:
        BankError: a syntax error, no ``task``, no ``dataset_kwargs`` with category, subcategory and templates, or one of another type.
        TemplateError: a template that cannot be read.
    """
    fields = _fields(path, _LeafLoader)
    if "dataset_kwargs" not in fields:
        raise BankError(f"{path} declares no leaf: dataset_kwargs needs category, subcategory and templates.")
    kwargs = fields["dataset_kwargs"]
    check(kwargs, f"{path}, dataset_kwargs", OF_A_LEAF, required=("category", "subcategory", "templates"))
    check(fields, str(path), OF_A_TASK, required=("task",), and_others=True)
    version = str(fields.get("metadata", {}).get("version", OWN_VERSION))
    try:
        return _leaf(fields["task"], kwargs["category"], kwargs["subcategory"], version, kwargs["templates"], path)
    except TemplateError as error:
        raise TemplateError(f"{path}: {error}") from None


def named_leaf(name: str) -> Leaf:
    """Read a leaf of the bank by its place, as in ``numerical/arithmetic``.

    Raises:
        BankError: the bank has no such leaf.
    """
    path = tasks_dir() / f"{name}.yaml"
    if not path.is_file():
        raise BankError(f"The bank has no leaf {name!r}; name it category/subcategory, as in numerical/arithmetic.")
    return read_leaf(path)


def task_fields(path: Path) -> dict[str, Any]:
    """A task's YAML with what it includes, as lm-eval puts them together; functions stay names.

    Raises:
        BankError: a file that there is not or that is no YAML, or one that includes itself.
    """
    return _fields(path, _TaskLoader)


def _fields(path: Path, loader: type[_TaskLoader], includers: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path.resolve() in [includer.resolve() for includer in includers]:
        raise BankError(f"{includers[-1]} includes {path.name}, and so itself; include a file of prompts/.")
    if not path.is_file():
        raise BankError(f"There is no file {path}{f', which {includers[-1]} includes' if includers else ''}.")
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, OSError, ValueError) as error:  # ValueError: not UTF-8, or the 30th of February
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise BankError(f"{path} is not valid YAML ({where}{getattr(error, 'problem', error)}).") from None
    check(config, str(path), {"include": INCLUDES}, and_others=True)
    named = config.get("include", [])
    included: dict[str, Any] = {}
    for name in [named] if isinstance(named, str) else named:
        included |= _fields(path.parent / name, loader, (*includers, path))
    return {**included, **config}


def leaves(folder: Path | None = None) -> list[Leaf]:
    """Return every leaf of the bank, in the order of CATEGORIES and then by name."""
    root = folder or tasks_dir()
    found = [read_leaf(path) for path in sorted(root.glob("*/*.yaml")) if path.parent.name not in NO_LEAVES]
    order = {category: position for position, category in enumerate(CATEGORIES)}
    return sorted(found, key=lambda leaf: (order.get(leaf.category, len(order)), leaf.task))


def find(name: str, *, seed: int = DEFAULT_SEED, difficulty: int | None = None) -> list[Item]:
    """The items of a task, of a template, of a YAML of one's own, or the one with this id, with the choices of the forced-choice view.

    Args:
        name: where it ends in .yaml, the path of a probe.
        seed: other items of the same templates.
        difficulty: only items of this one.

    Raises:
        BankError: nothing has this name, or nothing of this difficulty.
    """
    for leaf in _named((name,)) if _is_path(name) else leaves():
        whole = _is_path(name) or name == leaf.task
        is_here = whole or any(name == template.id for template in leaf.templates)
        if is_here or name.startswith(f"{leaf.category}_{leaf.subcategory}."):
            found = [item for item in leaf.items(seed=seed) if whole or name in (item.template, item.id)]
            if difficulty is not None and found and not any(item.difficulty == difficulty for item in found):
                raise BankError(f"{name} has no item of difficulty {difficulty}; there are {_difficulties(found)}.")
            choices = {item.id: item for item in leaf.items(seed=seed, as_choices=True)}
            if found:
                return [choices.get(item.id, item) for item in found if difficulty in (None, item.difficulty)]
    raise BankError(f"The bank has no task, template or item named {name!r}; qbench bank list names them.")


def _difficulties(items: Iterable[Item]) -> str:
    return ", ".join(map(str, sorted({item.difficulty for item in items})))


def _is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _named(names: Sequence[str]) -> list[Leaf]:
    """The leaves of these names or globs, and those of paths."""
    paths = [name for name in names if _is_path(name)]
    patterns = [name for name in names if not _is_path(name)]
    bank = leaves() if patterns else []
    ours = [leaf for leaf in bank if any(fnmatchcase(leaf.task, pattern) for pattern in patterns)]
    return ours + [read_leaf(Path(path)) for path in paths]


def export(
    path: Path,
    *,
    tasks: Sequence[str] = ("qbench_*",),
    split: str = "test",
    items: int = DEFAULT_ITEMS,
    seed: int = DEFAULT_SEED,
    as_choices: bool = False,
) -> int:
    """Write items to a file, a row for each, in the format that the ending of its name says: .jsonl, .csv or .parquet.

    Args:
        tasks: names, globs, or paths of probes.

    Returns:
        How many.

    Raises:
        BankError: another ending, a folder that does not exist, or no task of these names.
    """
    import datasets  # slow to import

    writers = {".jsonl": "to_json", ".csv": "to_csv", ".parquet": "to_parquet"}
    if path.suffix not in writers:
        raise BankError(f"{path} ends in {path.suffix or 'nothing'!r}; name a file that ends in {', '.join(writers)}.")
    if not path.parent.is_dir():
        raise BankError(f"There is no folder {path.parent}; make it first.")
    chosen = _named(tasks)
    if not chosen:
        raise BankError(f"The bank has no task {', '.join(tasks)}; qbench bank list names them.")
    rows = [item.row() for leaf in chosen for item in leaf.items(split, items=items, seed=seed, as_choices=as_choices)]
    options = {"force_ascii": False} if path.suffix == ".jsonl" else {}
    datasets.disable_progress_bars()
    try:
        getattr(datasets.Dataset.from_list(rows), writers[path.suffix])(str(path), **options)
    except OSError as error:
        raise BankError(f"{path} cannot be written ({error.strerror}); name another file.") from None
    return len(rows)


# ---------------------------------------------------------------- the bank's identity


def digest(items: Iterable[Item]) -> str:
    """SHA-256 over items as canonical JSON lines."""
    total = hashlib.sha256()
    for item in items:
        total.update(json.dumps(item.row(), ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return total.hexdigest()


def default_items() -> Iterator[Item]:
    """Every default test item of every leaf, in the bank's order."""
    for leaf in leaves():
        yield from leaf.items()


def verify(*, write: bool = False) -> dict[str, Any]:
    """Draw every default item and hold the bank's hash against its release.

    Args:
        write: record today's version and hash as the release instead; for authors, after a new version in prompts/base.yaml.

    Returns:
        version, sha256 and the number of items.

    Raises:
        BankError: the items are not those of the release.
    """
    items = list(default_items())
    state = {"version": version(), "sha256": digest(items)}
    if write:
        (tasks_dir() / "release.yaml").write_text(yaml.safe_dump(state, sort_keys=False), encoding="utf-8")
        release.cache_clear()
    elif state != release():
        raise BankError(
            f"The bank is not its release: version {release()['version']} has SHA-256 {release()['sha256'][:12]}…, these items are of "
            f"version {state['version']} and have {state['sha256'][:12]}…. Reinstall qbench, or if you changed the bank, run "
            "qbench bank verify --write."
        )
    return {**state, "items": len(items)}


def version() -> str:
    """The bank's version, which every item, task and release of it has: that of prompts/base.yaml."""
    return str(task_fields(Path(str(files("qbench.prompts"))) / "base.yaml")["metadata"]["version"])


@functools.cache
def release() -> dict[str, str]:
    """Version and SHA-256 of the released bank, from tasks/release.yaml.

    The file is written by ``qbench bank verify --write`` and held against the items by a test, so that a sweep need not draw the
    whole bank to say which one it asked.
    """
    return dict(yaml.safe_load((files("qbench.tasks") / "release.yaml").read_text(encoding="utf-8")))
