"""Levels and mixes: how the weights of a model are stored.

A level is one rung of the ladder, from ``fp16`` (the checkpoint as it was loaded) down to ``q2``. A mix gives different modules
different levels: a small YAML with a default and rules, first match wins. ``as-is:PATH`` is a checkpoint that somebody else has
quantized. ``resolve`` takes a name, the path of a mix, or such a checkpoint.
"""

import fnmatch
import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from qbench.errors import LevelError, MixError, did_you_mean

FULL_PRECISION_BITS = 16
ENGINES = {"intx": "qbench.quant.intx:lower"}
"""Engines that lower one matrix of a loaded model at a time, and the function that does."""
AS_IS = "as-is:"
LAYERS = r"(\d{1,6})(?:(%?)-(\d{1,6})(%?))?"
"""``3``, ``0-15`` or ``0%-50%``."""


@dataclass(frozen=True)
class Level:
    """One rung: how the weights are stored, and which engine put them there.

    ``Level("q4", bits=4, group_size=64)`` costs 4 + 16/64 = 4.25 bits per weight once the fp16 scales are counted; with zero points
    (``symmetric=False``), one code of ``bits`` more in every group.
    """

    name: str
    bits: int | None = None
    """Width of one code; None leaves the weights as they were loaded."""
    group_size: int | None = 64
    """Weights along a row that share one scale; None is the whole row."""
    symmetric: bool = True
    engine: str = "intx"
    scale_bits: int = 16

    def __post_init__(self) -> None:
        if self.bits is not None and not 2 <= self.bits <= 8:
            raise LevelError(f"{self.name}: bits must be 2 to 8, got {self.bits}.")

    @property
    def is_full_precision(self) -> bool:
        return self.bits is None

    @property
    def is_made_on_loading(self) -> bool:
        """True where a library quantizes the model while it is loaded, and not one matrix of a loaded model after the other."""
        return self.engine not in ENGINES

    @property
    def distinct_values(self) -> int:
        """How many different values one weight can take within its group."""
        return 1 << (self.bits or FULL_PRECISION_BITS)

    def bits_per_weight(self, group_size: int | None = None) -> float:
        """Storage per weight, scales and zero points included; the scale of a row of unknown length is left out."""
        if self.bits is None:
            return FULL_PRECISION_BITS
        shared = self.scale_bits + (0 if self.symmetric else self.bits)
        return self.bits + shared / (group_size or self.group_size or math.inf)


LEVELS = {
    level.name: level
    for level in (
        Level("fp16"),
        # At equal bits per weight, a zero point gives less KL at every width (docs/levels.md has the measurement).
        Level("q8", bits=8, symmetric=False),
        Level("q6", bits=6, symmetric=False),
        Level("q5", bits=5, symmetric=False),
        Level("q4", bits=4, symmetric=False),
        Level("q3", bits=3, symmetric=False),
        Level("q2", bits=2, symmetric=False),
        # bitsandbytes: LLM.int8 with a scale a row, and two sets of sixteen values with a scale a block.
        Level("int8", bits=8, group_size=None, engine="bnb", scale_bits=32),
        Level("nf4", bits=4, engine="bnb", scale_bits=32),
        Level("fp4", bits=4, engine="bnb", scale_bits=32),
    )
}
BASELINES = {"bf16": "fp16", "fp32": "fp16"}  # other names for the checkpoint as it was loaded


@dataclass(frozen=True)
class AsIs:
    """A checkpoint that is evaluated as it stands: GPTQ, AWQ, FP8, compressed-tensors, bitsandbytes, or a plain one."""

    path: str
    """A folder or a hub id."""

    engine = "as-is"
    is_full_precision = False
    is_made_on_loading = True

    @property
    def name(self) -> str:
        """Fit for a folder: the last two parts of the path, which is all of a hub id."""
        parts = [part for part in re.split(r"[/\\]+", self.path) if part not in {"", ".", ".."}]
        return "as-is-" + re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(parts[-2:]))


