"""Sensitivity: what hooks compute is what autograd computes, what is predicted is what is measured, and a killed command goes on."""

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM

from qbench import profiles
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.errors import LevelError, ProfileError
from qbench.levels import LEVELS
from qbench.models import QBenchLM
from qbench.quant.apply import apply
from qbench.quant.intx import quantize
from qbench.quant.modules import Unit, units
from qbench.sensitivity import fisher, journal, predicted, profiling, sensitivity, summary, taps
from qbench.sensitivity.activations import Sums as ActivationSums
from qbench.sensitivity.activations import effective_rank
from qbench.sensitivity.attention import Sums as AttentionSums
from qbench.sensitivity.language import LanguageModel
from qbench.sensitivity.measured import Divergences, divergence, lowered
from qbench.sensitivity.parts import describe, parts
from qbench.sensitivity.taps import Scored, Taps
from qbench.sensitivity.text import Text, batches, draw

FORMATS = {name: LEVELS[name] for name in ("q4", "q2")}
TEXTS = [Text("a", tuple(range(5, 17)), 4), Text("b", (3, 9, 40, 41, 7), 1), Text("c", tuple(range(30, 38)), 5)]


@pytest.fixture
def llama(random_llama: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()


def gpt2() -> Any:
    torch.manual_seed(3)
    config = GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2, n_positions=32, initializer_range=0.2)
    return GPT2LMHeadModel(config).eval()


def mixtral() -> Any:
    torch.manual_seed(4)
    config = MixtralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=3,
        num_experts_per_tok=2,
        initializer_range=0.2,
    )
    return MixtralForCausalLM(config).eval()


# ---------------------------------------------------------------- predicted


def by_autograd(model: Any, unit: Unit, scored_gradients: Any) -> list[torch.Tensor]:
    """(out, in) gradients of one sequence with respect to each of a unit's matrices, each use of a tied weight apart."""
    model = copy.deepcopy(model)
    uses = []
    for name in (unit.name, *unit.tied_to):
        owner = model.get_submodule(name) if unit.weight.ndim == 2 else model.get_submodule(name.rpartition(".")[0])
        leaf = "weight" if unit.weight.ndim == 2 else name.rpartition(".")[2]
        parameter = torch.nn.Parameter(getattr(owner, leaf).detach().clone())
        setattr(owner, leaf, parameter)
        uses.append(parameter)
    text, gradient = scored_gradients
    scored = LanguageModel(model, 0)([text])
    return list(torch.autograd.grad(scored.logits, uses, gradient))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mixtral"])
