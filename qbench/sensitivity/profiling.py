"""The work behind ``qbench sensitivity``: every piece once, finished pieces kept, one profile at the end."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qbench import bank, levels, names, profiles, provenance
from qbench.errors import ModelError, ProfileError
from qbench.harness import quiet
from qbench.levels import Level, layer_of
from qbench.models import nano_path, open_model
from qbench.profiles import FULL_PRECISION, Activations, Attention, Cost, Costs, Place, Probe, Profile
from qbench.progress import Progress
from qbench.quant.modules import kept
from qbench.quant.proof import FULL_PRECISION_BYTES, vector_bytes
from qbench.sensitivity import activations, attention, fisher, predicted, text
from qbench.sensitivity.journal import Journal
from qbench.sensitivity.language import Asked
from qbench.sensitivity.measured import Divergences, lowered
from qbench.sensitivity.parts import Part, describe, parts
from qbench.sensitivity.text import ProbeText
from qbench.sensitivity.watch import Watch

DEFAULT_FORMATS = ("q8", "q6", "q5", "q4", "q3", "q2")
DEFAULT_TASKS = ("qbench_*",)
DEFAULT_OUT = Path("sens.json")
DEFAULT_SEQUENCES = 64
DEFAULT_BATCH_TOKENS = 2048


def sensitivity(
    model: str = "",
    *,
    tasks: Sequence[str] = DEFAULT_TASKS,
    formats: Sequence[str] = DEFAULT_FORMATS,
    unit: str = "module",
    measure: str | int | None = None,
    out: Path = DEFAULT_OUT,
    sequences: int = DEFAULT_SEQUENCES,
    responses: str = "reference",
    draws: int = predicted.DEFAULT_DRAWS,
    seed: int = bank.DEFAULT_SEED,
    max_tokens: int | None = None,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    model_args: Mapping[str, Any] | None = None,
    include_path: Sequence[Path] = (),
    progress: bool = True,
) -> Profile:
    """Find out what lowering each unit of a model costs, and write it down.

    Args:
        model: a folder or a hub id; empty for the reference model that ships with qbench.
        tasks: a probe each: names or globs of lm-eval tasks with commas between them, or the path of a ``.txt``; ``NAME=…`` names it.
        formats: levels of the engine ``intx`` that a unit may be lowered to.
        unit: what is lowered as one: ``module``, ``block`` or ``layer``.
        measure: ``all`` to measure the cost of every unit at every format as well, or of how many units, taken evenly from the predicted
            order; a pass over the text for each unit at each format, twice.
        out: the file. If it is there with the same settings, it is read; what an interrupted command has finished is not done again.
        sequences: of each probe.
        responses: ``reference`` scores the items' own answers, ``own`` what the model itself answers.
        draws: of random signs for each sequence; see `qbench.sensitivity.predicted`.
        seed: of the draws and of the bank's items.
        max_tokens: items that are longer are left out and counted; the model's window if not given.
        batch_tokens: tokens of a batch, padding included.
        model_args: further arguments of the model, as lm-eval's ``--model_args``.
        include_path: folders with task YAMLs of one's own.
        progress: show a progress bar.

    Raises:
        QBenchError: an unknown format, task or model, or a file with other settings.
    """
    if not formats or not tasks:
        raise ProfileError(
            "A profile is of one format or more, on one probe or more; name some, or leave --formats and --tasks out."
        )
    names.check_probes(model, formats, tasks, measure, include_path)
    out = Path(out)
    there = _finished(out)
    wanted = {name: levels.resolve_format(name) for name in formats}
    names.check_sequences(sequences)
    amount = names.amount_measured(measure)
    if own := sorted({"pretrained", "level", "engine"} & (model_args or {}).keys()):
        raise ProfileError(f"The model arguments must not set {', '.join(own)}: --model and --formats do.")
    with Progress("piece", shown=progress) as bar:
        with quiet():
            lm = open_model(pretrained=model or nano_path(), batch_size=1, **(model_args or {}))
        if lm.backend != "causal":
            raise ModelError(f"{model} is no causal language model, and sensitivity asks what follows a prompt.")
        settings = {
            "tasks": json.dumps(list(tasks)),
            "measure": str(measure or "none"),
            "sequences": str(sequences),
            "responses": responses,
            "max_tokens": str(max_tokens or "window"),
            "batch_tokens": str(batch_tokens),
            "model_args": json.dumps(dict(model_args or {}), sort_keys=True, default=str),
        }
        found = parts(lm.model, unit)
        texts = [
            text.draw(
                lm,
                argument,
                sequences=sequences,
                responses=responses,
                seed=seed,
                max_tokens=max_tokens,
                include_path=include_path,
            )
            for argument in tasks
        ]
        hashes = {own.name: own.sha256 for own in texts}
        head = _Head(model or "nano", lm.weights_sha256(), unit, wanted, seed, draws, settings, hashes)
        if there is not None:
            _check_same(there, out, head)
            bar.end(f"{out} is finished, and nothing was computed again.")
            return there
        journal = Journal(out.with_name(out.name + ".unfinished"), head.to_json())
        bench = _Bench(lm, found, wanted, draws, seed, batch_tokens, journal, bar)
        profile = _profile(bench, head, texts, amount)
    profiles.write(profile, out)
    journal.remove()
    return profile


@dataclass(frozen=True)
class _Head:
    """What is asked of which model: two profiles with the same head are the same."""

    model: str
    sha256: str
    unit: str
    formats: dict[str, Level]
    seed: int
    draws: int
    settings: dict[str, str]
    texts: dict[str, str]
    """SHA-256 of each probe's text."""

    def to_json(self) -> dict[str, Any]:
        return {"qbench": provenance.versions()["qbench"], **asdict(self)}


