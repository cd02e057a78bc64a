"""Predictions held against measurements: hand-made numbers, and the whole way from a profile to test items on a small model."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from qbench import profiles, validation
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.errors import ProfileError
from qbench.levels import read_mix
from qbench.models import QBenchLM
from qbench.quant.apply import apply
from qbench.records import SWEEP_FILE, read_sweep
from qbench.sensitivity import text
from qbench.sensitivity import validate as validating
from qbench.validation import Difference, MixCheck, Text, UnitCheck, Validation

UNITS = [f"layers.{i}" for i in range(6)]


def handmade() -> Validation:
    """Six units at q4, one probe of three new sequences, and two mixes, of which the second keeps a unit in full precision."""
    alone = [(0.1 * (i + 1), 0.2 * (i + 1), 0.3 * (i + 1)) for i in (3, 0, 5, 1, 4, 2)]
    checks = tuple(UnitCheck(unit, "q4", 0.05 * sum(nats), nats) for unit, nats in zip(UNITS, alone, strict=True))
    own = Text("numerical", ("t",), ("a", "b"), (4, 6), ("c", "d", "e"), (2, 3, 5), checks)
    every = dict.fromkeys(UNITS, "q4")
    mixes = (
        MixCheck(
            "four", every, 100.0, 4.3, {"numerical": (3.0, 2.0)}, {"numerical": 0.8}, {"numerical": (2.0, 4.0, 6.0)}
        ),
        MixCheck(
            "four-uniform",
            every | {UNITS[5]: "q8"},
            101.0,
            4.4,
            {"numerical": (3.5, 2.5)},
            {"numerical": 1.1},
            {"numerical": (3.0, 5.0, 10.0)},
        ),
    )
    test = (Difference("four", "numerical", 3.0, 1.0, 5.0, 20, 10, "improved", 0.01),)
    return Validation(
        "0", "sens.json", "ab" * 32, "toy", "cd", "layer", 3, mixes, (own,), "four-uniform", 2.0, 0.95, "runs/x", test
    )


def test_the_numbers_of_a_mix_are_those_of_a_hand_calculation() -> None:
    four, uniform = validation.mix_agreements(handmade())
    assert four.predicted.value == 5 / 10  # nats over scored tokens
    assert four.measured.value == 12 / 10
    assert four.ratio.value == pytest.approx(1.2 / 0.8)  # what was expected of a sum of 0.5
    assert four.additivity.value == pytest.approx(12 / (21 * 0.6))  # 1 + … + 6 = 21 times 0.1 + 0.2 + 0.3
    assert four.to_allocated.value == 1
    assert uniform.to_allocated.value == pytest.approx(18 / 12)
    assert math.isnan(uniform.additivity.value)  # its unit at q8 was not measured alone


def test_units_are_compared_where_all_were_measured() -> None:
    (found,) = validation.unit_agreements(handmade())
    assert found.evidence.correlation.value == pytest.approx(1)  # predictions are proportional to the measured nats
    assert found.ratio.value == pytest.approx(0.05 * 10)  # 0.05 per nat, over a tenth per nat


def test_the_file_gives_back_what_was_written_and_says_it(tmp_path: Path) -> None:
    made = handmade()
    paths = validation.write(made, tmp_path)
    assert validation.read(paths[0]) == made
    said = paths[1].read_text(encoding="utf-8")
    assert said == str(made)
    # 18 / 12 nats: residuals 0, -1 and 1 nats, so an error of sqrt(3 / 2 * 2) / 12, and Student's 4.30 of them reach below 1.
    assert "1.5 [0.879, 2.12]" in said
    assert "four has a lower KL than 0 of 1 controls for certain" in said
    assert "+3.0 [+1.0, +5.0] improved" in said
    assert "four beats four-uniform for certain: numerical; worse: nowhere." in said


def test_a_correlation_that_cannot_be_had_says_why() -> None:
    made = handmade()
    assert "over the 2 mixes: none, since it takes at least 5." in str(made)
    many = tuple(replace(made.mixes[0], name=f"four-{i}") for i in range(5))
    assert "over the 6 mixes: none, since all have the same." in str(replace(made, mixes=(made.mixes[0], *many)))
    few = replace(made.texts[0], units=made.texts[0].units[:4])
    formats = dict.fromkeys(UNITS[:4], "q4")
    said = str(replace(made, texts=(few,), mixes=tuple(replace(mix, formats=formats) for mix in made.mixes)))
    assert "numerical at q4: The model has 4 units, and an order is checked by at least 5." in said
    assert "nan" not in said


def test_the_intervals_of_a_mix_have_the_confidence_of_the_validation() -> None:
    wide, narrow = (next(validation.mix_agreements(replace(handmade(), confidence=own))) for own in (0.95, 0.5))
    # 2, 4 and 6 nats over 2, 3 and 5 tokens: residuals -0.4, 0.4 and 0, so an error of sqrt(3 / 2 * 0.32) / 10.
    for found, reach in ((wide, 4.302653), (narrow, 0.816497)):  # Student's t with 2 degrees of freedom
        assert found.measured.high == pytest.approx(1.2 + reach * math.sqrt(0.48) / 10)


def test_a_damaged_or_another_file_is_one_sentence(tmp_path: Path) -> None:
    path, _ = validation.write(handmade(), tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    flawed: list[object] = [{**content, "schema_version": 99}, {**content, "mixes": 3}, {"a": 1}, []]
    for broken in flawed:
        path.write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(
            ProfileError, match=r"cannot be read as a validation \(.*\)\. .*qbench sensitivity validate"
        ):
            validation.read(path)


def test_a_validation_that_contradicts_itself_is_one_sentence(tmp_path: Path) -> None:
    path, _ = validation.write(handmade(), tmp_path)
    whole = path.read_text(encoding="utf-8")

    def changed(*keys: str | int, to: object) -> str:
        copy = json.loads(whole)
        target = copy
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = to
        return json.dumps(copy)

    text, mix = ("texts", 0), ("mixes", 0)
    flawed = [
        ("no mixes", changed("mixes", to=[])),
        ("no texts", changed("texts", to=[])),
        ("there twice", changed(*mix, "name", to="four-uniform")),
        ("confidence is not between", changed("confidence", to=None)),
        ("margin not above 0", changed("margin", to=0)),
        ("the same units", changed(*mix, "formats", to={})),
        ("no size", changed(*mix, "bits_per_weight", to=None)),
        ("without scored tokens", changed(*text, "scored", to=[])),
        ("without scored tokens", changed(*text, "profile_scored", to=[4, 0])),
        ("number of items", changed(*text, "items", to=["c"])),
        ("one that no mix has", changed(*text, "units", 0, "unit", to="other")),
        ("unit twice at one format", changed(*text, "units", 0, "unit", to=UNITS[1])),
        ("another order", changed(*text, "units", to=json.loads(whole)["texts"][0]["units"][::-1])),
        ("unit has another number of sequences", changed(*text, "units", 0, "measured", to=[0.1])),
        ("cost on every probe", changed(*text, "name", to="other")),
        ("cost on every probe", changed(*mix, "expected", to={})),
        ("the mix four has another number of sequences", changed(*mix, "measured", "numerical", to=[1.0])),
        ("no control 'other'", changed("reference", to="other")),
        ("no control 'four-uniform'", changed("mixes", 1, "name", to="other")),
        ("row for every mix", changed("test", 0, "mix", to="other")),
        ("NaN, which is not JSON", whole.replace("100.0", "NaN")),
    ]
    for why, content in flawed:
        path.write_text(content, encoding="utf-8")
        with pytest.raises(
            ProfileError, match=rf"cannot be read as a validation \([^)]*{why}.*\)\. .*qbench sensitivity validate"
        ):
            validation.read(path)


def test_what_was_not_predicted_is_a_dash(tmp_path: Path) -> None:
    made = handmade()
    predicted: dict[str, tuple[float, ...]] = {"numerical": (math.nan, math.nan)}
    expected = {"numerical": math.nan}
    checks = tuple(replace(check, predicted=math.nan) for check in made.texts[0].units)
    lacking = replace(
        made,
        mixes=tuple(replace(mix, predicted=predicted, expected=expected) for mix in made.mixes),
        texts=(replace(made.texts[0], units=checks),),
        test=(replace(made.test[0], value=math.nan),),
    )
    path, _ = validation.write(lacking, tmp_path)
    said = str(validation.read(path))
    assert "nan" not in said
    assert "| four | 4.3000 | 100 | – | – | 1.2 [" in said


# ---------------------------------------------------------------- the whole way


@pytest.fixture(scope="module")
def profiled(random_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile of a random model, a mix of it and its controls."""
    folder = tmp_path_factory.mktemp("profiled")
    profile = [
        "sensitivity",
        "--model",
        str(random_llama),
        "--tasks",
        "qbench_numerical_arithmetic",
        "--formats",
        "q4,q2",
    ]
    assert main([*profile, "--sequences", "4", "--out", str(folder / "sens.json")]) == 0
    allocate = ["allocate", str(folder / "sens.json"), "--bits", "4", "--controls", "--out", str(folder / "four.yaml")]
    assert main(allocate) == 0
    return folder


