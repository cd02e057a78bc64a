"""Documents of any length: the same facts, at the same depths, in filler that never repeats itself."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from qbench import bank, long
from qbench.contexts import Row, Words, read_sizes
from qbench.errors import BankError, ModelError
from qbench.facts import table, words
from qbench.generators.filler import EARLY, LATE, MIDDLE, Document, Later, plant, sentences
from qbench.models import nano_path
from qbench.templates import stream

LEAVES = ("long_context/inference", "long_context/multistep", "long_context/retrieval")
GENRES = sorted({row["genre"] for row in table("filler")} - {"slot"})
WORDS_OF_128K_TOKENS = 100_000


def save_tokenizer(folder: Path, kind: str) -> str:
    """A tokenizer folder: one token a word, one a byte, or pieces behind a ▁ as in Llama 2."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    if kind == "words":
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    elif kind == "bytes":
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE(vocab={sign: number for number, sign in enumerate(alphabet)}, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        sample = [text for _, text in islice(sentences("office", 1), 300)]
        tokenizer.train_from_iterator(
            sample,
            trainers.UnigramTrainer(
                vocab_size=600, unk_token="<unk>", special_tokens=["<unk>", "<s>"], show_progress=False
            ),
        )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tokenizers")
    own = {kind: save_tokenizer(folder / kind, kind) for kind in ("words", "bytes", "pieces")}
    return {"nano": nano_path(), **own}


def ruler(tokenizer: str) -> long.Tokens:
    return long._ruler(tokenizer, "main", False)


def rows(leaf: str, tokenizer: str, sizes: list[int], items: int) -> list[Row]:
    return bank.items_in_sizes(long._leaf(leaf), "test", sizes, ruler(tokenizer), items=items)


# ---------------------------------------------------------------- filler


@pytest.mark.parametrize("genre", GENRES)
def test_no_sentence_of_the_filler_is_repeated_in_128k_tokens(genre: str) -> None:
    seen: set[str] = set()
    n_words = 0
    for _, text in sentences(genre, seed=11):
        assert text not in seen
        seen.add(text)
        n_words += len(text.split())
        if n_words > WORDS_OF_128K_TOKENS:
            break


@pytest.mark.parametrize("genre", GENRES)
def test_the_filler_has_no_digits_and_names_nobody(genre: str) -> None:
    people = {name for name in words("people")}
    for _, text in islice(sentences(genre, seed=3), 2000):
        assert not re.search(r"\d", text)
        assert re.match(r"[A-Z]", text)
        assert text.endswith(".")
        assert people.isdisjoint(re.findall(r"\w+", text))
        assert "  " not in text


def document_of(template: Any, index: int, difficulty: int) -> tuple[dict[str, Any], Document]:
    from qbench.templates import draw_values

    values = draw_values(template, stream(5, template.id, "test", index), difficulty)
    assert values is not None
    return values, values["document"]


@pytest.mark.parametrize("name", LEAVES)
def test_the_filler_never_holds_the_answer(name: str) -> None:
    for template in bank.named_leaf(name).templates:
        for index in range(5):
            values, document = document_of(template, index, 1 + index % 5)
            asked = [text for text in values.get("others", []) if isinstance(text, str)]
            filler = " ".join(text for _, text in islice(sentences(document.genre, index), 500)).casefold()
            for text in asked:  # the wrong choices are of the same kind as the right one
                assert not re.search(rf"\b{re.escape(text.casefold())}\b", filler), (template.id, text)


def test_the_length_of_a_document_changes_nothing_but_the_filler() -> None:
    facts = [f"Fact {number}." for number in range(20)]
    document = plant(stream(1, "x", "test", 0), facts, "chronicle", 300)
    order = re.findall(r"Fact \d+", document.filled(10_000, Words().filler))
    few, many = (document.filled(budget, Words().filler) for budget in (1000, 10_000))
    assert re.findall(r"Fact \d+", few) == order
    kept = re.sub(r"\s*Fact \d+\.", "", few).split()
    assert re.sub(r"\s*Fact \d+\.", "", many).split()[: len(kept)] == kept


@pytest.mark.parametrize(("variant", "depth"), [("early", EARLY), ("middle", MIDDLE), ("late", LATE)])
@pytest.mark.parametrize("n_words", [200, 2000, 20_000])
def test_a_needle_lies_as_deep_as_it_was_asked_for(variant: str, depth: int, n_words: int) -> None:
    document = plant(stream(1, "x", "test", 0), ["NEEDLE", "another fact"], "office", n_words)
    text = str(getattr(document, variant)).replace("another fact", "").split()
    assert text.index("NEEDLE") / len(text) == pytest.approx(depth / 1000, abs=0.01 + 12 / n_words)


def test_variants_of_a_document_keep_what_they_do_not_change() -> None:
    document = plant(stream(1, "x", "test", 0), ["Needle one.", "Needle two.", "Hay."], "legal", 500, n_needles=2)
    assert str(document.early).index("Needle two.") - str(document.early).index("Needle one.") < 20
    apart = str(document.apart)
    assert apart.index("Needle two.") - apart.index("Needle one.") > len(apart) / 2
    assert "Needle" not in str(document.missing)
    assert "Hay." in str(document.missing)
    assert sorted(document.short.split()) == sorted(["Needle", "one.", "Needle", "two.", "Hay."])


def test_a_document_without_a_length_leaves_a_mark() -> None:
    later = Later()
    document = plant(stream(1, "x", "test", 0), ["Fact."], "legal", later)
    text = f"Question about {document} and {document.short}"
    assert later.marked(text) == (str(document), document)
    assert later.marked("no mark") is None


# ---------------------------------------------------------------- items of chosen sizes


@pytest.mark.parametrize("leaf", LEAVES)
def test_facts_and_ids_do_not_depend_on_the_tokenizer(leaf: str, tokenizers: dict[str, str]) -> None:
    def identity(name: str) -> list[Any]:
        found = rows(leaf, tokenizers[name], [4096], items=1)
        return [
            (row["id"], row["twin"], row["target"], row["answer"], row["solution"], row["choices"]) for row in found
        ]

    assert identity("nano") == identity("words") == identity("bytes") == identity("pieces")


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("kind", ["nano", "words", "bytes", "pieces"])
def test_prompts_are_as_long_as_they_should_be(leaf: str, kind: str, tokenizers: dict[str, str]) -> None:
    size = 8192
    for row in rows(leaf, tokenizers[kind], [size], items=1):
        if row["context"]:
            assert 0.98 * size <= ruler(tokenizers[kind]).prompt(row) <= size, row["id"]


def test_the_largest_prompts_are_built_in_no_time_and_hold_every_fact(tokenizers: dict[str, str]) -> None:
    leaf, size = "long_context/retrieval", 131_072
    short = {row["template"]: row for row in rows(leaf, tokenizers["nano"], [4096], items=1)}  # loads the tokenizer
    started = time.process_time()
    built = rows(leaf, tokenizers["nano"], [size], items=1)
    assert (time.process_time() - started) / len(built) < 1
    for row in built:
        paragraphs = Counter(row["question"].split("\n"))
        assert max(paragraphs.values()) <= 2, row["id"]  # a heading or the empty line
        facts = [part for part in re.findall(r"[^.\n]*\d[^.\n]*\.", short[row["template"]]["question"])]
        assert all(part.strip() in row["question"] for part in facts), row["id"]


def test_sizes_are_twins_and_families_of_depths_stay_families(tokenizers: dict[str, str]) -> None:
    found = rows("long_context/retrieval", tokenizers["words"], [2000, 4000], items=4)
    stem = "long_retrieval.{}.test.0."
    by_template: dict[str, list[tuple[str, str, str]]] = {}
    for row in found:
        if row["index"] == 0:
            by_template.setdefault(row["template"], []).append((row["id"], row["variant"], row["twin"]))
    plain = stem.format("endpoint_limit")
    assert by_template["endpoint_limit"] == [
        (f"{plain}{size}_tokens", f"{size}_tokens", f"{plain}2000_tokens") for size in (2000, 4000)
    ]
    both = stem.format("code_in_a_chronicle")
    assert by_template["code_in_a_chronicle"] == [
        (f"{both}short", "short", f"{both}short"),
        *((f"{both}{size}_tokens", f"{size}_tokens", f"{both}short") for size in (2000, 4000)),
    ]
    depths = stem.format("value_of_a_record")
    assert by_template["value_of_a_record"] == [
        (f"{depths}{size}_tokens.{depth}", depth, f"{depths}{size}_tokens.early")
        for size in (2000, 4000)
        for depth in ("early", "middle", "late")
    ]


def test_sizes_in_words_need_no_tokenizer() -> None:
    leaf = bank.named_leaf("long_context/multistep")
    for row in bank.items_in_sizes(leaf, "test", [3000], Words(), items=1):
        if row["context"]:
            assert 0.98 * 3000 <= len(row["question"].split()) <= 3000
            assert ".3000_words" in row["id"]


def test_sizes_that_can_hold_no_facts_are_refused(tokenizers: dict[str, str]) -> None:
    with pytest.raises(BankError, match=r"the facts alone take more than 600 tokens.*Ask for a larger context"):
        rows("long_context/retrieval", tokenizers["bytes"], [600], items=1)


def test_a_draw_whose_facts_exceed_a_size_is_left_out_of_that_size_alone(caplog: pytest.LogCaptureFixture) -> None:
    leaf = bank.named_leaf("long_context/retrieval")
    found = bank.items_in_sizes(leaf, "test", [80, 3000], Words(), items=10)
    draws = {size: {(row["template"], row["index"]) for row in found if row["context"] == size} for size in (80, 3000)}
    assert draws[80]
    assert draws[80] < draws[3000]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "more than 80 words" in said[0]


def test_the_forced_choice_view_has_contexts_in_words() -> None:
    view = bank.load_choices(leaf="long_context/inference", qb_items=2, qb_context_words=2500)["test"]
    assert all(0.98 * 2500 <= len(row["question"].split()) <= 2500 for row in view if row["context"])
    assert any(row["context"] for row in view)
    assert all(row["choices"][row["target_index"]] == row["target"] for row in view)


@pytest.mark.parametrize(
    ("given", "read"), [(8192, [8192]), ("4096,8192", [4096, 8192]), ([1, 2, 2], [1, 2]), ("512", [512])]
)
def test_sizes_are_read_as_lm_eval_hands_them_on(given: Any, read: list[int]) -> None:
    assert read_sizes(given, "qb_context_tokens") == read


@pytest.mark.parametrize("given", [0, -1, "many", [], 1.5, None])
def test_sizes_that_are_none_are_refused(given: Any) -> None:
    with pytest.raises(BankError, match="qb_context_tokens takes"):
        read_sizes(given, "qb_context_tokens")


def test_the_tokenizer_is_the_one_of_the_model_or_of_the_reference_model(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"leaf": LEAVES[0], "qb_context_tokens": 4096, "qb_items": 1}
    named = long.load_items(**asked, pretrained=nano_path())["test"]
    assert long.load_items(**asked)["test"]["question"] == named["question"]
    with pytest.raises(ModelError, match="no tokenizer at"):
        long.load_items(leaf=LEAVES[0], qb_context_tokens=4096, pretrained=str(tmp_path))


def test_lm_eval_builds_the_group(tokenizers: dict[str, str]) -> None:
    from lm_eval.tasks import TaskManager

    asked = {"qb_items": 1, "qb_context_tokens": [3000], "pretrained": tokenizers["words"]}
    manager = TaskManager(include_path=str(bank.tasks_dir()), include_defaults=False, metadata=asked)
    loaded = manager.load(["qbench-long"])["tasks"]
    assert sorted(loaded) == ["qbench-long-inference", "qbench-long-multistep", "qbench-long-retrieval"]
    assert not {name for name in manager.match_tasks(["qbench_*"]) if name.startswith("qbench-long")}
    for task in loaded.values():
        for doc in task.eval_docs:
            prompt = task.doc_to_text(doc)
            assert len(prompt.split()) + 512 <= 3000
            assert doc["context"] in (0, 3000)


def test_items_in_sizes_do_not_depend_on_the_hash_seed() -> None:
    command = (
        "import hashlib, json; from qbench import bank; from qbench.contexts import Words;"
        "rows = [row for name in ('inference', 'multistep', 'retrieval')"
        " for row in bank.items_in_sizes(bank.named_leaf('long_context/' + name), 'test', [1000], Words(), items=1)];"
        "print(hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