def _finished(out: Path) -> Profile | None:
    """The profile that is there already.

    Raises:
        ProfileError: something else is there.
    """
    if out.is_dir():
        raise ProfileError(f"{out} is a folder; --out names a file in it, such as {out / 'sens.json'}.")
    if not out.exists():
        return None
    try:
        return profiles.read(out)
    except ProfileError:
        raise ProfileError(
            f"{out} is there already and is no profile that this qbench can read, so it was not overwritten. Choose another --out, or move "
            "the file away."
        ) from None


def _check_same(there: Profile, out: Path, head: _Head) -> None:
    """
    Raises:
        ProfileError: the finished profile has other settings.
    """
    model = there.model
    texts = {probe.name: probe.sha256 for probe in there.probes}
    own = _Head(model.name, model.sha256, there.unit, there.formats, there.seed, there.draws, there.settings, texts)
    ours, theirs = head.to_json(), own.to_json() | {"qbench": there.qbench}
    if changed := sorted(key for key, value in ours.items() if theirs[key] != value):
        raise ProfileError(
            f"{out} is a finished profile of another command (it differs in {', '.join(changed)}). Choose another --out, or delete it."
        )


# ---------------------------------------------------------------- the pieces


@dataclass(frozen=True)
class _Bench:
    """What every piece of work needs."""

    lm: Any
    parts: list[Part]
    formats: dict[str, Level]
    draws: int
    seed: int
    batch_tokens: int
    journal: Journal
    bar: Progress

    @property
    def model(self) -> torch.nn.Module:
        model: torch.nn.Module = self.lm.model
        return model

    def once(self, key: str, make: Callable[..., Any], *arguments: Any) -> Any:
        self.bar.set_description(key.rpartition(" ")[0])
        made = self.journal.once(key, make, *arguments)
        self.bar.update()
        return made


def _profile(bench: _Bench, head: _Head, texts: Sequence[ProbeText], amount: float) -> Profile:
    model = bench.model
    asked = [Asked.of(bench.lm, own, batch_tokens=bench.batch_tokens) for own in texts]
    n_batches = sum(len(own.batches) for own in asked)
    n_measured = int(min(amount, len(bench.parts)))
    bench.bar.begin(
        len(bench.parts)
        + n_batches * (2 + len(bench.formats) * (1 + 2 * n_measured))
        + len(asked) * (1 + len(bench.formats))
    )
    units = tuple(
        profiles.Unit(**_unit(bench.once(f"weights {part.name}", _described, part, bench.formats)))
        for part in bench.parts
    )
    predictions = [_predicted(bench, own) for own in asked]
    chosen = _chosen(predictions[0], n_measured)
    other = vector_bytes(model) + FULL_PRECISION_BYTES * sum(
        parameter.numel() for _, parameter in kept(model, [weight for part in bench.parts for weight in part.weights])
    )
    return Profile(
        qbench=provenance.versions()["qbench"],
        model=profiles.Model(head.model, head.sha256, sum(own.numel() for own in model.parameters()), other),
        unit=head.unit,
        formats=bench.formats,
        seed=head.seed,
        draws=head.draws,
        units=units,
        probes=tuple(
            _probe(bench, own, prediction, chosen) for own, prediction in zip(asked, predictions, strict=True)
        ),
        settings=head.settings,
        bank=bank.release(),
        versions=provenance.versions(),
    )


