"""Levels and mixes: what a name means, and what is refused."""

from pathlib import Path

import pytest

from qbench.errors import LevelError, MixError
from qbench.levels import LEVELS, Level, Mix, layer_of, read_mix, resolve, shipped_mixes

LLAMA_12 = [
    "model.embed_tokens",
    *(
        f"model.layers.{layer}.{part}"
        for layer in range(12)
        for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")
    ),
]


def test_bits_per_weight_counts_scales_and_zero_points() -> None:
    assert Level("a", bits=4, group_size=64).bits_per_weight() == 4 + 16 / 64
    assert Level("a", bits=2, group_size=32, symmetric=False).bits_per_weight() == 2 + (16 + 2) / 32
    assert LEVELS["fp16"].bits_per_weight() == 16


def test_an_unknown_level_names_the_nearest() -> None:
    with pytest.raises(LevelError, match=r"No level named 'q44'\. Did you mean q4\?"):
        resolve("q44")


def test_other_names_of_full_precision() -> None:
    assert resolve("bf16") == resolve("fp32") == LEVELS["fp16"]


@pytest.mark.parametrize("name", sorted(shipped_mixes()))
def test_every_shipped_mix_decides_for_modules_of_a_llama(name: str) -> None:
    mix = resolve(name)
    assert isinstance(mix, Mix)
    assert set(mix.assign(LLAMA_12)) == set(LLAMA_12)
    assert mix.about


def test_the_mix_of_document_002() -> None:
    mix = resolve("attention8-mlp4-embed6")
    assert isinstance(mix, Mix)
    assigned = {name: level.name for name, level in mix.assign(LLAMA_12).items()}
    assert assigned["model.embed_tokens"] == "q6"
    assert assigned["model.layers.3.self_attn.q_proj"] == "q8"
    assert assigned["model.layers.3.mlp.down_proj"] == "q4"


def test_the_mix_of_document_000_follows_depth() -> None:
    mix = resolve("early2-middle-late4")
    assert isinstance(mix, Mix)
    names = [f"model.layers.{layer}.{part}" for layer in range(32) for part in ("self_attn.q_proj", "mlp.up_proj")]
    assigned = mix.assign(names)
    bits = {
        layer: (
            assigned[f"model.layers.{layer}.self_attn.q_proj"].bits,
            assigned[f"model.layers.{layer}.mlp.up_proj"].bits,
        )
        for layer in range(32)
    }
    assert {bits[layer] for layer in range(16)} == {(2, 2)}
    assert {bits[layer] for layer in range(16, 24)} == {(4, 2)}
    assert {bits[layer] for layer in range(24, 32)} == {(4, 4)}


def mix_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return path


def test_the_first_rule_that_matches_wins(tmp_path: Path) -> None:
    mix = read_mix(
        mix_file(
            tmp_path,
            "default: q8\nrules: [{modules: '*q_proj', layers: 2-3, level: q2}, {modules: '*attn*', level: q4}]",
        )
    )
    assigned = mix.assign(LLAMA_12)
    assert assigned["model.layers.2.self_attn.q_proj"].name == "q2"
    assert assigned["model.layers.4.self_attn.q_proj"].name == "q4"
    assert assigned["model.layers.4.mlp.up_proj"].name == "q8"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("2-4", {2, 3, 4}), ("0%-25%", {0, 1, 2}), ("75%-100%", {9, 10, 11}), ("7", {7}), ("last", {11})],
)
def test_a_range_of_layers(tmp_path: Path, layers: str, expected: set[int]) -> None:
    mix = read_mix(mix_file(tmp_path, f"default: q8\nrules: [{{modules: '*', layers: {layers}, level: q4}}]"))
    assert {layer_of(name) for name, level in mix.assign(LLAMA_12).items() if level.name == "q4"} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default: q4\nrules: [{modules: '*', layers: 12, level: q8}]", "The model has 12 layers"),
        ("default: q4\nrules: [{modules: '*conv*', level: q8}]", r"'\*conv\* -> q8' decides for no module"),
        ("default: q4\nrules: [{modules: '*', level: q8}, {modules: '*mlp*', level: q2}]", "decides for no module"),
        ("default: q44\nrules: []", r"Did you mean q4\?"),
        ("default: q4\nrules: [{modules: '*', level: q8, layers: early}]", "'early' is no range of layers"),
        ("default: q4\nrules: [{modules: '*', levels: q8}]", "A rule of the mix"),
        ("default: [q4]\nrules: []", r"names the level \['q4'\]\. A mix is made of fp16, q8"),
        ("default: {a: b}\nrules: []", r"names the level \{'a': 'b'\}\. A mix is made of fp16, q8"),
        ("default: q4\nrules: [{modules: '*', level: [nf4]}]", r"names the level \['nf4'\]\."),
        (
            f"default: q4\nrules: [{{modules: '*', level: q8, layers: '{'9' * 5000}'}}]",
            "'9{40}…' is no range of layers",
        ),
        (f"default: q4\nrules: [{{modules: '*', level: q8, layers: 0%-{'9' * 400}%}}]", "9…' is no range of layers"),
        ("default: q4\nrules: [{modules: '*', level: q8, layers: 0-50%}]", "'0-50%' is no range of layers"),
        ("default: q4\nrules: [{modules: '*', level: q8, layers: 7%}]", "'7%' is no range of layers"),
        ("default: [q4", r"^The mix \S+own\.yaml is no YAML at line 1, column 13 \(expected .*\); mend it there\.$"),
        ("default: q4\n\trules: []", r"line 2, column 1 \(found character '\\t' that cannot start any token\)"),
        ("default: \x00", "is no YAML; it must be a text file"),
        ("", "is empty; it needs a default level and a list of rules"),
        ("default: q4\nrules: 5", "are no list"),
        ("q4", "needs a default level and a list of rules"),
    ],
)
def test_a_bad_mix_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MixError, match=message):
        read_mix(mix_file(tmp_path, text)).assign(LLAMA_12)


@pytest.mark.parametrize(
    "text", ["default: fp16\nrules: []", "default: q4\nrules: [{modules: '*', level: fp16}]"], ids=["default", "rule"]
)
def test_a_mix_that_lowers_nothing_is_no_level_of_a_model(tmp_path: Path, text: str) -> None:
    with pytest.raises(MixError, match="The mix own changes nothing: all "):
        read_mix(mix_file(tmp_path, text)).lower(LLAMA_12)


def test_a_mix_that_is_not_there() -> None:
    with pytest.raises(MixError, match=r"There is no mix file nowhere\.yaml"):
        resolve("nowhere.yaml")


def test_the_layer_is_the_first_number_of_a_name() -> None:
    assert layer_of("model.layers.3.mlp.experts.7.up_proj") == 3
    assert layer_of("lm_head") is None