@dataclass(frozen=True)
class Rule:
    """Modules whose name matches one of the globs, in a range of layers, get a level."""

    modules: tuple[str, ...]
    level: Level
    layers: str = ""
    """``0-15`` counts layers, both ends included; ``0%-50%`` is a share of the depth; ``3`` and ``last`` are one layer; empty is all."""

    def matches(self, module: str, depth: int) -> bool:
        if not any(fnmatch.fnmatchcase(module, glob) for glob in self.modules):
            return False
        if not self.layers:
            return True
        layer = layer_of(module)
        return layer is not None and layer in _layer_range(self.layers, depth)

    def __str__(self) -> str:
        where = f" in layers {self.layers}" if self.layers else ""
        return f"{', '.join(self.modules)}{where} -> {self.level.name}"


@dataclass(frozen=True)
class Mix:
    """A layer-wise level: rules in order, and a default for what no rule names."""

    name: str
    default: Level
    rules: tuple[Rule, ...]
    about: str = ""

    is_full_precision = False

    @property
    def is_made_on_loading(self) -> bool:
        return self.default.is_made_on_loading

    def assign(self, modules: Iterable[str]) -> dict[str, Level]:
        """Give every module its level.

        Raises:
            MixError: a rule that decides for no module, be it that its glob matches none or that earlier rules take them all.
        """
        names = list(modules)
        depth = 1 + max((layer for name in names if (layer := layer_of(name)) is not None), default=0)
        used: set[Rule] = set()
        assigned: dict[str, Level] = {}
        for name in names:
            rule = next((rule for rule in self.rules if rule.matches(name, depth)), None)
            assigned[name] = rule.level if rule else self.default
            if rule:
                used.add(rule)
        for rule in self.rules:
            if rule not in used:
                raise MixError(
                    f"In the mix {self.name}, the rule '{rule}' decides for no module. The model has {depth} layers and modules such as "
                    f"{', '.join(names[:3])}; mend the rule or take it out."
                )
        return assigned

    def lower(self, modules: Iterable[str]) -> dict[str, Level]:
        """Give every module of a model that is brought to this mix its level.

        Raises:
            MixError: as `assign`; also a mix that leaves every module as it was loaded.
        """
        assigned = self.assign(modules)
        if all(level.is_full_precision for level in assigned.values()):
            raise MixError(
                f"The mix {self.name} changes nothing: all {len(assigned)} modules of the model stay as they were loaded; give some of "
                "them a level, or take the mix out."
            )
        return assigned


Rung = Level | Mix | AsIs
"""Whatever a name of a level can mean."""


def layer_of(module: str) -> int | None:
    """The layer a module belongs to: the first number in its name (``model.layers.3.mlp`` is 3)."""
    number = re.search(r"\.(\d+)\.", f".{module}.")
    return int(number.group(1)) if number else None


def _layer_range(text: str, depth: int) -> range:
    if text == "last":
        return range(depth - 1, depth)
    match = re.fullmatch(LAYERS, text.replace(" ", ""))
    if not match or (match[4] is not None and match[2] != match[4]):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise MixError(f"{shown!r} is no range of layers; write 0-15, 0%-50%, 3 or last.")
    if match[3] is None:
        return range(int(match[1]), int(match[1]) + 1)
    first, last = int(match[1]), int(match[3])
    if match[2]:  # 0%-50% of 32 layers is 0 to 15, 50%-100% is 16 to 31
        return range(round(first / 100 * depth), round(last / 100 * depth))
    return range(first, last + 1)


# ---------------------------------------------------------------- reading