def _described(part: Part, formats: Mapping[str, Level]) -> dict[str, Any]:
    return asdict(describe(part, formats))


def _unit(written: Mapping[str, Any]) -> dict[str, Any]:
    return {**written, "modules": tuple(written["modules"])}


def _predicted(bench: _Bench, asked: Asked) -> NDArray[np.float64]:
    """Nats of (units, formats, sequences)."""

    def make(number: int) -> Any:
        return predicted.squares(
            bench.model,
            bench.parts,
            bench.formats,
            asked.batch(number),
            asked.answer,
            draws=bench.draws,
            seed=(bench.seed, number),
        ).tolist()

    return predicted.blend(
        asked.in_order(
            [bench.once(f"predict {asked.text.name} {number}", make, number) for number in range(len(asked.batches))]
        )
    )


def _chosen(nats: NDArray[np.float64], n_measured: int) -> list[int]:
    """Units to be measured: evenly from the predicted order, dearest and cheapest included. By the geometric mean over formats."""
    order = np.argsort(-np.log(nats.sum(-1) + 1e-300).mean(1), kind="stable")
    return sorted(int(order[round(place)]) for place in np.linspace(0, len(order) - 1, n_measured))


def _probe(bench: _Bench, asked: Asked, prediction: NDArray[np.float64], chosen: Sequence[int]) -> Probe:
    own, unit_names = asked.text, [part.name for part in bench.parts]
    measured, restored, every = _measured(bench, asked, chosen)
    losses = _gradients(bench, asked)
    n = len(own.texts)
    return Probe(
        name=own.name,
        tasks=own.tasks,
        responses=own.responses,
        split=own.split,
        sha256=own.sha256,
        items=tuple(sequence.item for sequence in own.texts),
        scored=own.scored,
        n_tokens=sum(len(sequence.tokens) for sequence in own.texts),
        n_left_out=own.n_left_out,
        predicted=_costs(bench, prediction, own.scored),
        measured=_costs(bench, measured, own.scored),
        restored=_costs(bench, restored, own.scored),
        lowered={name: Cost.of(row.tolist(), own.scored) for name, row in zip(bench.formats, every, strict=True)},
        fisher=dict(zip(unit_names, (losses.squared / n).tolist(), strict=True)),
        gradient=dict(zip(unit_names, (losses.absolute / n).tolist(), strict=True)),
        signed={
            name: dict(zip(bench.formats, row, strict=True))
            for name, row in zip(unit_names, np.abs(losses.signed / n).tolist(), strict=True)
        },
        places=_places(bench, asked),
    )


def _costs(bench: _Bench, nats: NDArray[np.float64], scored: Sequence[int]) -> Costs:
    return {
        part.name: {name: Cost.of(row.tolist(), scored) for name, row in zip(bench.formats, rows, strict=True)}
        for part, rows in zip(bench.parts, nats, strict=True)
    }