def test_the_hooks_compute_what_autograd_does(architecture: str, request: pytest.FixtureRequest) -> None:
    """Linear layers, GPT-2's transposed ones, tables, a tied head and fused experts: (Σ_o a_o)² and Σ_o a_o² of every sequence."""
    model = {"llama": lambda: request.getfixturevalue("llama"), "gpt2": gpt2, "mixtral": mixtral}[architecture]()
    found, answer = parts(model, "module"), LanguageModel(model, 0)
    together = [TEXTS[:2], TEXTS[2:]] if architecture != "mixtral" else [[text] for text in TEXTS]
    nats = np.concatenate(
        [
            predicted.squares(model, found, FORMATS, batch, answer, draws=1, seed=(8, i))
            for i, batch in enumerate(together)
        ],
        axis=-1,
    )
    position = 0
    for i, batch in enumerate(together):
        scored = answer(batch)
        drawn = predicted._drawing(scored, (8, i))()
        for row, text in enumerate(batch):
            for place, part in enumerate(found):
                (unit,) = part.weights
                gradients = by_autograd(model, unit, (text, drawn[scored.sequence == row]))
                for column, level in enumerate(FORMATS.values()):
                    along = [
                        ((quantize(matrix, level) - matrix) * own).sum(1)
                        for gradient in gradients
                        for matrix, own in zip(unit.matrices(unit.weight.data), unit.matrices(gradient), strict=True)
                    ]
                    whole = sum(float(rows.sum()) for rows in along)
                    apart = sum(float(rows.square().sum()) for rows in along)
                    expected = (whole**2 / 2, apart / 2)
                    assert nats[:, place, column, position] == pytest.approx(expected, rel=2e-3, abs=1e-9), part.name
            position += 1
    assert all(not parameter.grad for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_units_of_several_modules_know_what_their_modules_do_to_one_another(llama: Any) -> None:
    """Of a layer, the inner product of the whole gradient with the whole change is squared, not that of each module."""
    answer = LanguageModel(llama, 0)
    by_kind = {kind: parts(llama, kind) for kind in ("module", "block", "layer")}
    assert [part.name for part in by_kind["layer"]] == ["model.embed_tokens", "model.layers.0", "model.layers.1"]
    assert {part.kind for part in by_kind["block"]} == {"embedding", "self_attn", "mlp"}
    nats = {
        kind: predicted.squares(llama, own, FORMATS, TEXTS, answer, draws=1, seed=(1,))[0]
        for kind, own in by_kind.items()
    }
    modules = [i for i, part in enumerate(by_kind["module"]) if part.layer == 0]
    together, apart = nats["layer"][1], nats["module"][modules].sum(0)
    assert (together > 0).all()
    assert not np.allclose(together, apart, rtol=0.05)
    assert nats["layer"][0] == pytest.approx(nats["module"][0])


def test_padding_changes_nothing(llama: Any) -> None:
    answer = LanguageModel(llama, 0)
    with torch.no_grad():
        together = answer(TEXTS)
        for row, text in enumerate(TEXTS):
            alone = answer([text])
            torch.testing.assert_close(together.logits[together.sequence == row], alone.logits)
            assert alone.labels is not None
            assert alone.labels.tolist() == list(text.tokens[text.n_prompt :])
            assert len(alone.logits) == text.n_scored


def test_draws_have_the_covariance_of_a_labels_gradient() -> None:
    """Diag(p) − p pᵀ at every position, and nothing between positions."""
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    draw = predicted._drawing(Scored.of(logits.requires_grad_()), (5,))
    drawn = torch.stack([draw().flatten() for _ in range(20_000)])
    first, second = (torch.diag(p) - torch.outer(p, p) for p in logits.detach().softmax(-1))
    none = torch.zeros(3, 3)
    expected = torch.cat([torch.cat([first, none]), torch.cat([none, second])], 1)
    torch.testing.assert_close(drawn.mean(0), torch.zeros(6), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T @ drawn / len(drawn), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("q", [0.5, 1e-3, 1e-9])
def test_between_two_answers_every_draw_is_of_one_size(q: float) -> None:
    """±√(p q); a label's gradient is nearly 0, but once in 1/q draws."""
    logits = torch.tensor([[1 - q, q]], dtype=torch.float64).log().float()
    draw = predicted._drawing(Scored.of(logits.requires_grad_()), (5,))
    drawn = torch.cat([draw() for _ in range(50)])
    size = (q * (1 - q)) ** 0.5
    torch.testing.assert_close(drawn.abs(), torch.full((50, 2), size), rtol=1e-4, atol=0)
    assert (drawn.prod(1) < 0).all()
    assert 10 < (drawn[:, 0] > 0).sum() < 40


def test_two_estimates_are_blended_by_what_is_not_noise() -> None:
    """By hand: d is 1 for every unit, exactly, so nothing is noise; of noise alone, nothing is taken."""
    rng = np.random.default_rng(1)
    rows = rng.gamma(2, size=(40, 3, 200))
    assert predicted.blend(np.stack([2 * rows, rows])) == pytest.approx(2 * rows)
    noisy = rows * rng.chisquare(1, size=rows.shape)
    moved = np.abs(predicted.blend(np.stack([noisy, rows])) - rows).sum() / np.abs(noisy - rows).sum()
    assert moved < 0.2
    # Units that truly differ by a tenth, read with a noise of a tenth: half of the difference is taken, as a regression would.
    truth = rows * (1 + 0.1 * rng.standard_normal((40, 3, 1)))
    read = truth + 0.1 * rng.standard_normal(rows.shape) * rows.sum(-1, keepdims=True) / 200**0.5
    share = (predicted.blend(np.stack([read, rows])) - rows).sum() / (read - rows).sum()
    assert share == pytest.approx(0.5, abs=0.15)


def test_what_no_noise_can_be_told_of_is_left_as_rows() -> None:
    rows = np.ones((2, 1, 1))
    assert predicted.blend(np.stack([3 * rows, rows])) == pytest.approx(rows)
    nothing = np.zeros((2, 1, 4))
    assert predicted.blend(np.stack([nothing, nothing])) == pytest.approx(nothing)


def test_a_model_that_overwrites_its_inputs_is_refused_by_name() -> None:
    class Overwriting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.tanh(self.first(x))
            answered: torch.Tensor = self.second(hidden)
            with torch.no_grad():
                hidden.add_(1)
            return answered

    model = Overwriting()
    with Taps(model, units(model), lambda rows: None) as watching:
        scored = Scored.of(model(torch.ones(2, 8)))
        watching.n_sequences = 2
        with pytest.raises(ProfileError, match="overwrites the input of second"):
            torch.autograd.backward(scored.logits.sum())


def test_pieces_add_up(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found, answer = parts(llama, "module"), LanguageModel(llama, 0)
    whole = predicted.squares(llama, found, FORMATS, TEXTS, answer, draws=2, seed=(2,))
    monkeypatch.setattr(taps, "PIECE", 500)
    pieces = predicted.squares(llama, found, FORMATS, TEXTS, answer, draws=2, seed=(2,))
    assert pieces == pytest.approx(whole, rel=1e-3)


# ---------------------------------------------------------------- measured


def test_a_divergence_is_what_scipy_computes(llama: Any) -> None:
    answer = LanguageModel(llama, 0)
    found = parts(llama, "module")
    before = {name: weight.clone() for name, weight in llama.state_dict().items()}
    nats = Divergences(TEXTS, answer).lowering(found[2:3], LEVELS["q2"])
    with torch.no_grad():
        base = answer(TEXTS)
        (unit,) = found[2].weights
        unit.weight.copy_(quantize(unit.weight.data, LEVELS["q2"]))
        other = answer(TEXTS)
        unit.weight.copy_(before[unit.parameter_name])
    p, q = (scored.logits.double().softmax(-1).numpy() for scored in (base, other))
    expected = np.bincount(base.sequence.numpy(), weights=entropy(p, q, axis=1))
    assert nats == pytest.approx(expected)
    assert all(torch.equal(weight, before[name]) for name, weight in llama.state_dict().items())
    assert divergence(base, base) == pytest.approx([0, 0, 0], abs=1e-12)


def test_lowering_every_unit_is_applying_the_level(llama: Any) -> None:
    """The very numbers and the very bytes of a sweep."""
    found = parts(llama, "block")
    applied = copy.deepcopy(llama)
    proof = apply(applied, LEVELS["q3"])
    with lowered(found, LEVELS["q3"]):
        theirs = applied.state_dict()
        assert all(torch.equal(weight, theirs[name]) for name, weight in llama.state_dict().items())
    sizes = sum(describe(part, {"q3": LEVELS["q3"]}).bytes["q3"] for part in found)
    assert sizes + proof.other_bytes == pytest.approx(proof.storage_bytes)


# ---------------------------------------------------------------- what the documents report


def test_fisher_and_gradients_are_those_of_the_loss(llama: Any) -> None:
    found, answer = parts(llama, "module"), LanguageModel(llama, 0)
    sums = fisher.gradients(llama, found, FORMATS, TEXTS, answer)
    place = next(i for i, part in enumerate(found) if part.name.endswith("down_proj"))
    (unit,) = found[place].weights
    squared = absolute = signed = 0.0
    change = quantize(unit.weight.data, LEVELS["q2"]) - unit.weight.data
    for text in TEXTS:
        scored = answer([text])
        assert scored.labels is not None
        loss = -torch.nn.functional.cross_entropy(scored.logits, scored.labels)
        (gradient,) = torch.autograd.grad(loss, [unit.weight])
        squared += float(gradient.square().mean())
        absolute += float(gradient.abs().mean())
        signed += float((gradient * change).sum())
    assert sums.squared[place] == pytest.approx(squared, rel=1e-4)
    assert sums.absolute[place] == pytest.approx(absolute, rel=1e-4)
    assert sums.signed[place, 1] == pytest.approx(signed, rel=1e-3, abs=1e-7)


def test_effective_ranks_of_known_matrices() -> None:
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    assert effective_rank(torch.outer(torch.arange(1.0, 6), torch.ones(3))) == pytest.approx(1, abs=1e-6)
    # Singular values 3 and 1: exp of the entropy of (3/4, 1/4).
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )


def test_activation_statistics_by_hand() -> None:
    """Two tokens (3, 4, 0, 0) and (0, 0, 0, -2), one of padding: mean 5/8, magnitudes 5 and 2, five entries of eight that are nothing."""
    sums = ActivationSums()
    output = torch.tensor([[[3.0, 4, 0, 0], [0, 0, 0, -2], [9, 9, 9, 9]]])
    sums.see((output, None), torch.tensor([[True, True, False]]))
    found = sums.activations()
    assert found.sparsity == 5 / 8
    assert found.mean == pytest.approx(5 / 8)
    assert found.std == pytest.approx(math.sqrt(29 / 8 - (5 / 8) ** 2))
    assert found.magnitude == pytest.approx(3.5)
    # Orthogonal tokens with singular values 5 and 2.
    assert found.effective_rank == pytest.approx(math.exp(-(5 / 7) * math.log(5 / 7) - (2 / 7) * math.log(2 / 7)))


def test_attention_statistics_by_hand() -> None:
    """The second token sees two positions: one head looks at the first, the other at both alike. The first sees one and says nothing."""
    weights = torch.tensor([[[[1.0, 0, 0], [1, 0, 0], [0, 0, 1]], [[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]]])
    sums = AttentionSums()
    sums.see((None, weights), torch.tensor([[True, True, False]]))
    found = sums.attention()
    assert found.entropy == pytest.approx(math.log(2) / 2)
    assert found.focus == pytest.approx(1 - 1 / 2)
    mixed = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert found.specialization == pytest.approx((mixed - math.log(2) / 2) / math.log(2))


# ---------------------------------------------------------------- the command's twin


def run(out: Path, random_llama: Path, notes: Path, **changed: Any) -> profiles.Profile:
    wanted: dict[str, Any] = {
        "tasks": ["qbench_numerical_arithmetic", f"own={notes}"],
        "formats": ["q4", "q2"],
        "measure": 2,
        "sequences": 2,
        "draws": 1,
        "max_tokens": 400,
        "progress": False,
    }
    return sensitivity(str(random_llama), out=out, **wanted | changed)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("The quick brown fox jumps over the lazy dog. " * 12, encoding="utf-8")
    return path


def test_a_profile_is_whole_and_a_killed_one_ends_the_same(
    random_llama: Path, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, killed = tmp_path / "undisturbed.json", tmp_path / "killed.json"
    profile = run(undisturbed, random_llama, notes)
    arithmetic, own = profile.probes
    assert (arithmetic.name, arithmetic.split, own.name, own.responses) == (
        "numerical_arithmetic",
        "validation",
        "own",
        "text",
    )
    assert all(cost.value > 0 for row in arithmetic.predicted.values() for cost in row.values())
    measured = [name for name, row in arithmetic.measured.items() if not row["q2"].is_missing]
    assert len(measured) == 2
    assert {place.name for place in own.places if place.attention} == {f"model.layers.{i}.self_attn" for i in (0, 1)}
    everything = dict.fromkeys((unit.name for unit in profile.units), "q4")
    model = AutoModelForCausalLM.from_pretrained(random_llama)
    assert profile.bits_per_weight(everything) == pytest.approx(apply(model, LEVELS["q4"]).bits_per_weight)

    once, left = journal.Journal.once, iter(range(25))

    def until_killed(self: Any, *arguments: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return once(self, *arguments)

    monkeypatch.setattr(journal.Journal, "once", until_killed)
    with pytest.raises(KeyboardInterrupt):
        run(killed, random_llama, notes)
    monkeypatch.setattr(journal.Journal, "once", once)
    unfinished = killed.with_name("killed.json.unfinished")
    unfinished.write_bytes(unfinished.read_bytes()[:-7])  # a line that the disk did not get whole
    with pytest.raises(ProfileError, match=r"unfinished work of another command \(it differs in draws\)"):
        run(killed, random_llama, notes, draws=2)
    run(killed, random_llama, notes)
    assert killed.read_bytes() == undisturbed.read_bytes()
    assert not unfinished.exists()

    monkeypatch.setattr(profiling, "_profile", None)  # nothing is computed any more
    assert run(killed, random_llama, notes).probes[0].predicted == profile.probes[0].predicted
    with pytest.raises(ProfileError, match=r"finished profile of another command \(it differs in settings\)"):
        run(killed, random_llama, notes, measure="all")


@pytest.mark.parametrize("line", ["[[1], 2]", "[1, 2]", '["key"]', '"ab"', '{"a": 1, "b": 2}', "7", "[", ""])
def test_a_damaged_journal_is_one_sentence(line: str, tmp_path: Path) -> None:
    path = tmp_path / "sens.json.unfinished"
    assert journal.Journal(path, {"plan": 1}).once("key", lambda: [0.5]) == [0.5]
    assert journal.Journal(path, {"plan": 1}).once("key", list) == [0.5]
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ProfileError, match=r"is damaged \(.*\)\. Delete it, and begin again"):
        journal.Journal(path, {"plan": 1})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"formats": ["fp16"]}, "no format of a single weight"),
        ({"formats": ["attention8-mlp4-embed6"]}, "no format of a single weight"),
        ({"formats": ["nf4"]}, "no format of a single weight"),
        ({"measure": "some"}, "all or a number"),
        ({"unit": "head"}, "module, layer, block, not 'head'"),
        ({"tasks": ["none.txt"]}, r"There is no text file none\.txt"),
        ({"formats": []}, "of one format or more"),
        ({"max_tokens": 3}, "no text of at most 3 tokens"),
        ({"sequences": 1}, "at least 2 sequences of text, and --sequences asks for 1"),
        ({"responses": "best"}, "reference or own"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    changed: dict[str, Any], sentence: str, random_llama: Path, notes: Path, tmp_path: Path
) -> None:
    with pytest.raises((ProfileError, LevelError), match=sentence):
        run(tmp_path / "sens.json", random_llama, notes, **changed)
    assert not (tmp_path / "sens.json").exists()


def test_a_text_of_a_single_sequence_is_refused_before_it_is_measured(
    random_llama: Path, notes: Path, tmp_path: Path
) -> None:
    notes.write_text(notes.read_text(encoding="utf-8")[:140], encoding="utf-8")  # one stretch of 128 tokens, and 12
    with pytest.raises(
        ProfileError, match=r"has a single text, and a standard error takes 2: .* fewer than the 144 tokens"
    ):
        run(tmp_path / "sens.json", random_llama, notes, tasks=[f"own={notes}"], sequences=2)


@pytest.mark.parametrize(
    ("n_tokens", "lengths"), [(300, [128, 128, 44]), (271, [128, 128]), (272, [128, 128, 16]), (144, [128, 16])]
)
def test_a_text_file_is_cut_into_sequences(
    n_tokens: int, lengths: list[int], random_llama: Path, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("x" * n_tokens, encoding="utf-8")  # a token a byte
    drawn = draw(QBenchLM(str(random_llama)), str(path), sequences=9)
    assert [len(text.tokens) for text in drawn.texts] == lengths
    assert drawn.scored == tuple(length - 1 for length in lengths)


def test_why_a_text_gives_nothing_to_ask(random_llama: Path, tmp_path: Path) -> None:
    lm, path = QBenchLM(str(random_llama)), tmp_path / "notes.txt"

    def why(argument: str, **wanted: Any) -> str:
        with pytest.raises(ProfileError) as caught:
            draw(lm, argument, sequences=2, **wanted)
        return str(caught.value)

    for content in ("", " \n ", "fifteen letters"):
        path.write_text(content, encoding="utf-8")
        assert f"{path} has fewer than the 144 tokens that makes. Write more into it." in why(str(path))
    path.write_text("x" * 200, encoding="utf-8")
    assert "has a single text left (looked at before: 1)" in why(str(path), exclude=["notes.txt/0"])
    path.write_bytes(b"\xff\xfe\x00")
    assert why(str(path)) == f"{path} cannot be read as text; save it as UTF-8."
    assert re.search(
        r"no text of at most 9 tokens \(longer: \d+\), and a standard error takes 2; allow more with --max-tokens\.",
        why("qbench_numerical_arithmetic", max_tokens=9),
    )


def test_the_file_to_write_is_looked_at_before_anything_is_loaded(
    random_llama: Path, notes: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text('{"mine": 1}', encoding="utf-8")
    for name, sentence in (("", "is a folder; --out names a file in it"), ("other.json", "was not overwritten")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(profiling, "open_model", None)
            with pytest.raises(ProfileError, match=sentence):
                run(tmp_path / name, random_llama, notes)
    assert (tmp_path / "other.json").read_text(encoding="utf-8") == '{"mine": 1}'


def test_an_error_while_loading_stands_alone(
    random_llama: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sensitivity", "--model", str(random_llama), "--tasks", str(notes), "--responses", "own"]
    notes.write_text("", encoding="utf-8")
    assert main([*command, "--out", str(tmp_path / "sens.json")]) == EXIT_BAD_INPUT
    err = capsys.readouterr().err
    assert err.startswith("qbench: The probe notes has no text, and a standard error takes 2: ")
    assert err.count("\n") == 1


def test_the_command_prints_the_dearest_units_and_where_the_file_is(
    random_llama: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_ROWS", 6)
    out = tmp_path / "sens.json"
    command = [
        "sensitivity",
        "--model",
        str(random_llama),
        "--tasks",
        str(notes),
        "--formats",
        "q4",
        "--sequences",
        "2",
    ]
    assert main([*command, "--draws", "1", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(out)
    assert f"qbench sensitivity show {out}" in lines[-3]
    assert "(the 6 dearest of 15 units)" in lines[0]
    read = profiles.read(out)
    dearest = sorted(read.units, key=lambda unit: -read.probes[0].predicted[unit.name]["q4"].value)
    assert [line.split()[1] for line in lines[4:10]] == [unit.name for unit in dearest[:6]]
    # Once more: it is finished, and says so.
    written = out.read_bytes()
    capsys.readouterr()
    assert main([*command, "--draws", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().err == f"qbench: {out} is finished, and nothing was computed again.\n"
    assert out.read_bytes() == written


def test_batches_hold_every_text_once_and_no_more_tokens_than_they_may() -> None:
    made = batches(TEXTS * 5, batch_tokens=30)
    assert sorted(at for batch in made for at in batch) == list(range(15))
    assert all(len(batch) * max(len((TEXTS * 5)[at].tokens) for at in batch) <= 30 for batch in made)


def test_own_responses_are_scored_where_they_are_asked_for(random_llama: Path, notes: Path, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "tasks": ["qbench_numerical_arithmetic"],
        "measure": None,
        "sequences": 2,
        "formats": ["q4"],
    }
    wanted["max_tokens"] = 900
    reference = run(tmp_path / "reference.json", random_llama, notes, **wanted)
    own = run(tmp_path / "own.json", random_llama, notes, responses="own", **wanted)
    assert reference.probes[0].items == own.probes[0].items
    assert reference.probes[0].sha256 != own.probes[0].sha256
    assert json.loads((tmp_path / "own.json").read_text())["settings"]["responses"] == "own"
