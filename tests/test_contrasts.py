"""Profiles laid side by side: differences that hold by hand, noise that is told from difference, tables that are Markdown."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_ind
from test_profiles import handmade

from qbench import profiles
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.contrasts import (
    contrast_table,
    magnitude_table,
    rankings,
    rankings_table,
    reliability,
    show,
    side_by_side,
)
from qbench.errors import ProfileError
from qbench.maps.compute import compute
from qbench.profiles import Cost, Probe, Profile

N_UNITS = 12


def profile_of(*needs: np.ndarray, n_sequences: int = 64, noise: float = 0.3) -> Profile:
    """A profile with a probe for each list of what the units need, every sequence the need times a noise of its own."""
    base = handmade()
    units = tuple(replace(base.units[1], name=f"layers.{i}", modules=(f"layers.{i}",), layer=i) for i in range(N_UNITS))
    names = [unit.name for unit in units]
    rng = np.random.default_rng(3)
    scored = (10,) * n_sequences
    probes: list[Probe] = []
    for position, need in enumerate(needs):
        nats = need[:, None] * rng.gamma(1 / noise**2, noise**2, size=(N_UNITS, n_sequences))
        missing = {name: {format: Cost.missing() for format in base.formats} for name in names}
        probes.append(
            replace(
                base.probes[0],
                name=f"probe{position}",
                items=tuple(map(str, range(n_sequences))),
                scored=scored,
                predicted={
                    name: {"q8": Cost.of((row / 100).tolist(), scored), "q4": Cost.of(row.tolist(), scored)}
                    for name, row in zip(names, nats, strict=True)
                },
                measured=missing,
                restored=missing,
                fisher=dict(zip(names, need[::-1].tolist(), strict=True)),
                gradient=dict.fromkeys(names, 1.0),
                signed={name: {"q8": 1.0, "q4": 1.0} for name in names},
            )
        )
    return replace(base, units=units, probes=tuple(probes))


NEEDS = np.linspace(1, 3, N_UNITS)


def test_a_difference_of_shares_is_found_where_it_is_and_nowhere_else() -> None:
    other = NEEDS.copy()
    other[4] *= 2
    found = side_by_side(profile_of(NEEDS, other), "probe0", "probe1")
    assert found.units[0].unit == "layers.4"
    assert found.units[0].is_certain
    assert found.units[0].difference.value == pytest.approx(NEEDS[4] / NEEDS.sum() - other[4] / other.sum(), abs=0.02)
    same = side_by_side(profile_of(NEEDS, NEEDS), "probe0", "probe1")
    assert not any(own.is_certain for own in same.units)
    assert same.correlation.value > same.ceiling - 0.1


def test_the_interval_of_a_difference_is_welchs() -> None:
    """Where all sequences cost the same in sum, a share is a plain mean, and scipy's unequal-variance interval is ours."""
    base = profile_of(NEEDS, NEEDS)
    rng = np.random.default_rng(8)
    shares = [rng.uniform(0.05, 0.1, size=64), rng.uniform(0.02, 0.2, size=64)]
    probes = []
    for probe, share in zip(base.probes, shares, strict=True):
        rest = (1 - share) / (N_UNITS - 1)
        predicted = {
            unit.name: {format: Cost.of((share if i == 0 else rest).tolist(), probe.scored) for format in ("q8", "q4")}
            for i, unit in enumerate(base.units)
        }
        probes.append(replace(probe, predicted=predicted))
    confidence = 0.9**N_UNITS  # of all units at once, so that each has 90 %
    found = side_by_side(replace(base, probes=tuple(probes)), "probe0", "probe1", confidence=confidence)
    own = next(unit for unit in found.units if unit.unit == "layers.0")
    expected = ttest_ind(*shares, equal_var=False).confidence_interval(0.9)
    assert own.difference.interval == pytest.approx((expected.low, expected.high), rel=1e-3)