def resolve(name: str) -> Rung:
    """Return the level or mix of this name; a path to a YAML file is a mix of one's own.

    Raises:
        LevelError: there is none of that name, or no path behind ``as-is:``.
        MixError: the YAML cannot be read as a mix.
    """
    if name in LEVELS or name in BASELINES:
        return LEVELS[BASELINES.get(name, name)]
    if name in shipped_mixes():
        return read_mix(shipped_mixes()[name])
    if Path(name).suffix in {".yaml", ".yml"}:
        return read_mix(Path(name))
    if name.startswith(AS_IS):
        if not name.removeprefix(AS_IS):
            raise LevelError(
                "as-is: needs the folder or hub id of a checkpoint behind it, as in as-is:models/llama-awq."
            )
        return AsIs(name.removeprefix(AS_IS))
    known = [*LEVELS, *shipped_mixes()]
    raise LevelError(
        f"No level named {name!r}.{did_you_mean(name, known)} Known are {', '.join(known)}, the path of a mix (.yaml), and "
        f"{AS_IS}PATH for a checkpoint that is quantized already."
    )


def resolve_format(name: str) -> Level:
    """Return the level of this name that a single weight can be lowered to.

    Raises:
        LevelError: there is none of that name, or it is full precision, a mix, or made of a whole model at once.
    """
    level = resolve(name)
    if not isinstance(level, Level) or level.is_full_precision or level.is_made_on_loading:
        known = (own.name for own in LEVELS.values() if not own.is_full_precision and not own.is_made_on_loading)
        raise LevelError(f"{name} is no format of a single weight; those are {', '.join(known)}.")
    return level


@functools.cache
def shipped_mixes() -> dict[str, Path]:
    """The mixes that the source documents describe, by name."""
    folder = Path(str(files("qbench") / "mixes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_mix(path: Path) -> Mix:
    """Read a mix from its YAML file: ``default``, ``rules`` with ``modules``, ``layers`` and ``level``.

    Raises:
        MixError: there is no such file, or it is no mix; the message says where.
    """
    config = _read_yaml(path)
    if config is None:
        raise MixError(f"The mix {path} is empty; it needs a default level and a list of rules.")
    if not isinstance(config, Mapping) or not {"default", "rules"} <= config.keys():
        raise MixError(f"The mix {path} needs a default level and a list of rules.")
    if not isinstance(config["rules"] or [], list):
        raise MixError(f"The rules of the mix {path} are no list; each begins with a dash.")
    return Mix(
        name=path.stem,
        default=_plain_level(config["default"], path),
        rules=tuple(_read_rule(entry, path) for entry in config["rules"] or ()),
        about=str(config.get("about", "")),
    )


def _read_yaml(path: Path) -> Any:
    """
    Raises:
        MixError: there is no such file, or it is no YAML.
    """
    if not path.is_file():
        raise MixError(f"There is no mix file {path}.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        where = f" at line {place.line + 1}, column {place.column + 1}" if place else ""
        why = " ".join(str(error.problem or error.context).split())
        raise MixError(f"The mix {path} is no YAML{where} ({why}); mend it there.") from None
    except OSError as error:
        raise MixError(f"The mix {path} cannot be read ({error.strerror}).") from None
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ):  # not UTF-8, forbidden characters, a date that there is not, too deep
        raise MixError(
            f"The mix {path} is no YAML; it must be a text file with a default level and a list of rules."
        ) from None


def _read_rule(entry: Any, path: Path) -> Rule:
    if not isinstance(entry, Mapping) or not {"modules", "level"} <= entry.keys() <= {"modules", "level", "layers"}:
        raise MixError(f"A rule of the mix {path} has modules, a level, and perhaps layers; got {entry!r}.")
    globs = entry["modules"] if isinstance(entry["modules"], list) else [entry["modules"]]
    layers = str(entry.get("layers", ""))
    if layers:
        _layer_range(layers, 1)  # so that a typo fails here and not after an hour
    return Rule(tuple(map(str, globs)), _plain_level(entry["level"], path), layers)


def _plain_level(name: Any, path: Path) -> Level:
    known = {level.name: level for level in LEVELS.values() if not level.is_made_on_loading}
    level = known.get(BASELINES.get(str(name), str(name)))
    if level is None:
        hint = f" {name} is made of a whole model at once." if str(name) in LEVELS else did_you_mean(str(name), known)
        raise MixError(f"The mix {path} names the level {name!r}.{hint} A mix is made of {', '.join(known)}.")
    return level
