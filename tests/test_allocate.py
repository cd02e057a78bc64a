"""The best mix under a budget: the optimum by brute force, sizes that are kept to the bit, and a file that gives back what was chosen."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qbench import profiles
from qbench.allocate import Allocation, allocate
from qbench.allocate.files import controls_beside
from qbench.allocate.rules import as_yaml, mix_of
from qbench.allocate.solve import Limit, choose, total
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.errors import AllocationError
from qbench.gguf.types import tensor_types
from qbench.levels import LEVELS, read_mix
from qbench.profiles import Cost, Model, Probe, Profile, Unit

FORMATS = ("q8", "q6", "q4", "q3", "q2")
WIDTH = 256
PARTS = {"self_attn.q_proj": 256, "self_attn.o_proj": 256, "mlp.up_proj": 768, "mlp.down_proj": 768}


def llama(n_layers: int) -> dict[str, int]:
    """The modules of a small Llama, and the weights of each."""
    layers = {f"model.layers.{i}.{part}": WIDTH * rows for i in range(n_layers) for part, rows in PARTS.items()}
    return {"model.embed_tokens": WIDTH * 1024, **layers}


def write_profile(
    path: Path,
    costs: dict[str, NDArray[np.float64]],
    modules: dict[str, int] | None = None,
    formats: Sequence[str] = FORMATS,
    n_others: int = 100,
    lowered: Mapping[str, float] | None = None,
) -> Path:
    """Write a profile in which each probe has these costs, as (units, formats), equal on its four sequences of two tokens but for noise
    that their mean does not see. Beside the modules, the model has some weights that no level applies to.
    The whole model was measured at the formats in ``lowered``."""
    sizes = modules or llama(2)
    units = tuple(
        Unit(
            name,
            (name,),
            None,
            "",
            n,
            2.0 * n,
            {format: n * LEVELS[format].bits_per_weight() / 8 for format in formats},
            magnitude=0.01 + 0.001 * position,
            relative_error=dict.fromkeys(formats, 0.1),
            squared_error=dict.fromkeys(formats, 0.1),
        )
        for position, (name, n) in enumerate(sizes.items())
    )
    missing = {name: {format: Cost.missing() for format in formats} for name in sizes}
    probes = tuple(
        Probe(
            name=name,
            tasks=(),
            responses="reference",
            split="validation",
            sha256="",
            items=tuple("abcd"),
            scored=(2, 2, 2, 2),
            n_tokens=16,
            n_left_out=0,
            predicted={
                unit: {
                    format: Cost.of([2 * value * factor for factor in (0.9, 1.1, 0.8, 1.2)], (2, 2, 2, 2))
                    for format, value in zip(formats, row, strict=True)
                }
                for unit, row in zip(sizes, table, strict=True)
            },
            measured=missing,
            restored=missing,
            lowered={
                format: Cost.of([2 * lowered[format]] * 4, (2,) * 4)
                if lowered and format in lowered
                else Cost.missing()
                for format in formats
            },
            fisher=dict.fromkeys(sizes, 0.0),
            gradient=dict.fromkeys(sizes, 0.0),
            signed={unit: dict.fromkeys(formats, 0.0) for unit in sizes},
            places=(),
        )
        for name, table in costs.items()
    )
    model = Model("toy", "", sum(sizes.values()) + n_others, 2.0 * n_others)
    levels = {name: LEVELS[name] for name in formats}
    profiles.write(Profile("0", model, "module", levels, 0, 1, units, probes), path)
    return path


def lognormal(seed: int, n_units: int, formats: Sequence[str] = FORMATS) -> NDArray[np.float64]:
    """Costs that fall fourfold with every bit, and differ between units by an order of magnitude."""
    rng = np.random.default_rng(seed)
    bits = np.array([LEVELS[format].bits or 16 for format in formats])
    return np.asarray(rng.lognormal(-5, 1.5, n_units)[:, np.newaxis] * 4.0 ** (2 - bits))


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return write_profile(tmp_path / "sens.json", {"numerical": lognormal(1, 9), "language": lognormal(2, 9)})


def bits_of(profile: Path, found: dict[str, str]) -> int:
    """Storage by hand: n (b + (16 + b) / 64) bits for codes of b bits, 16 n in full precision, and the 200 bytes that nothing lowers."""
    read = profiles.read(profile)
    widths = {name: 16 if name == "fp16" else int(name[1:]) for name in set(found.values())}
    sizes = {module: unit.n_weights for unit in read.units for module in unit.modules}
    whole = 0
    for module, name in found.items():
        codes = widths[name]
        whole += sizes[module] * codes + (0 if name == "fp16" else sizes[module] // 64 * (16 + codes))
    return whole + 8 * 200


# ---------------------------------------------------------------- the solver


def brute_force(objective: NDArray[np.float64], limits: Sequence[Limit]) -> float:
    """The least objective of all assignments; infinite where none keeps the limits."""
    best = math.inf
    for choice in itertools.product(range(objective.shape[1]), repeat=len(objective)):
        chosen = np.array(choice)
        if all(total(limit.values, chosen) <= limit.largest for limit in limits):
            best = min(best, total(objective, chosen))
    return best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n_units=st.integers(1, 5), n_formats=st.integers(1, 4), share=st.floats(0, 1))
def test_the_solver_finds_what_brute_force_finds(seed: int, n_units: int, n_formats: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    # Noisy costs, some below 0, in no order; sizes with a common divisor or without one.
    objective = rng.normal(0.2, 1, (n_units, n_formats)) * 10.0 ** rng.integers(-6, 3)
    sizes = rng.integers(1, 1000, (n_units, n_formats)) * rng.choice([1, 64, 2**20])
    other = rng.lognormal(0, 1, (n_units, n_formats))
    limits = [
        Limit(sizes, int(sizes.min(1).sum() + share * np.ptp(sizes, 1).sum())),
        Limit(other, float(other.min(1).sum() + rng.uniform(0, 1) * np.ptp(other, 1).sum())),
    ]
    found, best = choose(objective, limits), brute_force(objective, limits)
    if found is None:
        assert best == math.inf
        return
    assert all(total(limit.values, found) <= limit.largest for limit in limits)
    assert total(objective, found) == pytest.approx(best, rel=1e-6, abs=1e-9 * float(np.abs(objective).max()))


def test_a_format_without_a_number_is_not_chosen() -> None:
    objective = np.array([[np.nan, 1.0], [0.5, 1.0]])
    found = choose(objective, [])
    assert found is not None
    assert found.tolist() == [1, 0]
    assert choose(np.array([[np.nan, np.nan]]), []) is None


def test_sizes_beyond_what_the_solver_can_hold_are_kept_to_the_bit() -> None:
    # Odd sizes of a very large model: no common divisor, and a budget of 10^12 bits that is missed by one.
    sizes = np.array([[10**12 + 1, 10**11 + 7], [10**12 - 1, 10**11 + 13]])
    objective = np.array([[0.0, 1.0], [0.0, 1.1]])
    exact = choose(objective, [Limit(sizes, 10**12 - 1 + 10**11 + 7)])
    assert exact is not None
    assert exact.tolist() == [1, 0]
    one_less = choose(objective, [Limit(sizes, 10**12 - 2 + 10**11 + 7)])
    assert one_less is not None
    assert one_less.tolist() == [1, 1]


# ---------------------------------------------------------------- budgets and limits


@pytest.mark.parametrize("bits", [2.4, 3.0, 4.0, 4.5, 7.9])
def test_the_realised_size_is_never_above_the_budget(bits: float, profile: Path) -> None:
    found = allocate(profile, bits=bits, controls=True)
    n_parameters = profiles.read(profile).model.n_parameters
    for mix in (found.best, *found.controls):
        assert mix.storage_bits == bits_of(profile, mix.formats) <= bits * n_parameters
        assert mix.bits_per_weight == mix.storage_bits / n_parameters


def test_the_allocated_mix_is_predicted_to_cost_least(profile: Path) -> None:
    found = allocate(profile, bits=4.0, weight={"language": 0.0}, controls=True)
    names = [control.name.removeprefix("mix-") for control in found.controls]
    assert {"uniform", "uniform-random-1", "first", "last", "ends", "magnitude", "random-1", "inverted"} < set(names)
    least = found.best.predicted["numerical"].value
    assert all(control.predicted["numerical"].value >= least for control in found.controls)
    by_name = dict(zip(names, found.controls, strict=True))
    assert by_name["inverted"].predicted["numerical"].value > by_name["uniform"].predicted["numerical"].value
    # Controls are as large as the mix, but for less than the smallest step of the largest module.
    step = 1024 * WIDTH * 2 / profiles.read(profile).model.n_parameters
    assert all(4.0 - control.bits_per_weight < step for control in found.controls)


def test_uniform_is_the_level_below_the_budget_and_the_rest_in_depth_order(profile: Path) -> None:
    found = allocate(profile, bits=3.8, controls=True)
    uniform = next(control for control in found.controls if control.name == "mix-uniform")
    # 3.8 bits of 1,310,820 weights, less 200 bytes, are 4,979,516 bits; everything at q3 (3 + 19/64 bits) takes 4,321,280. A step to q4 is
    # 65/64 bits a weight: 266,240 for the table, 66,560 each for q and o, 199,680 for up; 59,196 are left, too few for any other.
    raised = {module for module, level in uniform.formats.items() if level == "q4"}
    assert raised == {
        "model.embed_tokens",
        *(f"model.layers.0.{part}" for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj")),
    }
    assert set(uniform.formats.values()) == {"q3", "q4"}


def test_a_limit_is_kept_with_the_fewest_bytes(tmp_path: Path) -> None:
    modules = dict(list(llama(1).items())[:4])
    costs = {"numerical": lognormal(3, 4), "language": lognormal(4, 4)}
    profile = write_profile(tmp_path / "sens.json", costs, modules)
    limit = {"numerical": 0.002, "language": 0.004}
    found = allocate(profile, limit=limit)
    assert all(found.best.predicted[name].value <= largest for name, largest in limit.items())
    sizes = [
        bits_of(profile, dict(zip(modules, choice, strict=True)))
        for choice in itertools.product(FORMATS, repeat=4)
        if all(
            sum(costs[name][i, FORMATS.index(format)] for i, format in enumerate(choice)) <= largest
            for name, largest in limit.items()
        )
    ]
    assert found.best.storage_bits == min(sizes)


def test_a_limit_and_a_budget_hold_together(profile: Path) -> None:
    free = allocate(profile, bits=4.0, weight={"language": 0.0})
    bound = 0.9 * free.best.predicted["language"].value
    held = allocate(profile, bits=4.0, weight={"language": 0.0}, limit={"language": bound})
    assert held.best.predicted["language"].value <= bound
    assert held.best.predicted["numerical"].value >= free.best.predicted["numerical"].value
    assert held.best.bits_per_weight <= 4.0


def test_a_weight_draws_the_mix_to_its_probe(profile: Path) -> None:
    pairs = (("numerical", "language"), ("language", "numerical"))
    only = {name: allocate(profile, bits=4.0, weight={other: 0.0}).best for name, other in pairs}
    for name, other in pairs:
        assert only[name].predicted[name].value < only[other].predicted[name].value


def test_weights_are_shares_whatever_their_size(profile: Path) -> None:
    weights: list[dict[str, float]] = [{"numerical": own, "language": own} for own in (1.0, 1e308, 1e-320)]
    one, large, small = (allocate(profile, bits=4, weight=own).best.formats for own in weights)
    assert one == large == small
    assert len(set(one.values())) > 1


def test_a_probe_that_is_given_no_weight_has_1_and_the_mix_says_so(profile: Path) -> None:
    both = allocate(profile, bits=4.0, weight={"numerical": 0.5, "language": 1.0}).best
    one = allocate(profile, bits=4.0, weight={"numerical": 0.5}).best
    alone = allocate(profile, bits=4.0, weight={"numerical": 0.5, "language": 0.0}).best
    assert one.formats == both.formats != alone.formats
    assert ", weights numerical 0.5, language 1, by sens.json" in one.mix.about
    assert "weights" not in allocate(profile, bits=4.0).best.mix.about


@pytest.mark.parametrize(
    ("source", "made"),
    [("profile", "the sum of what units are predicted to cost alone"), ("measured_profile", "expected")],
)
def test_the_file_says_of_its_kl_what_the_terminal_says(source: str, made: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(source)
    for found in (allocate(path, bits=4.0), allocate(path, bits=16.0, formats=["fp16", "q8"])):
        assert f"KL a token, {made}: numerical" in found.best.mix.about
        assert f"KL: {made}, in nats" in str(found)


def test_full_precision_may_be_chosen_where_it_is_named(profile: Path) -> None:
    found = allocate(profile, bits=12, formats=["fp16", "q4"])
    assert set(found.best.formats.values()) == {"fp16", "q4"}
    assert set(allocate(profile, bits=16).best.formats.values()) == {"q8"}  # not among the formats unless it is named


def test_the_interval_of_a_mix_is_that_of_the_sums_of_its_sequences(profile: Path) -> None:
    found = allocate(profile, bits=16, formats=["q4"]).best.predicted["numerical"]
    whole = lognormal(1, 9)[:, FORMATS.index("q4")].sum()
    # Every unit is off by the same factors 0.9, 1.1, 0.8 and 1.2 on the four sequences, so the sum is too, and so is not averaged out.
    factors = np.array([0.9, 1.1, 0.8, 1.2])
    reach = 3.182446 * factors.std(ddof=1) / 2  # Student's t with 3 degrees of freedom, from a table
    assert found.value == pytest.approx(whole, rel=1e-5)
    assert found.high - found.value == pytest.approx(whole * reach, rel=1e-4)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"bits": 2.0},
            r"2 bits per weight .* reach from 2\.28\d? to 8\.37\d? bits per weight \([\d,]+ to [\d,]+ bytes\)",
        ),
        ({"limit": {"numerical": 1e-9}}, r"1e-09 on numerical cannot be reached: mixes of .* reach from .* to "),
        ({"limit": {"numerical": 1e-3}, "bits": 2.5}, r"0\.001 on numerical cannot be reached within [\d,]+ bytes"),
        ({"limit": {"numeric": 1e-3}}, r"no probe 'numeric'\. Did you mean numerical\?"),
        ({"bits": 4, "weight": {"numerical": 0, "language": 0}}, r"Weights must be"),
        ({"bits": 4, "formats": ["q5"]}, r"no format 'q5'"),
        ({"bits": 4, "bytes": 1000}, r"not as both"),
        ({}, r"--bits or --bytes"),
        ({"bits": math.nan}, r"finite numbers above 0"),
        ({"bits": 4, "controls": True, "seed": -1}, r"seed is a whole number of 0 or more, not -1"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(wanted: dict[str, object], message: str, profile: Path) -> None:
    with pytest.raises(AllocationError, match=message):
        allocate(profile, **wanted)  # type: ignore[arg-type]


def test_limits_that_exclude_each_other_are_told_with_what_is_between_them(tmp_path: Path) -> None:
    # Two modules of one size and room for one of them at q8: each probe wants another one.
    modules = {"a": 64 * 64, "b": 64 * 64}
    costs = {"x": np.array([[0.0, 1.0], [0.0, 0.1]]), "y": np.array([[0.0, 0.1], [0.0, 1.0]])}
    profile = write_profile(tmp_path / "sens.json", costs, modules, ("q8", "q4"))
    with pytest.raises(
        AllocationError, match=r"kept within [\d,]+ bytes, but not all at once; .* x (1|0\.1), y (1|0\.1)\."
    ):
        allocate(profile, bytes=(8.375 + 4.3125) * 4096 / 8 + 200, limit={"x": 0.5, "y": 0.5})


def test_a_profile_of_another_quantizer_is_refused(profile: Path) -> None:
    text = profile.read_text(encoding="utf-8")
    profile.write_text(
        text.replace('"bits": 4,\n   "group_size": 64', '"bits": 4,\n   "group_size": 32'), encoding="utf-8"
    )
    assert profile.read_text(encoding="utf-8") != text
    with pytest.raises(AllocationError, match="another q4"):
        allocate(profile, bits=4)


def test_a_unit_that_nothing_is_known_of_is_named(tmp_path: Path) -> None:
    costs = lognormal(1, 9)
    costs[3, :] = np.nan
    profile = write_profile(tmp_path / "sens.json", {"numerical": costs})
    with pytest.raises(AllocationError, match=r"no cost for model\.layers\.0\.mlp\.up_proj"):
        allocate(profile, bits=4)


def test_a_format_that_a_probe_predicts_nothing_of_is_not_chosen_for_it(tmp_path: Path) -> None:
    modules, formats = {"a": 64 * 64, "b": 64 * 64}, ("q4", "q2")
    costs = {"x": np.array([[0.1, 1.0], [0.1, np.nan]]), "y": np.array([[0.1, 1.0], [0.1, 1.0]])}
    profile = write_profile(tmp_path / "sens.json", costs, modules, formats)
    # b has no cost at q2 on x, so the smallest mix is a at 2.28125 bits and b at 4.3125, with 200 bytes of other weights.
    least = math.ceil((2.28125 + 4.3125) * 4096 / 8 + 200)
    assert {**allocate(profile, bytes=least).best.formats} == {"a": "q2", "b": "q4"}
    for limit in ({}, {"x": 5.0}, {"y": 5.0}):
        with pytest.raises(AllocationError, match=rf"where they have a predicted cost, reach from .* \({least:,} to "):
            allocate(profile, bytes=least - 1, limit=limit)
    with pytest.raises(
        AllocationError, match=r"0\.01 on y cannot be reached within .* predicted cost, reach from 1\.1 to 2"
    ):
        allocate(profile, bytes=least, limit={"y": 0.01})
    # Where x does not count, b may have q2, and what the mix costs on x is not known.
    found = allocate(profile, bytes=least - 1, weight={"x": 0}).best
    assert found.formats["b"] == "q2"
    assert str(found.predicted["x"]) == "–"
    assert "x –; y " in found.mix.about
    assert allocate(profile, limit={"y": 2.0}).best.formats == {"a": "q2", "b": "q2"}


def test_probes_that_have_no_format_in_common_are_told(tmp_path: Path) -> None:
    costs = {"x": np.array([[0.1, 1.0], [0.1, np.nan]]), "y": np.array([[0.1, 1.0], [np.nan, 1.0]])}
    profile = write_profile(tmp_path / "sens.json", costs, {"a": 64 * 64, "b": 64 * 64}, ("q4", "q2"))
    for wanted in ({"bits": 4.0}, {"limit": {"x": 1.0, "y": 1.0}}):
        with pytest.raises(AllocationError, match="No format of q4, q2 has a predicted cost for b on every probe"):
            allocate(profile, **wanted)


# ---------------------------------------------------------------- what units do to one another


@pytest.fixture
def measured_profile(tmp_path: Path) -> Path:
    """Four modules, the whole at q4 and at q2 measured at two and at eight times the sum of its modules."""
    modules = dict(list(llama(1).items())[:4])
    costs = lognormal(6, 4)
    sums = dict(zip(FORMATS, costs.sum(axis=0), strict=True))
    lowered = {"q4": 2 * sums["q4"], "q2": 8 * sums["q2"]}
    return write_profile(tmp_path / "sens.json", {"numerical": costs}, modules, lowered=lowered)


def test_a_mix_is_expected_to_cost_what_formats_of_its_sum_were_measured_at(measured_profile: Path) -> None:
    sums = dict(zip(FORMATS, lognormal(6, 4).sum(axis=0), strict=True))

    def found(name: str) -> tuple[float, float]:
        best = allocate(measured_profile, bits=16, formats=[name]).best
        return best.predicted["numerical"].value, best.expected["numerical"].value

    for name, factor in (("q8", 2), ("q4", 2), ("q2", 8)):  # beyond the ends, the factor of the end
        assert found(name) == pytest.approx((sums[name], factor * sums[name]), rel=1e-5)
    # Costs fall fourfold with a bit, so q3 lies in the middle of q4 and q2 on a logarithmic axis, and so does its factor: sqrt(2 * 8).
    assert found("q3") == pytest.approx((sums["q3"], 4 * sums["q3"]), rel=1e-5)


def test_a_limit_is_one_of_the_expected_cost(measured_profile: Path) -> None:
    expected = {
        choice: allocate_expected(
            measured_profile, sum(lognormal(6, 4)[i, FORMATS.index(f)] for i, f in enumerate(choice))
        )
        for choice in itertools.product(FORMATS, repeat=4)
    }
    largest = sorted(expected.values())[300]
    found = allocate(measured_profile, limit={"numerical": largest}).best
    modules = list(found.formats)
    assert found.expected["numerical"].value <= largest * (1 + 1e-5)  # sequences are stored to six digits
    sizes = [
        bits_of(measured_profile, dict(zip(modules, choice, strict=True)))
        for choice, cost in expected.items()
        if cost <= largest * (1 - 1e-5)
    ]
    assert found.storage_bits <= min(sizes)


def allocate_expected(profile: Path, total: float) -> float:
    """The curve by hand: factors 2 and 8 at the sums of q4 and q2, a power of the sum between them."""
    probe = profiles.read(profile).probes[0]
    low, high = (sum(costs[name].value for costs in probe.predicted.values()) for name in ("q4", "q2"))
    share = min(max(math.log(total / low) / math.log(high / low), 0), 1)
    return float(total * 2 * 4**share)


# ---------------------------------------------------------------- the file


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n_layers=st.integers(1, 5), n_levels=st.integers(1, 4))
def test_a_written_mix_gives_back_every_module(data: st.DataObject, n_layers: int, n_levels: int) -> None:
    modules = [*llama(n_layers), "lm_head", "encoder.layers.0.mlp.up_proj", "model.layers.0.mlp.experts.1.up_proj"]
    wanted = {module: data.draw(st.sampled_from(("fp16", *FORMATS)[:n_levels])) for module in modules}
    mix = mix_of(wanted, "drawn", 'about: it, # and "more"')
    assert {module: level.name for module, level in mix.assign(modules).items()} == wanted
    content = yaml.safe_load(as_yaml(mix))
    assert content["about"] == mix.about
    # Rules do not contradict: turned round they say the same, but for those that have nothing left to say.
    for rule in mix.rules:
        depth = n_layers
        assert {wanted[module] for module in modules if rule.matches(module, depth)} == {rule.level.name}


def test_equal_modules_are_one_rule() -> None:
    modules = [*llama(8), "lm_head"]
    wanted = dict.fromkeys(modules, "q4")
    wanted |= {module: "q8" for module in modules if "down_proj" in module or module == "lm_head"}
    wanted |= {module: "q3" for module in modules if "self_attn" in module and int(module.split(".")[2]) in (2, 3, 4)}
    rules = [(rule.modules, rule.layers, rule.level.name) for rule in mix_of(wanted, "m", "").rules]
    assert sorted(rules) == [(("*.down_proj", "lm_head"), "", "q8"), (("*.self_attn.*",), "2-4", "q3")]


def test_the_files_of_an_allocation(profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "four.yaml"
    command = ["allocate", str(profile), "--bits", "4", "--controls", "--out", str(out), "--weight", "language=1"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    expected: Allocation = allocate(profile, bits=4, controls=True, weight={"language": 1}, out=out)
    for mix, path in zip((expected.best, *expected.controls), expected.paths, strict=True):
        assert f"{mix.bits_per_weight:.4f}" in printed
        assert f" {mix.storage_bytes:,.0f} " in printed
        read = read_mix(path)
        assert {module: level.name for module, level in read.assign(mix.formats).items()} == mix.formats
        assert re.search(r"sens\.json \(sha256 [0-9a-f]{16}\)", read.about)
        tensors = ["token_embd.weight", *(f"blk.{i}.ffn_down.weight" for i in range(2))]
        tensors += [f"blk.{i}.{name}.weight" for i in range(2) for name in ("attn_q", "attn_output", "ffn_up")]
        types = tensor_types(read, tensors)  # llama.cpp's names of the same modules
        assert (
            types["token_embd.weight"]
            == {"q8": "Q8_0", "q6": "Q6_K", "q4": "Q4_K", "q3": "Q3_K", "q2": "Q2_K"}[mix.formats["model.embed_tokens"]]
        )
    assert main(["allocate", str(profile), "--bits", "1"]) == EXIT_BAD_INPUT
    assert "reach from" in capsys.readouterr().err


def test_nothing_is_overwritten_but_an_earlier_allocation(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "four.yaml"

    def said(*more: str, target: Path = out) -> str:
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert main(["allocate", str(profile), "--bits", "4", "--out", str(target), *more]) == EXIT_BAD_INPUT
        assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        return capsys.readouterr().err

    assert "is no name for a mix" in said(target=profile)
    assert "is a folder; --out names a file in it" in said(target=tmp_path)
    out.write_text("default: q4\nrules: []\n", encoding="utf-8")  # somebody's own
    assert "is not as qbench allocate writes a mix, so it was not overwritten" in said()
    out.unlink()
    mine = tmp_path / "four-inverted.yaml"
    mine.write_text("default: q4\nrules: []\n", encoding="utf-8")
    assert "four-inverted.yaml is there already" in said("--controls")  # and four.yaml was not written either
    mine.unlink()

    first = allocate(profile, bits=4, controls=True, out=out)
    assert first.replaced == first.stale == ()
    second = allocate(profile, bits=6, out=out)
    assert second.replaced == (out,)
    assert sorted(second.stale) == sorted(first.paths[1:])
    assert controls_beside(out) == ([], sorted(first.paths[1:]))
    assert "is a control of a mix that qbench allocate wrote" in said(target=tmp_path / "four-uniform.yaml")
    third = allocate(profile, bits=6, controls=True, out=out)
    assert (third.replaced, third.stale) == (third.paths, ())
    assert controls_beside(out)[0] == sorted(third.paths[1:])
    with out.open("a", encoding="utf-8") as file:
        file.write('  - {modules: "*", level: q2}\n')
    assert "is not as qbench allocate writes a mix" in said()  # it was edited
    assert controls_beside(out)[0] == []


def test_a_mix_of_ones_own_is_no_control(tmp_path: Path) -> None:
    for name in ("mix", "mix-lowbit", "mix-lowbit-inverted"):
        (tmp_path / f"{name}.yaml").write_text("default: q4\nrules: []\n", encoding="utf-8")
    (tmp_path / "mix-notes.yaml").write_text("no: [mix", encoding="utf-8")
    assert controls_beside(tmp_path / "mix.yaml") == ([], [])


def test_a_mix_on_the_reference_model_is_what_was_promised(tmp_path: Path) -> None:
    from qbench.models import QBenchLM, nano_path
    from qbench.quant.modules import units

    lm = QBenchLM(nano_path())
    modules = {unit.name: unit.weight.numel() for unit in units(lm.model)}
    n_vectors = sum(parameter.numel() for parameter in lm.model.parameters() if parameter.ndim < 2)
    costs = {"numerical": lognormal(5, len(modules))}
    profile = write_profile(tmp_path / "sens.json", costs, modules, n_others=n_vectors)
    found = allocate(profile, bits=3.7, controls=True, out=tmp_path / "mix.yaml")
    for mix, path in zip((found.best, *found.controls), found.paths, strict=True):
        if mix is not found.best and "random" in mix.name:
            continue  # made as the others are
        proof = lm.set_level(str(path))
        assert {module.name: module.level for module in proof.modules} == mix.formats
        assert proof.storage_bytes == mix.storage_bytes
        assert proof.bits_per_weight == mix.bits_per_weight <= 3.7
