"""Pictures of a sensitivity profile: every record is a number of the profile, and a mark stands only where its intervals say so."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import vl_convert
from browsing import complaints, until
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select
from synthetic import profile as synthetic

from qbench import contrasts, profiles
from qbench.cli import main
from qbench.contrasts import side_by_side
from qbench.errors import ProfileError, QBenchError
from qbench.levels import LEVELS
from qbench.maps import charts, report, wording
from qbench.maps.compute import Maps, Mark, Spot, compute, lay_out
from qbench.maps.markdown import render as markdown
from qbench.maps.names import NOWHERE, Point, beside
from qbench.maps.page import render
from qbench.maps.wording import figure
from qbench.pages.figures import DATA, Record, Spec
from qbench.profiles import Cost, Costs, Probe, Profile, Unit
from qbench.recommend import Standing
from qbench.validation import MixCheck, Text, UnitCheck, Validation
from qbench.validation import write as write_validation

HOSTILE = "</script><img src=x onerror='window.pwned = 1'><b>"
COSTS = {
    "embed": (1.0, 1.0, 1.0, 1.0),
    "layers.0.up": (1.0, 2.0, 1.0, 2.0),
    "layers.0.down": (2.0, 2.0, 2.0, 2.0),
    "layers.1.up": (2.0, 1.0, 2.0, 1.0),
    "layers.1.down": (4.0, 4.0, 4.0, 4.0),
    "head": (8.0, 0.0, 0.0, 0.0),
}
"""Nats of each sequence, one scored token in each. Student's t with 3 degrees of freedom reaches 3.182 standard errors."""


def typed(*, measured: Mapping[str, Sequence[float]] | None = None) -> Profile:
    """A profile of six units at one format, whose costs are COSTS."""
    units = tuple(
        Unit(
            name=name,
            modules=(name,),
            layer=int(name.split(".")[1]) if "." in name else None,
            kind=name.rpartition(".")[2],
            n_weights=100,
            full_bytes=200.0,
            bytes={"q4": 50.0},
            magnitude=magnitude,
            relative_error={"q4": 0.1},
            squared_error={"q4": 0.1},
        )
        for name, magnitude in zip(COSTS, (6.0, 5.0, 1.0, 3.0, 2.0, 4.0), strict=True)
    )
    missing: Costs = {name: {"q4": Cost.missing()} for name in COSTS}
    given = {name: {"q4": Cost.of(nats, [1] * 4)} for name, nats in (measured or {}).items()}
    probe = Probe(
        name="numerical",
        tasks=("t",),
        responses="reference",
        split="validation",
        sha256="ab",
        items=tuple("abcd"),
        scored=(1, 1, 1, 1),
        n_tokens=9,
        n_left_out=0,
        predicted={name: {"q4": Cost.of(nats, [1] * 4)} for name, nats in COSTS.items()},
        measured={**missing, **given},
        restored=missing,
        lowered={"q4": Cost.missing()},
        fisher=dict(zip(COSTS, (1.0, 2.0, 6.0, 4.0, 5.0, 3.0), strict=True)),
        gradient=dict.fromkeys(COSTS, 1.0),
        signed={name: {"q4": 1.0} for name in COSTS},
        places=(),
    )
    made = synthetic(2)
    return replace(made, formats={"q4": LEVELS["q4"]}, units=units, probes=(probe,))


def computed(profile: Profile, folder: Path, **settings: Any) -> Maps:
    profiles.write(profile, folder / "sens.json")
    return compute(folder / "sens.json", **settings)


