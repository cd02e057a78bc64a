"""The sensitivity profile on disk: what is written is what is read, and a damaged file is one sentence."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qbench import profiles
from qbench.errors import ProfileError
from qbench.levels import LEVELS
from qbench.profiles import Activations, Attention, Cost, Model, Place, Probe, Profile, Unit

FORMATS = {name: LEVELS[name] for name in ("q8", "q4")}


def handmade() -> Profile:
    """Two units, two formats, one probe of four sequences."""
    scored = (3, 1, 2, 2)
    cost = Cost.of([0.3, 0.2, 0.5, 0.6], scored)
    units = tuple(
        Unit(
            name=name,
            modules=(name,),
            layer=layer,
            kind=kind,
            n_weights=128,
            full_bytes=256.0,
            bytes={"q8": 134.0, "q4": 69.0},
            magnitude=0.02,
            relative_error={"q8": 0.01, "q4": 0.1},
            squared_error={"q8": 1e-6, "q4": 1e-4},
        )
        for name, layer, kind in (("embed", None, "embedding"), ("layers.0.mlp.up_proj", 0, "up_proj"))
    )
    names = [unit.name for unit in units]
    missing = {name: {format: Cost.missing() for format in FORMATS} for name in names}
    looks = Activations(0.1, -0.02, 0.9, 3.5, 17.2)
    probe = Probe(
        name="numerical",
        tasks=("qbench_numerical_arithmetic",),
        responses="reference",
        split="validation",
        sha256="ab",
        items=tuple("abcd"),
        scored=scored,
        n_tokens=40,
        n_left_out=0,
        predicted={name: {"q8": cost, "q4": cost} for name in names},
        measured=missing,
        restored=missing,
        lowered={format: Cost.missing() for format in FORMATS},
        fisher=dict.fromkeys(names, 1e-5),
        gradient=dict.fromkeys(names, 1e-3),
        signed={name: {"q8": 1e-6, "q4": 1e-4} for name in names},
        places=(Place("layers.0", 0, {"fp16": looks, "q8": looks}, {"fp16": Attention(1.2, 0.4, math.nan)}),),
    )
    model = Model("nano", "cd", n_parameters=300, other_bytes=88.0)
    return Profile("0.1.0", model, "module", FORMATS, seed=0, draws=4, units=units, probes=(probe,))


def test_a_cost_is_a_ratio_of_sums_with_the_error_of_one() -> None:
    """0.3 + 0.2 + 0.5 + 0.6 = 1.6 nats over 8 tokens; residuals by hand: -0.3, 0, 0.1, 0.2."""
    cost = Cost.of([0.3, 0.2, 0.5, 0.6], [3, 1, 2, 2])
    assert cost.value == pytest.approx(0.2)
    assert cost.standard_error == pytest.approx(math.sqrt(4 / 3 * 0.14) / 8)
    assert cost.halves == pytest.approx((0.8 / 5, 0.8 / 3))
    assert Cost.of([0.3], [3]).halves[0] == pytest.approx(0.1)
    assert math.isnan(Cost.of([0.3], [3]).standard_error)


def test_a_model_that_overflows_has_no_cost() -> None:
    assert Cost.of([0.3, math.nan], [3, 1]).is_missing
    assert Cost.of([0.3, math.inf], [3, 1]).sequences == ()


def test_the_error_is_how_far_another_draw_lands() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(5, 60, size=(4000, 64))
    nats = counts * rng.gamma(2.0, 0.1, size=counts.shape)
    costs = [Cost.of(own, scored) for own, scored in zip(nats, counts, strict=True)]
    spread = np.std([cost.value for cost in costs])
    assert np.mean([cost.standard_error for cost in costs]) == pytest.approx(spread, rel=0.05)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sens.json"
    profiles.write(handmade(), path)
    again = profiles.read(path)
    assert again.probe("numerical").measured["embed"]["q4"].is_missing
    assert again.probe("numerical").predicted == handmade().probe("numerical").predicted
    assert again.formats == FORMATS
    written = path.read_bytes()
    profiles.write(again, path)
    assert path.read_bytes() == written
    assert b"NaN" not in written


def test_storage_is_that_of_the_units_and_of_the_rest() -> None:
    profile = handmade()
    assert profile.storage_bytes({}) == 256 + 256 + 88
    assert profile.storage_bytes({"embed": "q4", "layers.0.mlp.up_proj": "q8"}) == 69 + 134 + 88
    assert profile.bits_per_weight({}) == 8 * 600 / 300


def test_an_unknown_probe_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ProfileError, match="no probe 'logic'; it has numerical"):
        handmade().probe("logic")


def test_a_profile_that_contradicts_itself_is_not_written(tmp_path: Path) -> None:
    profile = handmade()
    twice = replace(profile, units=(profile.units[0], profile.units[0]))
    with pytest.raises(ProfileError, match="twice"):
        profiles.write(twice, tmp_path / "sens.json")
    assert not list(tmp_path.iterdir())


def damaged(path: Path) -> list[tuple[str, str]]:
    """A word of the expected sentence, and a file that a killed copy, another program or a bad editor leaves behind."""
    profiles.write(handmade(), path)
    whole = path.read_text(encoding="utf-8")
    content = json.loads(whole)

    def changed(*keys: str | int, to: object) -> str:
        copy = json.loads(whole)
        target = copy
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = to
        return json.dumps(copy)

    probe = ("probes", 0)
    return [
        ("cannot be read", whole[:200]),
        ("cannot be read", ""),
        ("cannot be read", "[]"),
        ("cannot be read", "null"),
        ("cannot be read", "[" * 100_000),
        ("not JSON", whole.replace("0.02", "NaN")),
        ("schema version 99", json.dumps(content | {"schema_version": 99})),
        ("nothing else", json.dumps(content | {"extra": 1})),
        ("units", changed("units", to=7)),
        ("must be a whole number, not", changed("units", 0, "n_weights", to="many")),
        ("must be a whole number, not", changed("units", 0, "n_weights", to=True)),
        ("no size", changed("units", 0, "n_weights", to=-1)),
        ("no size", changed("units", 0, "bytes", "q4", to=None)),
        ("other formats", changed("units", 0, "bytes", to={"q4": 1.0})),
        ("bits must be 2 to 8", changed("formats", "q4", "bits", to=77)),
        ("stored as", changed("formats", "q4", "name", to="q5")),
        ("cost for every unit", changed(*probe, "predicted", "embed", to={})),
        ("negative", changed(*probe, "predicted", "embed", "q4", "value", to=-1.0)),
        ("number of sequences", changed(*probe, "predicted", "embed", "q4", "sequences", to=[1.0])),
        ("without scored tokens", changed(*probe, "scored", to=[3, 0, 2, 2])),
        ("kind 'atom'", changed("unit", to="atom")),
        ("lacks", changed(*probe, "fisher", to={})),
        ("model has no size", changed("model", "n_parameters", to=0)),
        ("model has no size", changed("model", "other_bytes", to=None)),
        ("no modules", changed("units", 0, "modules", to=[])),
        ("value without its sequences", changed(*probe, "predicted", "embed", "q4", "sequences", to=[])),
        ("value without its sequences", changed(*probe, "lowered", "q4", "value", to=1.0)),
        ("sequences without a value", changed(*probe, "predicted", "embed", "q4", "value", to=None)),
        ("sequences without", changed(*probe, "predicted", "embed", "q4", "sequences", to=[0.3, None, 0.5, 0.6])),
        ("beyond all numbers", whole.replace("88.0", "1e400")),
        ("beyond all numbers", whole.replace("88.0", "9" * 400)),
    ]


def test_a_damaged_file_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "sens.json"
    for word, text in damaged(path):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ProfileError) as caught:
            profiles.read(path)
        assert word in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    for content, why in (
        (b"\xff\xfe\x00", r"it is not UTF-8 text"),
        (b"{}", r"it has no schema_version"),
        (b'{"a":', r"it is not JSON from line 1, column 6 on"),
    ):
        path.write_bytes(content)
        with pytest.raises(ProfileError, match=rf"cannot be read as a sensitivity profile \({why}\)"):
            profiles.read(path)
    with pytest.raises(ProfileError, match="is a folder; name the sensitivity profile in it"):
        profiles.read(tmp_path)
    with pytest.raises(ProfileError, match="There is no"):
        profiles.read(tmp_path / "none.json")