def test_from_a_profile_to_test_items(profiled: Path, random_llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = profiled / "run"
    files = [str(profiled / name) for name in ("sens.json", "four.yaml", "four-inverted.yaml", "four-uniform.yaml")]
    command = ["sensitivity", "validate", *files, "--model", str(random_llama), "--sequences", "3", "--limit", "2"]
    assert main([*command, "--run", str(run), "--batch-size", "8"]) == 0
    paths = run / validation.FILE, run / validation.REPORT
    found = validation.read(paths[0])
    printed = capsys.readouterr().out
    assert printed == f"{found}\n{paths[0]}\n{paths[1]}\n"
    assert str(found) == paths[1].read_text(encoding="utf-8")

    # Once more, it is finished; another command is another validation. Nothing is loaded for either.
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validating, "open_model", None)
        assert main([*command, "--run", str(run), "--batch-size", "8"]) == 0
        shown = capsys.readouterr()
        assert shown.out == printed
        assert shown.err == f"qbench: {paths[0]} is finished, and nothing was measured again.\n"
        for other, key in ((["--margin", "3"], "margin"), (["--no-test"], "test"), (["--items", "5"], "items")):
            assert main([*command, "--run", str(run), "--batch-size", "8", *other]) == EXIT_BAD_INPUT
            assert f"finished validation of another command (it differs in {key})" in capsys.readouterr().err
        # A sweep is not continued by a validation, whether or not it would ask test items.
        foreign = profiled / "foreign"
        foreign.mkdir()
        (foreign / SWEEP_FILE).write_bytes((run / SWEEP_FILE).read_bytes())
        for more in ([], ["--no-test"]):
            assert main([*command, "--run", str(foreign), *more]) == EXIT_BAD_INPUT
            assert "holds a sweep of its own" in capsys.readouterr().err
        assert [path.name for path in foreign.iterdir()] == [SWEEP_FILE]
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}

    # Three sets of items without one in common.
    (fresh,) = found.texts
    sweep = read_sweep(run)
    asked = {sample["doc"]["id"] for task in sweep.tasks for sample in sweep.run("fp16").samples(task)}
    assert fresh.profile_items == profiles.read(profiled / "sens.json").probes[0].items
    sets = [set(fresh.profile_items), set(fresh.items), asked]
    assert [len(own) for own in sets] == [4, 3, 2]
    assert len(set().union(*sets)) == 9

    # The mix is what was allocated, and its KL what torch computes.
    assert [mix.name for mix in found.mixes] == ["four", "four-inverted", "four-uniform"]
    assert found.reference == "four-uniform"
    lm = QBenchLM(str(random_llama))
    drawn = text.draw(lm, "qbench_numerical_arithmetic", sequences=3, exclude=fresh.profile_items)
    model = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    first = drawn.texts[0]
    scored = slice(first.n_prompt - 1, len(first.tokens) - 1)
    with torch.no_grad():
        base = model(torch.tensor([first.tokens])).logits[0, scored].double().log_softmax(-1)
        proof = apply(model, read_mix(profiled / "four.yaml"))
        other = model(torch.tensor([first.tokens])).logits[0, scored].double().log_softmax(-1)
    expected = float(torch.nn.functional.kl_div(other, base, reduction="sum", log_target=True))
    assert found.allocated.measured["numerical_arithmetic"][0] == pytest.approx(expected, rel=1e-3)
    assert found.allocated.storage_bytes == proof.storage_bytes
    assert found.allocated.formats == {module.name: module.level for module in proof.modules}

    # Every unit was measured at the mix's own format, so that the mix can be held against their sum.
    assert {(check.unit, check.format) for check in fresh.units} >= set(found.allocated.formats.items())
    agreement = next(validation.mix_agreements(found))
    alone = {(check.unit, check.format): check.measured for check in fresh.units}
    together = np.sum([alone[pair] for pair in found.allocated.formats.items()])
    assert agreement.additivity.value == pytest.approx(sum(found.allocated.measured["numerical_arithmetic"]) / together)

    # On test items the mixes are held against the uniform one.
    rows = {(own.mix, own.row) for own in found.test}
    assert rows == {(mix, "numerical") for mix in ("four", "four-inverted")}

    # What was asked in the end is looked at once more, as the files have it.
    (task,) = sweep.tasks
    validating._check_asked(run, {*fresh.items, *fresh.profile_items}, {task: "test"})
    with pytest.raises(ProfileError, match=r"has answers to items that the profile was made from.* \(1, such as numer"):
        validating._check_asked(run, {*fresh.items, min(asked)}, {task: "test"})


