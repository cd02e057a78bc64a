"""From a format for every module to a mix that a person can read: few rules, of which no two contradict."""

import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import yaml

from qbench.levels import LEVELS, Mix, Rule, layer_of

Cell = tuple[str, int]
"""A module as its kind, which is its name with ``*`` for its layer, and its layer."""

OUTSIDE = -1  # the layer of what is in none


@dataclass(frozen=True)
class _Block:
    """Modules of one level that one rule can name."""

    glob: str
    layers: str
    level: str
    cells: frozenset[Cell]


def mix_of(formats: Mapping[str, str], name: str, about: str) -> Mix:
    """Return a mix that gives every module exactly this format.

    Each rule is the largest block of equal modules that is left: one kind of module or one part of the layers, in neighbouring layers. A
    rule matches no module of another level, so a reader may take them in any order. The default is the level that leaves the fewest.

    Args:
        formats: the name of the level of each module.
        name: of the mix.
        about: what it says of itself.
    """
    table = {_cell(module): level for module, level in formats.items()}
    blocks = list(_blocks(table))
    candidates = {default: _merged(_cover(blocks, table, default), table) for default in dict.fromkeys(table.values())}
    default = min(candidates, key=lambda level: len(candidates[level]))
    return Mix(name, LEVELS[default], tuple(candidates[default]), about)


def as_yaml(mix: Mix, fields: Mapping[str, str] | None = None) -> str:
    """The file that `qbench.levels.read_mix` reads this mix from, with further fields, which it passes over."""
    head = {"about": mix.about, **(fields or {}), "default": mix.default.name}
    lines = [yaml.safe_dump(head, allow_unicode=True, width=120, sort_keys=False).rstrip()]
    lines.append("rules:" if mix.rules else "rules: []")
    for rule in mix.rules:
        globs = json.dumps(rule.modules[0] if len(rule.modules) == 1 else rule.modules, ensure_ascii=False)
        where = f", layers: {rule.layers}" if rule.layers else ""
        lines.append(f"  - {{modules: {globs}{where}, level: {rule.level.name}}}")
    return "\n".join(lines) + "\n"


def _cell(module: str) -> Cell:
    layer = layer_of(module)
    if layer is None:
        return module, OUTSIDE
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", module, count=1), layer


def _globs(kind: str) -> Iterator[str]:
    """Globs that a rule could name this kind by, alone or with others."""
    before, numbered, behind = kind.partition("*")
    yield kind
    if numbered:
        parts = behind.strip(".").split(".")
        yield from ("*." + ".".join(parts[i:]) for i in range(len(parts)) if parts[i] and not parts[i].isdecimal())
        yield from ("*." + ".".join(parts[:i]) + ".*" for i in range(1, len(parts)))
        yield f"{before}*"
        yield "*"


def _blocks(table: Mapping[Cell, str]) -> Iterator[_Block]:
    """Every block that reaches as far as its level does."""
    kinds = dict.fromkeys(kind for kind, _ in table)
    layers_of = {kind: [layer for own, layer in table if own == kind] for kind in kinds}
    for glob in dict.fromkeys(glob for kind in kinds for glob in _globs(kind)):
        # Which layer a module is in makes no difference to a glob, so one module of each kind stands for all.
        matched = [kind for kind in kinds if fnmatchcase(kind.replace("*", "0"), glob)]
        by_layer: dict[int, list[Cell]] = {}
        for kind in matched:
            for layer in layers_of[kind]:
                by_layer.setdefault(layer, []).append((kind, layer))
        levels = {layer: {table[cell] for cell in cells} for layer, cells in sorted(by_layer.items())}
        if len(set().union(*levels.values())) == 1:
            cells = frozenset(cell for cells in by_layer.values() for cell in cells)
            yield _Block(glob, "", table[next(iter(cells))], cells)
            continue
        for run in _runs(levels):
            where = str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
            cells = frozenset(cell for layer in run for cell in by_layer[layer])
            yield _Block(glob, where, table[next(iter(cells))], cells)


def _runs(levels: Mapping[int, set[str]]) -> Iterator[list[int]]:
    """Neighbouring layers of one level, as far as they go."""
    run: list[int] = []
    for layer, found in levels.items():
        if layer == OUTSIDE:
            continue
        if run and found != levels[run[-1]]:
            yield run
            run = []
        if len(found) == 1:
            run.append(layer)
    if run:
        yield run


def _cover(blocks: Sequence[_Block], table: Mapping[Cell, str], default: str) -> list[_Block]:
    """Blocks that together hold everything that is not of the default level: the largest first, of equal ones the shortest to write."""
    left = {cell for cell, level in table.items() if level != default}
    heap = [(-len(block.cells), len(block.glob), i) for i, block in enumerate(blocks) if block.level != default]
    heapq.heapify(heap)
    chosen = []
    while left:
        _, length, i = heapq.heappop(heap)
        gain = (-len(blocks[i].cells & left), length, i)  # it may have lost cells to a block that was chosen since
        if heap and gain > heap[0]:
            heapq.heappush(heap, gain)
            continue
        chosen.append(blocks[i])
        left -= blocks[i].cells
    return chosen


def _merged(chosen: Iterable[_Block], table: Mapping[Cell, str]) -> list[Rule]:
    """Blocks of one level in the same layers as one rule; rules that then decide for no module are left out, as `Mix.assign` wants it."""
    together: dict[tuple[str, str], list[_Block]] = {}
    for block in chosen:
        together.setdefault((block.layers, block.level), []).append(block)
    rules, undecided = [], set(table)
    for (layers, level), blocks in together.items():
        cells = frozenset().union(*(block.cells for block in blocks))
        if cells & undecided:
            rules.append(Rule(tuple(block.glob for block in blocks), LEVELS[level], layers))
            undecided -= cells
    return rules