def _measured(
    bench: _Bench, asked: Asked, chosen: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Leave-one-in and what restoring gives back, (units, formats, sequences), and all lowered, (formats, sequences)."""
    n = len(asked.text.texts)
    single = np.full((len(bench.parts), len(bench.formats), n), np.nan)
    restored, every = single.copy(), np.full((len(bench.formats), n), np.nan)
    for number, batch in enumerate(asked.batches):
        divergences = Divergences(asked.batch(number), asked.answer)
        for column, level in enumerate(bench.formats.values()):
            key = f"measure {asked.text.name} {number} {level.name}"
            every[column, batch] = bench.once(f"{key} all", _nats, divergences, bench.parts, level)
            for place in chosen:
                part = bench.parts[place]
                others = [own for own in bench.parts if own is not part]
                single[place, column, batch] = bench.once(f"{key} {part.name}", _nats, divergences, [part], level)
                without = bench.once(f"{key} all-but-{part.name}", _nats, divergences, others, level)
                restored[place, column, batch] = every[column, batch] - without
    return single, restored, every


def _nats(divergences: Divergences, parts: Sequence[Part], level: Level) -> Any:
    return divergences.lowering(parts, level).tolist()


def _gradients(bench: _Bench, asked: Asked) -> fisher.Gradients:
    def make(number: int) -> Any:
        found = fisher.gradients(bench.model, bench.parts, bench.formats, asked.batch(number), asked.answer)
        return [found.squared.tolist(), found.absolute.tolist(), found.signed.tolist()]

    sums = [bench.once(f"gradients {asked.text.name} {number}", make, number) for number in range(len(asked.batches))]
    return fisher.Gradients(*(np.sum([own[i] for own in sums], axis=0) for i in range(3)))


# ---------------------------------------------------------------- what is looked at


def _places(bench: _Bench, asked: Asked) -> tuple[Place, ...]:
    """Statistics of every unit's, layer's and attention's output, in full precision and with the whole model at each format."""
    model = bench.model
    outputs, attentions = _output_modules(model, bench.parts), _attention_modules(model)
    found: dict[str, Any] = {}
    for name in (FULL_PRECISION, *bench.formats):
        key = f"activations {asked.text.name} {name}"
        found[name] = bench.once(key, _statistics, bench, asked, name, outputs, attentions)
    return tuple(
        Place(
            name=place,
            layer=layer_of(place),
            activations={
                level: Activations(*own["activations"][place])
                for level, own in found.items()
                if place in own["activations"]
            },
            attention={
                level: Attention(*own["attention"][place]) for level, own in found.items() if place in own["attention"]
            },
        )
        for place in dict.fromkeys((*outputs, *attentions))
        if any(place in own["activations"] or place in own["attention"] for own in found.values())
    )


@torch.no_grad()
def _statistics(
    bench: _Bench,
    asked: Asked,
    format: str,
    outputs: Mapping[str, torch.nn.Module],
    attentions: Mapping[str, torch.nn.Module],
) -> Any:
    level = bench.formats.get(format)
    with (
        lowered(bench.parts if level else [], level or levels.LEVELS[FULL_PRECISION]),
        _showing_attention(bench.model),
        Watch(outputs, activations.Sums) as out,
        Watch(attentions, attention.Sums) as looks,
    ):
        for number in range(len(asked.batches)):
            out.is_token = looks.is_token = asked.answer.is_token(asked.batch(number))
            asked.answer(asked.batch(number))
    return {
        "activations": {name: list(asdict(sums.activations()).values()) for name, sums in out.sums.items()},
        "attention": {
            name: list(asdict(sums.attention()).values()) for name, sums in looks.sums.items() if sums.n_tokens
        },
    }


@contextmanager
def _showing_attention(model: Any) -> Iterator[None]:
    """Attention that puts out its weights, where the architecture has it."""
    before = getattr(model.config, "_attn_implementation", None)
    try:
        model.set_attn_implementation("eager")
    except (AttributeError, ValueError, ImportError):
        yield
        return
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _output_modules(model: torch.nn.Module, found: Sequence[Part]) -> dict[str, torch.nn.Module]:
    """The modules of units, and the layers."""
    modules = dict(model.named_modules())
    units = {part.name: modules.get(part.name, modules.get(part.name.rpartition(".")[0])) for part in found}
    layers = {name: modules[name] for name in _layer_names(model)}
    return {name: module for name, module in (units | layers).items() if module is not None}


def _layer_names(model: torch.nn.Module) -> list[str]:
    """``model.layers.0`` and so on: modules named by a number that no other number is in front of."""
    return [
        name
        for name, module in model.named_modules()
        if name.rpartition(".")[2].isdecimal() and layer_of(name.rpartition(".")[0]) is None
    ]


def _attention_modules(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Of each layer the outermost module that is called attention."""
    found: dict[str, torch.nn.Module] = {}
    for name, module in model.named_modules():
        is_inside = any(name.startswith(f"{outer}.") for outer in found)
        if "att" in name.rpartition(".")[2].lower() and layer_of(name) is not None and not is_inside:
            found[name] = module
    return found