@pytest.fixture
def maps(tmp_path: Path) -> Maps:
    return computed(typed(), tmp_path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Maps:
    """Four layers, two probes, two formats."""
    return computed(synthetic(4, formats=("q8", "q4")), tmp_path_factory.mktemp("large"))


def records(spec: Spec) -> list[Record]:
    return list(spec["datasets"][DATA])


# ---------------------------------------------------------------- numbers


def test_a_cell_of_the_heatmap_is_the_cost_of_its_unit(maps: Maps) -> None:
    (panel,) = charts.heatmaps(maps)
    found = {record["unit"]: record for record in records(panel)}
    assert {name: record["value"] for name, record in found.items()} == {
        "embed": 1, "layers.0.up": 1.5, "layers.0.down": 2, "layers.1.up": 1.5, "layers.1.down": 4, "head": 2
    }  # fmt: skip
    # 1, 2, 1, 2 has a standard deviation of 1/√3, so a standard error of 1/√12 and an interval of 3.182/√12 = 0.919 to each side.
    assert (found["layers.0.up"]["low"], found["layers.0.up"]["high"]) == (0.581, 2.42)
    assert (found["layers.1.down"]["row"], found["layers.1.down"]["column"]) == ("1", "down")
    assert (found["embed"]["row"], found["embed"]["column"]) == ("embed", "")


def test_a_mark_stands_only_where_an_interval_says_so(maps: Maps) -> None:
    marks = {cell.unit: cell.mark for cell in maps.probes[0].cells}
    assert marks == {
        "embed": Mark.NONE,
        "layers.0.up": Mark.NEIGHBOURS,  # differs from layer 1 by −1, 1, −1, 1
        "layers.0.down": Mark.NONE,  # differs from layer 1 by −2 in each sequence
        "layers.1.up": Mark.NEIGHBOURS,
        "layers.1.down": Mark.NONE,
        "head": Mark.NOTHING,  # 8, 0, 0, 0: 2 with a standard error of 2
    }
    (panel,) = charts.heatmaps(maps)
    assert {record["unit"]: record["mark"] for record in records(panel)} == {
        unit: str(mark) for unit, mark in marks.items()
    }


def test_a_layer_is_the_sum_of_its_units(maps: Maps) -> None:
    rows = {row.name: row.predicted for row in maps.probes[0].rows}
    assert [*rows] == ["embed", "0", "1", "head"]
    # Layer 0 costs 3, 4, 3, 4 nats: the errors of its units are added sequence by sequence.
    assert (rows["0"].value, rows["0"].low) == pytest.approx((3.5, 3.5 - 3.18245 / math.sqrt(12)), rel=1e-5)
    assert rows["1"].value == 5.5
    (panel,) = charts.bars(maps)
    assert {record["row"]: record["value"] for record in records(panel)} == {"embed": 1, "0": 3.5, "1": 5.5, "head": 2}


def test_the_ends_of_a_deep_model_are_named(tmp_path: Path) -> None:
    maps = computed(synthetic(24, formats=("q4",), probes=("numerical",), n_sequences=4), tmp_path)
    (panel,) = charts.bars(maps)
    axis, rows = (panel["layer"][0]["encoding"]["x"][name] for name in ("axis", "scale"))
    assert axis["values"] == ["embedding", *map(str, range(0, 24, 2)), "head"]
    assert [row for row in rows["domain"] if row.strip()] == ["embedding", *map(str, range(24)), "head"]


def test_an_axis_writes_all_its_numbers_in_one_way() -> None:
    def written(nats: float) -> set[str]:
        """The numbers beside the axis of costs, other than 0."""
        costs = {unit: {"q4": Cost.of([nats] * 4, [1] * 4)} for unit in COSTS}
        (probe,) = typed().probes
        with TemporaryDirectory() as folder:
            maps = computed(replace(typed(), probes=(replace(probe, predicted=costs),)), Path(folder))
        svg = vl_convert.vegalite_to_svg({**charts.bars(maps)[0], "width": 300})
        return {text for text in re.findall(r">([-\d.e]+)</text>", svg) if "." in text or "e" in text}

    assert written(1e-6) >= {"5e-7", "1e-6", "1.5e-6", "2e-6"}
    assert written(0.01) >= {"0.005", "0.01", "0.015", "0.02"}


def test_the_total_names_the_dearest_and_its_share(maps: Maps) -> None:
    (total,) = maps.probes[0].totals
    assert (total.predicted.value, total.dearest) == (12.0, "layers.1.down")
    assert total.share.value == pytest.approx(4 / 12)
    assert total.bits_per_weight == pytest.approx(
        8 * (6 * 50 + maps.profile.model.other_bytes) / maps.profile.model.n_parameters
    )


def test_predicted_stands_against_measured_where_both_are_known(tmp_path: Path) -> None:
    maps = computed(
        typed(measured={"layers.1.down": (2, 2, 2, 2), "embed": (1, 1, 1, 5), "head": (0, 0, 0, 0)}), tmp_path
    )
    found = {record["unit"]: record for record in records(charts.agreement(maps))}
    assert {name: (record["value"], record["m_value"]) for name, record in found.items()} == {
        "layers.1.down": (4, 2),
        "embed": (1, 2),
    }  # nothing has no logarithm
    assert (
        found["embed"]["m_low"] == 1
    )  # the interval reaches below 0, and the axis begins at the decade below the smallest cost
    assert "0 safe, 0 critical, 6 undecided" in render(maps)


def test_small_weights_with_much_information_stand_out(maps: Maps) -> None:
    """Magnitude ranks down, 1.down, 1.up, head, up, embed from below, and Fisher exactly so from above."""
    (probe,) = maps.probes
    assert {own.unit: (own.magnitude_rank, own.fisher_rank) for own in probe.ranked} == {
        "embed": (1, 6), "layers.0.up": (2, 5), "layers.0.down": (6, 1), "layers.1.up": (4, 3), "layers.1.down": (5, 2), "head": (3, 4)
    }  # fmt: skip
    assert probe.silent == ["layers.0.down", "layers.1.down"]
    assert probe.silence.value == pytest.approx(-1)
    tones = {record["unit"]: (record["tone"], record["label"]) for record in records(charts.fisher_map(maps))}
    assert tones["layers.0.down"] == ("silent", "layer 0 down")
    assert tones["embed"] == ("loud", "embed")
    assert tones["head"] == ("", "")


def test_what_stands_out_is_a_matter_of_ranks_and_not_of_room(tmp_path: Path) -> None:
    """The two units with the smallest weights have the most information; in a deep model they are a few pixels apart."""
    profile = synthetic(24, formats=("q4",), probes=("numerical",), n_sequences=4)
    names = [unit.name for unit in profile.units]
    units = tuple(replace(unit, magnitude=float(len(names) - place)) for place, unit in enumerate(profile.units))
    order = [*names[-2:][::-1], *names[:-2]]  # the last two units come first
    fisher = {name: float(len(names) - place) for place, name in enumerate(order)}
    (probe,) = profile.probes
    maps = computed(replace(profile, units=units, probes=(replace(probe, fisher=fisher),)), tmp_path)
    assert (maps.probes[0].silent, maps.probes[0].loud) == ([names[-1], names[-2]], [])
    found = {record["unit"]: record for record in records(charts.fisher_map(maps))}
    assert {unit for unit, record in found.items() if record["tone"]} == {*names[-2:]}
    assert min(charts.fisher_map(maps)["layer"][1]["encoding"]["y"]["axis"]["values"]) == 1


def test_no_name_covers_another() -> None:
    """Two points on one spot: the second name stands a line above the first, and a third that has no room anywhere is left out."""
    spot = [Point(100, 50, "ab")] * 2
    first, second = beside(spot, width=300)
    assert (first["label"], first["align"], first["dx"], first["dy"]) == ("ab", "left", 8, 0)
    assert (second["align"], second["dy"]) == ("right", 0)
    third = beside([*spot, Point(100, 50, "ab", is_left=True)], width=300)[2]
    assert (third["align"], third["dy"]) == ("right", -13)
    assert beside([Point(5, 50, "a long name")], width=40) == [NOWHERE]


def test_only_a_certain_difference_has_a_color(large: Maps) -> None:
    (panel,) = charts.differences(large)
    contrast = side_by_side(large.profile, "numerical", "knowledge", format="q4")
    certain = {own.unit: own.difference for own in contrast.units if own.is_certain}
    assert certain
    assert len(certain) < len(contrast.units)
    for record in records(panel):
        own = certain.get(record["unit"])
        assert record["mark"] == ("●" if own else "")
        assert record["shade"] == (round(100 * own.value, 2) if own else 0)
        assert (record["low"] >= 0 or record["high"] <= 0) == bool(own)  # to two digits


def test_statistics_are_those_of_layers_at_two_levels(large: Maps) -> None:
    place = next(place for place in large.profile.probes[0].places if place.name == "model.layers.2")
    panels = {panel["title"]["text"]: records(panel) for panel in charts.statistics(large)}
    assert len(panels) == 8
    (found,) = (
        record
        for record in panels["effective rank"]
        if (record["probe"], record["format"], record["layer"]) == ("numerical", "q4", 2)
    )
    expected = [place.activations[level].effective_rank for level in ("fp16", "q4")]
    assert [found["base"], found["lowered"]] == pytest.approx(expected, rel=1e-3)


def test_the_whole_model_stands_at_its_size(large: Maps) -> None:
    found = {(own["probe"], own["name"], own["how"]): own for own in records(charts.pareto(large))}
    assert len(found) == 8
    uniform = dict.fromkeys((unit.name for unit in large.profile.units), "q4")
    assert found["numerical", "q4", "measured"]["bits"] == round(large.profile.bits_per_weight(uniform), 4)
    lowered = large.profile.probes[0].lowered["q4"].value
    assert found["numerical", "q4", "measured"]["value"] == pytest.approx(lowered, rel=1e-2)


def test_mixes_stand_beside_their_controls(tmp_path: Path) -> None:
    """On two sequences of one token: the allocated mix costs 1 and 3 nats, the uniform one twice and the random one four times as much."""
    maps = computed(typed(), tmp_path)
    formats = dict.fromkeys(COSTS, "q4")
    nats = {"best": (1.0, 3.0), "best-uniform": (2.0, 6.0), "best-random-1": (4.0, 12.0)}
    mixes = tuple(
        MixCheck(
            name, formats, 1000.0, 4.5, {"numerical": (1.0, 1.0, 1.0, 1.0)}, {"numerical": 1.0}, {"numerical": measured}
        )
        for name, measured in nats.items()
    )
    text = Text("numerical", ("t",), tuple("abcd"), (1, 1, 1, 1), ("e", "f"), (1, 1), ())
    made = Validation(
        "0.1.0", "sens.json", maps.sha256, "nano", "ab", "module", 2, mixes, (text,), "best-uniform", 2.0, 0.95, "", ()
    )
    write_validation(made, tmp_path)
    maps = compute(tmp_path / "sens.json", [tmp_path / "validation.json"])
    sizes = {size.name: size for size in maps.sizes if size.role != "format"}
    assert {name: size.role for name, size in sizes.items()} == {
        "best": "allocated", "best-uniform": "control", "best-random-1": "control"
    }  # fmt: skip
    best, uniform = sizes["best"], sizes["best-uniform"]
    assert (best.predicted.value, best.measured.value, uniform.measured.value) == (1, 2, 4)
    assert uniform.to_allocated.value == 2
    labels = {own["label"] for own in records(charts.pareto(maps)) if own["role"] != "format"}
    assert labels == {"best", "best-uniform", ""}  # of the controls, the best
    assert "| best-uniform | numerical | 4.500 |" in markdown(maps)
    write_validation(replace(made, profile_sha256="other"), tmp_path)
    with pytest.raises(ProfileError, match="validates another profile"):
        compute(tmp_path / "sens.json", [tmp_path / "validation.json"])
    fewer = tuple(replace(mix, formats=dict.fromkeys(list(COSTS)[1:], "q4")) for mix in mixes)
    write_validation(replace(made, mixes=fewer), tmp_path)
    with pytest.raises(ProfileError, match="other units or probes than"):
        compute(tmp_path / "sens.json", [tmp_path / "validation.json"])


def validated(profile: Profile, sha256: str, format: str, *, n_sequences: int = 20, n_units: int = 1000) -> Validation:
    """Every unit of a profile at one format, on as many fresh sequences that are each a little harder or easier for it."""
    rng = np.random.default_rng(2)
    every = {unit.name: format for unit in profile.units}
    texts, scored = [], (10,) * n_sequences
    for probe in profile.probes:
        checks = []
        for unit in profile.units[:n_units]:
            cost = probe.predicted[unit.name][format].value
            nats = tuple(10 * cost * rng.gamma(30, 1 / 30, n_sequences))
            checks.append(UnitCheck(unit.name, format, cost, nats))
        fresh = tuple(f"fresh/{number}" for number in range(n_sequences))
        texts.append(Text(probe.name, probe.tasks, probe.items, probe.scored, fresh, scored, tuple(checks)))
    old = {probe.name: (1.0,) * probe.n_sequences for probe in profile.probes}
    one = {probe.name: 1.0 for probe in profile.probes}
    new = {probe.name: (1.0,) * n_sequences for probe in profile.probes}
    mixes = tuple(MixCheck(name, every, 1000.0, 4.0, old, one, new) for name in ("best", "best-uniform"))
    return Validation(
        "0.1.0", "sens.json", sha256, "nano", "ab", "module", 2, mixes, tuple(texts), "best-uniform", 2.0, 0.95, "", ()
    )


def test_a_validation_that_measured_every_unit_is_what_the_verdicts_rest_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = synthetic(6, formats=("q8", "q4"), probes=("numerical",), is_measured=False)
    before = computed(profile, tmp_path)
    assert {own.standing for own in before.probes[0].advice.advice} == {Standing.UNDECIDED}
    for n_sequences in (8, 20):
        made = validated(profile, before.sha256, "q4", n_sequences=n_sequences)
        write_validation(made, tmp_path / str(n_sequences))
    files = [tmp_path / "8" / "validation.json", tmp_path / "20" / "validation.json"]
    after = compute(tmp_path / "sens.json", files)
    advice = after.probes[0].advice
    assert (advice.source, advice.evidence.correlation.n) == ("freshly measured", len(profile.units))
    assert {own.standing for own in advice.advice} == set(Standing)
    # Shares are those of the longer text, by hand.
    total, saved = 0.0, 0.0
    for unit, check in zip(profile.units, made.texts[0].units, strict=True):
        total, saved = total + sum(check.measured), saved + unit.full_bytes - unit.bytes["q4"]
    dearest, check = profile.units[0], made.texts[0].units[0]
    share = sum(check.measured) / (dearest.full_bytes - dearest.bytes["q4"]) / (total / saved)
    assert next(own for own in advice.advice if own.unit == dearest.name).share.value == pytest.approx(share)
    assert "those measured on fresh text" in wording.evidence(after.probes[0])
    assert any("by freshly measured costs" in sentence for sentence in wording.findings(after))
    # The terminal says the same.
    wanted = [argument for file in files for argument in ("--validation", str(file))]
    assert main(["sensitivity", "show", str(tmp_path / "sens.json"), *wanted]) == 0
    assert str(advice) in capsys.readouterr().out
    # One that left a unit out, or looked at another format, checks nothing.
    for other in (validated(profile, before.sha256, "q8"), validated(profile, before.sha256, "q4", n_units=9)):
        write_validation(other, tmp_path)
        (probe,) = compute(tmp_path / "sens.json", [tmp_path / "validation.json"]).probes
        assert not probe.advice.evidence.is_checked


def test_the_headline_says_why_nothing_was_checked(tmp_path: Path) -> None:
    costs = {name: COSTS[name] for name in ("embed", "head", "layers.0.up")}
    maps = computed(typed(measured=costs), tmp_path)
    assert (
        "At q4 on numerical: Only 3 of 6 units were measured, and an order is checked by at least 5; measure them with qbench sensitivity "
        "--measure all, or on fresh text with qbench sensitivity validate. No verdict is given."
    ) in wording.findings(maps)


def test_a_mix_stands_where_it_is_expected(tmp_path: Path) -> None:
    """Whole formats whose units add up to 10 and 1 nats a token cost 20 and 1, so a mix that adds up to √10 is expected to cost √20."""
    nats = {"q4": (1.0, 1.0), "q3": (10.0, 20.0)}
    profile = synthetic(2, formats=(*nats,), probes=("numerical",), n_sequences=4, is_measured=False)
    (probe,) = profile.probes
    made = replace(
        probe,
        scored=(1,) * 4,
        predicted={
            unit: {name: Cost.of([alone / len(profile.units)] * 4, [1] * 4) for name, (alone, _) in nats.items()}
            for unit in probe.predicted
        },
        lowered={name: Cost.of([measured] * 4, [1] * 4) for name, (_, measured) in nats.items()},
    )
    maps = computed(replace(profile, probes=(made,)), tmp_path)
    alone, expected = math.sqrt(10), math.sqrt(20)
    formats = dict.fromkeys(probe.predicted, "q4")
    mix = MixCheck(
        "best", formats, 9.0, 4.5, {"numerical": (alone,) * 4}, {"numerical": expected}, {"numerical": (4.0, 5.0)}
    )
    text = Text("numerical", ("t",), tuple("abcd"), (1, 1, 1, 1), ("e", "f"), (1, 1), ())
    write_validation(
        Validation(
            "0.1.0", "sens.json", maps.sha256, "nano", "ab", "module", 2, (mix,), (text,), "", 2.0, 0.95, "", ()
        ),
        tmp_path,
    )
    maps = compute(tmp_path / "sens.json", [tmp_path / "validation.json"])
    (size,) = (size for size in maps.sizes if size.role != "format")
    assert (size.expected.value, size.expected.low, size.expected.high) == pytest.approx((expected,) * 3)
    assert size.ratio.value == pytest.approx(4.5 / expected)
    shown = {own["how"]: own["value"] for own in records(charts.pareto(maps)) if own["role"] == "allocated"}
    assert shown == {"measured": 4.5, "expected": 4.47, "sum of its units": 3.16}
    assert {own["how"] for own in records(charts.pareto(maps)) if own["role"] == "format"} == {
        "measured",
        "sum of its units",
    }
    assert "| 3.16 [3.2, 3.2] | 4.47 [4.5, 4.5] | 4.50 " in markdown(maps)


def test_units_that_share_a_layer_and_a_kind_have_columns_of_their_own() -> None:
    def unit(name: str, layer: int | None, kind: str) -> Unit:
        return Unit(name, (name,), layer, kind, 1, 2.0, {}, 0.1, {}, {})

    experts = [unit(f"layers.{layer}.experts.{n}.w1", layer, "w1") for layer in (0, 1) for n in (0, 1)]
    layout = lay_out(
        [unit("tok", None, "embedding"), unit("pos", None, "embedding"), *experts, unit("lm", None, "head")]
    )
    assert layout.spots["layers.1.experts.1.w1"] == Spot("1", "layers.#.experts.1.w1")
    assert layout.columns == ("layers.#.experts.0.w1", "layers.#.experts.1.w1")
    assert (layout.before, layout.after) == (("tok", "pos"), ("head",))
    assert layout.rows == ("tok", "pos", "0", "1", "head")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.0123"),
        (1.2345e-5, "1.23e-5"),
        (-0.5, "−0.500"),
        (6.0, "6.00"),
        (123.4, "123"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_a_number_has_three_digits_whatever_its_size(value: float, text: str) -> None:
    assert figure(value) == text


# ---------------------------------------------------------------- files


def test_what_is_not_known_is_a_dash(tmp_path: Path) -> None:
    profile = synthetic(2, formats=("q4",), probes=("numerical",), is_measured=False)
    probe = profile.probes[0]
    nothing = {unit: dict.fromkeys(row, Cost.missing()) for unit, row in probe.predicted.items()}
    maps = computed(replace(profile, probes=(replace(probe, predicted=nothing, places=()),)), tmp_path)
    for text in (markdown(maps), render(maps).split("<script")[0]):
        assert "nan" not in text.lower().replace("nano", "")
        assert "–" in text


def test_a_name_in_a_sentence_is_no_link_and_an_interval_is_none_either(tmp_path: Path) -> None:
    made = synthetic(2, formats=("q4",), probes=("[x](https://evil.example)",))
    (finding, *_) = re.findall(r"^\* At q4 on .*", markdown(computed(made, tmp_path)), flags=re.MULTILINE)
    assert r"on \[x\](https\://evil.example), " in finding
    assert re.search(r" \[\d\.\d+, \d\.\d+\] nats", finding)


def test_a_single_sequence_has_no_end_to_draw_and_no_plural(tmp_path: Path) -> None:
    maps = computed(synthetic(2, formats=("q8", "q4"), n_sequences=1), tmp_path)
    assert all(record["low"] is None for record in records(charts.pareto(maps)) + records(charts.agreement(maps)))
    assert "1 sequence," in render(maps)
    assert "1 sequences" not in render(maps) + markdown(maps)


def test_the_tables_have_every_unit_and_say_where_they_come_from(large: Maps) -> None:
    text = markdown(large)
    for unit in large.profile.units:
        assert f"| {unit.name} |" in text
    for words in (
        "demonstration model",
        "16 sequences",
        "seed 0",
        "q4 (4 bits, groups of 64",
        large.sha256[:16],
        "fedcba98",
    ):
        assert words in text
        assert words in render(large)


def test_every_figure_is_a_pdf_and_an_svg(tmp_path: Path) -> None:
    profile = synthetic(2, formats=("q8", "q4"), n_sequences=6)
    profiles.write(profile, tmp_path / "sens.json")
    made = report(tmp_path / "sens.json", formats=["figures"], out=tmp_path / "maps")
    names = {path.stem for path in made.paths}
    kinds = ("heatmap", "layers", "agreement", "fisher", "pareto", "statistics")
    assert names == {f"{kind}_{probe}" for kind in kinds for probe in ("numerical", "knowledge")} | {
        "difference_numerical_knowledge"
    }
    for path in made.paths:
        content = path.read_bytes()
        assert content.startswith(b"%PDF" if path.suffix == ".pdf" else b"<svg")
    heatmap = (tmp_path / "maps" / "figures" / "heatmap_numerical.svg").read_text(encoding="utf-8")
    assert all(f">{word}<" in heatmap for word in ("q8", "q4", "down_proj", "embedding", "head"))


def test_the_command_writes_beside_the_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profiles.write(typed(), tmp_path / "sens.json")
    assert main(["sensitivity", "report", str(tmp_path / "sens.json")]) == 0
    shown = capsys.readouterr().out
    assert "layer 1 down costs the most: 4.00 [4.0, 4.0] nats a token" in shown
    for name in ("sensitivity.html", "sensitivity.md"):
        assert str(tmp_path / "sens-maps" / name) in shown
        assert (tmp_path / "sens-maps" / name).is_file()


def test_a_format_or_confidence_that_there_is_not_is_refused(tmp_path: Path) -> None:
    profiles.write(typed(), tmp_path / "sens.json")
    with pytest.raises(QBenchError, match=r"no format 'htlm'\. Did you mean html\?"):
        report(tmp_path / "sens.json", formats=["htlm"])
    with pytest.raises(QBenchError, match="between 0 and 1"):
        report(tmp_path / "sens.json", confidence=95)
    with pytest.raises(QBenchError, match="no format 'q7'"):
        report(tmp_path / "sens.json", format="q7")
    assert [path.name for path in tmp_path.iterdir()] == ["sens.json"]


# ---------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, large: Maps) -> Path:
    """The page of a plain profile, and of one whose every name is hostile."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "plain.html").write_text(render(large), encoding="utf-8")
    own = large.profile
    names = {unit.name: f"{HOSTILE}.{number}" for number, unit in enumerate(own.units)}

    def renamed(table: Mapping[str, Any]) -> dict[str, Any]:
        return {names[unit]: value for unit, value in table.items()}

    hostile = replace(
        own,
        model=replace(own.model, name=HOSTILE),
        units=tuple(
            replace(unit, name=names[unit.name], modules=(names[unit.name],), kind=f"{unit.kind}{HOSTILE}")
            for unit in own.units
        ),
        probes=tuple(
            replace(
                probe,
                name=probe.name + HOSTILE,
                tasks=(HOSTILE,),
                predicted=renamed(probe.predicted),
                measured=renamed(probe.measured),
                restored=renamed(probe.restored),
                fisher=renamed(probe.fisher),
                gradient=renamed(probe.gradient),
                signed=renamed(probe.signed),
            )
            for probe in own.probes
        ),
    )
    (folder / "hostile.html").write_text(render(computed(hostile, folder)), encoding="utf-8")
    return folder


def show(chromium: WebDriver, path: Path, theme: str = "light") -> WebDriver:
    feature = {"name": "prefers-color-scheme", "value": theme}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    chromium.get(path.as_uri())
    until(lambda: chromium.execute_script("return document.body.dataset.theme") == theme)
    return chromium


def test_it_draws_every_figure_without_a_complaint(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder / "plain.html")
    drawn = {own.get_attribute("data-chart") for own in page.find_elements(By.CSS_SELECTOR, "[data-chart]:has(svg)")}
    assert drawn == set(charts.FIGURES)
    assert len(page.find_elements(By.CSS_SELECTOR, "[data-chart=heatmaps] svg")) == 2
    assert complaints(page) == []


def test_figures_follow_their_menus(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder / "plain.html")

    def cells() -> str:
        found = "return document.querySelector('[data-chart=heatmaps] .mark-rect')?.innerHTML"
        return str(page.execute_script(found))

    for menu, value in (("probe", "knowledge"), ("colors", "shared")):
        before = cells()
        Select(page.find_element(By.ID, f"heatmaps-{menu}")).select_by_value(value)
        until(lambda before=before: cells() not in (before, "None"))  # type: ignore[misc]
    assert complaints(page) == []


def test_a_figure_says_what_its_menus_chose(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder / "plain.html")
    said = page.find_element(By.CSS_SELECTOR, "#statistics .name")
    assert said.text == "probe: numerical · format: q4"
    Select(page.find_element(By.ID, "statistics-probe")).select_by_value("knowledge")
    Select(page.find_element(By.ID, "statistics-format")).select_by_value("q8")
    until(lambda: said.text == "probe: knowledge · format: q8")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not page.find_element(By.ID, "statistics-probe").is_displayed()
        assert said.text.endswith("Printed as chosen on the page from probe numerical, knowledge; format q8, q4.")
    finally:
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_every_table_names_its_probe(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder / "plain.html")
    for place in (".glance", "#advice", "#numbers"):
        above = page.find_element(By.CSS_SELECTOR, f"{place} .name")
        folded = [own.text for own in page.find_elements(By.CSS_SELECTOR, f"{place} > details > summary")]
        assert "numerical" in above.text
        assert any("knowledge" in text for text in folded)


def test_paper_shows_what_is_folded(chromium: WebDriver, folder: Path) -> None:
    """And what a reader had opened stays open."""
    page = show(chromium, folder / "plain.html")

    def is_open() -> list[bool]:
        return [own.get_property("open") for own in page.find_elements(By.TAG_NAME, "details")]  # type: ignore[misc]

    page.execute_script("document.querySelector('details').open = true; window.dispatchEvent(new Event('beforeprint'))")
    assert all(is_open())
    page.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert is_open() == [True, *[False] * (len(is_open()) - 1)]


def test_a_page_of_one_sequence_draws_without_a_complaint(chromium: WebDriver, tmp_path: Path) -> None:
    maps = computed(synthetic(2, formats=("q4",), probes=("numerical",), n_sequences=1), tmp_path)
    (tmp_path / "one.html").write_text(render(maps), encoding="utf-8")
    page = show(chromium, tmp_path / "one.html")
    assert page.find_elements(By.CSS_SELECTOR, "#layers svg .mark-rect")
    assert page.find_elements(By.TAG_NAME, "select") == page.find_elements(
        By.ID, "heatmaps-colors"
    )  # nothing else to choose
    assert complaints(page) == []


def test_a_dark_page_and_a_phone_show_the_same(chromium: WebDriver, folder: Path) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for name in ("plain", "hostile"):
            page = show(chromium, folder / f"{name}.html", theme="dark")
            assert page.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
            assert complaints(page) == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_are_text(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder / "hostile.html")
    assert page.execute_script("return window.pwned ?? null") is None
    assert page.find_elements(By.CSS_SELECTOR, "main img, main table b, header img, header b") == []
    assert HOSTILE in page.find_element(By.TAG_NAME, "h1").text
    assert complaints(page) == []


def test_a_profile_of_one_sequence_is_drawn_without_intervals(tmp_path: Path) -> None:
    made = synthetic(2, formats=("q8", "q4"), n_sequences=1)
    path = tmp_path / "one.json"
    profiles.write(made, path)
    report(path, out=tmp_path / "maps", formats=("html", "md"))
    said = (tmp_path / "maps" / "sensitivity.md").read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b", said)
    assert "No unit has a share: there is a single sequence." in said
    assert not re.search(r"\bnan\b", contrasts.show(made))