def test_the_ceiling_is_what_two_draws_of_the_same_text_reach() -> None:
    noisy = [profile_of(NEEDS, NEEDS, noise=1.0, n_sequences=16)]
    found = [side_by_side(profile, "probe0", "probe1") for profile in noisy]
    assert found[0].ceiling < 0.95
    halves = np.array([noisy[0].probes[0].predicted[f"layers.{i}"]["q4"].halves for i in range(N_UNITS)])
    r = spearmanr(halves[:, 0], halves[:, 1]).statistic
    assert r > 0
    assert reliability(noisy[0], noisy[0].probes[0], "q4") == pytest.approx(2 * r / (1 + r))


def test_rankings_are_held_against_what_was_predicted_where_nothing_was_measured() -> None:
    found = {own.name: own for own in rankings(profile_of(NEEDS), profile_of(NEEDS).probes[0], "q4")}
    assert found["depth"].with_predicted.value > 0.9
    assert found["diagonal Fisher"].with_predicted.value < -0.9
    assert np.isnan(found["depth"].with_measured.value)


def test_what_is_shown_is_markdown_that_a_terminal_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = profile_of(NEEDS, NEEDS[::-1])
    profiles.write(profile, tmp_path / "sens.json")
    assert main(["sensitivity", "show", str(tmp_path / "sens.json"), "--format", "q8"]) == 0
    shown = capsys.readouterr().out
    assert "probe0 against probe1 at q8" in shown
    tables = [block for block in shown.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 7
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert len({len(line) for line in table.splitlines()}) == 1
    assert str(contrast_table(side_by_side(profile, "probe0", "probe1", format="q8"))) in shown


def test_what_cannot_be_contrasted_is_one_sentence() -> None:
    profile = profile_of(NEEDS, NEEDS)
    for names, sentence in ((("probe0", "probe0"), "beside itself"), (("probe0", "probe7"), "no probe 'probe7'")):
        with pytest.raises(ProfileError, match=sentence):
            side_by_side(profile, *names)
    with pytest.raises(ProfileError, match="two probes, not of 3"):
        show(profile, contrast=("a", "b", "c"))
    with pytest.raises(ProfileError, match="no format 'q5'"):
        show(profile, format="q5")


def intervals(shown: str) -> list[str]:
    return re.findall(r"\[[^\]]*\d[^\]]*\]", shown)


def test_every_interval_that_is_shown_has_the_confidence_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = profile_of(NEEDS, NEEDS[::-1])
    measured = tuple(replace(probe, measured=probe.predicted) for probe in profile.probes)
    profiles.write(replace(profile, probes=measured), tmp_path / "sens.json")
    shown = []
    for confidence in ("0.95", "0.5"):
        assert main(["sensitivity", "show", str(tmp_path / "sens.json"), "--confidence", confidence]) == 0
        shown.append(intervals(capsys.readouterr().out))
    wide, narrow = shown
    assert (
        len(wide) == len(narrow) > 50
    )  # ways to rank, magnitude against Fisher, the contrast, verdicts and their evidence
    assert [pair for pair in zip(wide, narrow, strict=True) if pair[0] == pair[1]] == []


@pytest.mark.parametrize("command", ["show", "validate", "report"])
@pytest.mark.parametrize("confidence", ["95", "1", "0", "-1", "nan"])
def test_a_confidence_that_no_interval_has_is_one_sentence_before_any_work(
    command: str, confidence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles.write(profile_of(NEEDS), tmp_path / "sens.json")
    mix = [str(tmp_path / "none.yaml")] if command == "validate" else []
    given = ["sensitivity", command, str(tmp_path / "sens.json"), *mix, f"--confidence={confidence}"]
    assert main(given) == EXIT_BAD_INPUT
    said = capsys.readouterr()
    assert said.err.startswith("qbench: confidence must lie between 0 and 1, not ")
    assert not said.out


def test_the_page_and_the_terminal_have_one_number(tmp_path: Path) -> None:
    profile = profile_of(NEEDS)
    rng = np.random.default_rng(4)
    probe = replace(profile.probes[0], fisher={unit.name: float(rng.normal()) for unit in profile.units})
    units = tuple(replace(unit, magnitude=float(rng.lognormal())) for unit in profile.units)
    made = replace(profile, units=units, probes=(probe,))
    profiles.write(made, tmp_path / "sens.json")
    (drawn,) = compute(tmp_path / "sens.json", confidence=0.9).probes
    expected = spearmanr([unit.magnitude for unit in units], [*probe.fisher.values()]).statistic
    assert drawn.silence.value == pytest.approx(float(expected))
    low, high = drawn.silence.interval
    note = magnitude_table(made, probe, confidence=0.9).note
    assert f"{drawn.silence.value:+.2f} [{low:+.2f}, {high:+.2f}] over 12 units" in note


def test_a_table_says_over_how_many_units_a_correlation_is() -> None:
    profile = profile_of(NEEDS)
    probe = profile.probes[0]
    few = {name: row if i < 7 else probe.measured[name] for i, (name, row) in enumerate(probe.predicted.items())}
    table = rankings_table(profile, replace(probe, measured=few), "q4")
    assert table.heads == ("ranked by", "with measured cost, 7 units", "with predicted cost, 12 units")


# ---------------------------------------------------------------- what a profile may lack


def with_costs(profile: Profile, change: Mapping[str, Cost], format: str = "q4") -> Profile:
    """The first probe with other predicted costs of some units."""
    first, *others = profile.probes
    predicted = {
        name: row | ({format: change[name]} if name in change else {}) for name, row in first.predicted.items()
    }
    return replace(profile, probes=(replace(first, predicted=predicted), *others))


def shown(profile: Profile, folder: Path) -> str:
    """What the terminal and the maps say."""
    profiles.write(profile, folder / "sens.json")
    assert main(["sensitivity", "report", str(folder / "sens.json"), "--out", str(folder / "maps")]) == 0
    return show(profile) + (folder / "maps" / "sensitivity.md").read_text(encoding="utf-8")


def test_a_prediction_that_is_missing_is_a_dash_and_leaves_no_share(tmp_path: Path) -> None:
    profile = with_costs(profile_of(NEEDS, NEEDS), {"layers.3": Cost.missing()})
    found = side_by_side(profile, "probe0", "probe1")
    assert all(np.isnan(own.shares[0].value) and np.isnan(own.difference.value) for own in found.units)
    assert found.correlation.n == N_UNITS - 1  # the order of the others is known
    said = shown(profile, tmp_path)
    assert "On probe0 no unit has a share of the cost at q4: not every unit has a cost." in said
    assert re.search(r"layers\.3 +\| +– \| +– \|", said)
    assert f"At q4 on probe0, a predicted cost is missing for 1 of {N_UNITS} modules" in said
    assert "nan" not in said.replace("nano", "")


def test_costs_of_nothing_have_no_share(tmp_path: Path) -> None:
    base = profile_of(NEEDS, NEEDS)
    nothing = Cost.of([0.0] * 64, base.probes[0].scored)
    profile = with_costs(base, {unit.name: nothing for unit in base.units})
    assert "On probe0 no unit has a share of the cost at q4: together they cost nothing." in shown(profile, tmp_path)


def test_halves_that_contradict_each_other_leave_a_ceiling_of_0(tmp_path: Path) -> None:
    base = profile_of(NEEDS, NEEDS)
    turned = {
        unit.name: replace(base.probes[0].predicted[unit.name]["q4"], halves=(1.0 + i, 20.0 - i))
        for i, unit in enumerate(base.units)
    }
    profile = with_costs(base, turned)
    assert reliability(profile, profile.probes[0], "q4") == 0  # their rank correlation is -1
    assert side_by_side(profile, "probe0", "probe1").ceiling == 0
    assert "noise alone would leave 0.00." in shown(profile, tmp_path)


def test_a_ceiling_that_is_not_known_is_a_dash() -> None:
    profile = profile_of(NEEDS, NEEDS, n_sequences=1)
    table = contrast_table(side_by_side(profile, "probe0", "probe1"))
    assert "noise alone would leave –. On probe0 no unit has a share of the cost at q4: there is a single" in table.note