def test_ids_that_begin_anew_in_every_split_are_not_the_same_items(
    random_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {}
    for split in ("train", "test"):
        lines = [{"id": i, "q": f"{split} {i}: {i} plus {len(split)}?", "a": str(i + len(split))} for i in range(8)]
        files[split] = tmp_path / f"{split}.jsonl"
        files[split].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    task = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {split: str(path) for split, path in files.items()}},
        "training_split": "train",
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "sums.yaml").write_text(json.dumps(task), encoding="utf-8")
    sens, mix, run = tmp_path / "sens.json", tmp_path / "mix.yaml", tmp_path / "run"
    model = ["--model", str(random_llama), "--include-path", str(tmp_path / "tasks")]
    made = ["--tasks", "sums", "--unit", "layer", "--formats", "q4,q2", "--sequences", "4", "--out", str(sens)]
    assert main(["sensitivity", *model, *made]) == 0
    assert profiles.read(sens).probes[0].items == tuple(f"sums/train/{i}" for i in range(4))
    assert main(["allocate", str(sens), "--bits", "4", "--controls", "--out", str(mix)]) == 0
    controls = [str(tmp_path / "mix-uniform.yaml")]
    command = ["sensitivity", "validate", str(sens), str(mix), *controls, *model, "--sequences", "3"]
    assert main([*command, "--run", str(run)]) == 0
    (fresh,) = validation.read(run / validation.FILE).texts
    assert fresh.items == tuple(f"sums/train/{i}" for i in range(4, 7))
    capsys.readouterr()

    # The same numbers of the split that is evaluated are a leak.
    read = profiles.read(sens)
    probe = replace(read.probes[0], items=("sums/test/0", *read.probes[0].items[1:]))
    profiles.write(replace(read, probes=(probe,)), sens)
    assert main([*command, "--run", str(tmp_path / "again")]) == EXIT_BAD_INPUT
    assert "sums has no items left for a test: sums/test/0 is among those" in capsys.readouterr().err


