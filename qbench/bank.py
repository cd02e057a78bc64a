"""The question bank: which leaves there are, and the items of each.

A leaf is one lm-eval task YAML in tasks/<category>/<subcategory>.yaml. lm-eval calls `load_items` with what stands in the leaf's
``dataset_kwargs``; `leaves` reads the same files without lm-eval, for the command line, the bank's hash and the reference model's
corpus, so that both see the same items.
"""

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from qbench.errors import BankError, TemplateError
from qbench.templates import Item, Template, draw

if TYPE_CHECKING:
    import datasets

DEFAULT_ITEMS = 20  # per template
VALIDATION_ITEMS = 5  # per template: few-shot examples and calibration text
DEFAULT_SEED = 2026
NO_LEAVES = ("facts", "groups")  # folders of tasks/ that hold no leaf
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

    def items(self, split: str = "test", *, items: int = DEFAULT_ITEMS, seed: int = DEFAULT_SEED) -> list[Item]:
        """Draw ``items`` items from each template, ordered so that every prefix is balanced over templates and difficulty.

        Twins count as two items and follow each other.
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
            )
            for position, template in enumerate(self.templates)
        ]
        rounds = itertools.zip_longest(*drawn, fillvalue=[])
        return [item for pairs in rounds for pair in pairs for item in pair]


def tasks_dir() -> Path:
    """The folder of task YAMLs that ships in the package, for ``lm_eval --include_path``."""
    return Path(str(files("qbench.tasks")))


def load_items(
    *,
    category: str,
    subcategory: str,
    templates: list[Any],
    version: str | float = "1.0",
    qb_items: int = DEFAULT_ITEMS,
    qb_seed: int = DEFAULT_SEED,
    **_: Any,
) -> "dict[str, datasets.Dataset]":
    """Build the splits of one leaf; every leaf's YAML names this function as its ``custom_dataset``.

    lm-eval passes ``dataset_kwargs``, ``metadata`` and the command line's ``--model_args`` and ``--metadata`` in one heap, hence the
    prefix ``qb_`` on ours and ``**_`` for the rest.

    Raises:
        TemplateError: a template cannot be read or drawn from.
    """
    import datasets  # slow to import, and only lm-eval needs it

    declared = json.dumps([category, subcategory, str(version), templates], default=str)
    return {
        split: datasets.Dataset.from_list(_rows(declared, split, count, int(qb_seed)))
        for split, count in (("test", int(qb_items)), ("validation", VALIDATION_ITEMS))
    }


@functools.lru_cache(maxsize=256)
def _rows(declared: str, split: str, items: int, seed: int) -> list[dict[str, Any]]:
    """Draw one split of a leaf. Remembered, because a glob matches a leaf and its tag, and lm-eval then builds the leaf twice."""
    category, subcategory, version, templates = json.loads(declared)
    leaf = _leaf(f"qbench_{category}_{subcategory}", category, subcategory, version, templates)
    return [item.row() for item in leaf.items(split, items=items, seed=seed)]


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


class _TaskLoader(yaml.SafeLoader):
    """Reads task YAMLs; a ``!function`` stays a name, nothing is imported."""


_TaskLoader.add_constructor("!function", lambda loader, node: str(loader.construct_scalar(node)))  # type: ignore[arg-type]


def read_leaf(path: Path) -> Leaf:
    """Read one leaf's YAML.

    Raises:
        BankError: a syntax error, or no ``dataset_kwargs`` with category, subcategory and templates.
    """
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_TaskLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = str(getattr(error, "problem_mark", "")).strip()
        raise BankError(
            f"{path} is not valid YAML ({getattr(error, 'problem', error)}{' ' + where if where else ''})."
        ) from None
    kwargs = config.get("dataset_kwargs") if isinstance(config, dict) else None
    if not isinstance(kwargs, dict) or not {"category", "subcategory", "templates"} <= kwargs.keys():
        raise BankError(f"{path} declares no leaf: dataset_kwargs needs category, subcategory and templates.")
    version = str((config.get("metadata") or {}).get("version", "1.0"))
    return _leaf(
        config.get("task", path.stem), kwargs["category"], kwargs["subcategory"], version, kwargs["templates"], path
    )


def leaves(folder: Path | None = None) -> list[Leaf]:
    """Return every leaf of the bank, in the order of CATEGORIES and then by name."""
    root = folder or tasks_dir()
    found = [read_leaf(path) for path in sorted(root.glob("*/*.yaml")) if path.parent.name not in NO_LEAVES]
    order = {category: position for position, category in enumerate(CATEGORIES)}
    return sorted(found, key=lambda leaf: (order.get(leaf.category, len(order)), leaf.task))


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
        write: record today's hash as the release instead; for authors, together with a new version in the changed leaves.

    Returns:
        version, sha256 and the number of items.

    Raises:
        BankError: the items are not those of the release.
    """
    items = list(default_items())
    state = {"version": release()["version"], "sha256": digest(items)}
    if write:
        (tasks_dir() / "release.yaml").write_text(yaml.safe_dump(state, sort_keys=False), encoding="utf-8")
        release.cache_clear()
    elif state != release():
        raise BankError(
            f"The bank is not its release: version {state['version']} has SHA-256 {release()['sha256'][:12]}…, these items have "
            f"{state['sha256'][:12]}…. Reinstall qbench, or if you changed the bank, run qbench bank verify --write."
        )
    return {**state, "items": len(items)}


@functools.cache
def release() -> dict[str, str]:
    """Version and SHA-256 of the released bank, from tasks/release.yaml.

    The file is written by ``qbench bank verify --write`` and held against the items by a test, so that a sweep need not draw the
    whole bank to say which one it asked.
    """
    return dict(yaml.safe_load((files("qbench.tasks") / "release.yaml").read_text(encoding="utf-8")))