def test_what_cannot_be_validated_is_one_sentence(
    profiled: Path, random_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(profile: Path, mix: Path, *more: str) -> str:
        assert (
            main(["sensitivity", "validate", str(profile), str(mix), *more, "--run", str(tmp_path / "run")])
            == EXIT_BAD_INPUT
        )
        return capsys.readouterr().err

    here = ["--model", str(random_llama)]
    sens, four = profiled / "sens.json", profiled / "four.yaml"
    assert "and nano has other weights; name the profile's own (--model)" in said(sens, four)
    assert said(sens, tmp_path / "nope.yaml", *here) == f"qbench: There is no mix file {tmp_path / 'nope.yaml'}.\n"
    broken = tmp_path / "broken.yaml"
    for content, sentence in (("", "is empty"), ("default: q4\nrules: [\n", "is no YAML at line 3, column 1 (")):
        broken.write_text(content, encoding="utf-8")
        err = said(sens, broken, *here)
        assert sentence in err
        assert err.count("\n") == 1
    lonely = tmp_path / "lonely.yaml"
    lonely.write_text(four.read_text(encoding="utf-8"), encoding="utf-8")
    assert "--controls" in said(sens, lonely, *here)
    lonely.write_text("default: q5\nrules: []\n", encoding="utf-8")
    assert "predicts nothing of" in said(sens, lonely, str(four), *here)
    assert "at least 2 sequences of text, and --sequences asks for 1" in said(sens, four, *here, "--sequences", "1")
    lonely.write_text("default: q2\nrules: []\n", encoding="utf-8")
    assert "a control is as large as the mix" in said(sens, four, str(lonely), *here)
    lonely.write_bytes(four.read_bytes())
    assert "stores every unit as" in said(sens, four, str(lonely), *here)
    (tmp_path / "lonely-uniform.yaml").write_bytes((profiled / "four-uniform.yaml").read_bytes())
    lonely.write_text("default: q4\nrules: []\n", encoding="utf-8")  # not the mix of that control any more
    assert "such as lonely-uniform.yaml, are controls of another mix)" in said(sens, lonely, *here)
    assert not (tmp_path / "run").exists()
    assert "margin must be above 0" in said(sens, four, *here, "--margin", "-1")
    # A profile of a model that was trained on.
    read = profiles.read(sens)
    profiles.write(replace(read, model=replace(read.model, sha256="0" * 64)), tmp_path / "other.json")
    assert "its weights have changed since, so make the profile again" in said(tmp_path / "other.json", four, *here)
    # A profile that was made from a test item.
    item = "numerical_arithmetic.train_two_speeds.test.0"
    probe = replace(read.probes[0], items=(item, *read.probes[0].items[1:]))
    profiles.write(replace(read, probes=(probe,)), tmp_path / "other.json")
    assert f"{item} is among those that the profile was made from" in said(tmp_path / "other.json", four, *here)
