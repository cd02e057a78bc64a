"""nano: its corpus asks nothing that the bank's evaluation asks, its training can be interrupted, and its files load."""

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from qbench.bank import VALIDATION_ITEMS, leaves
from qbench.models import nano_path
from qbench.nano import recipe
from qbench.nano.batches import ROW_LENGTHS, Encoded, batches, encode
from qbench.nano.corpus import Text, corpus, leaf_texts, read, sums, write
from qbench.nano.tokenizer import train_tokenizer
from qbench.nano.train import Plan, State, architecture, train, weighted_loss

SCALE = 0.02  # of the corpus
PLAN = Plan(tokens=2_000, batch_tokens=256)


@pytest.fixture(scope="module")
def texts() -> list[Text]:
    return corpus(seed=1, scale=SCALE)


@pytest.fixture(scope="module")
def tokenizer(texts: list[Text]) -> PreTrainedTokenizerFast:
    return train_tokenizer([text.prompt + text.response for text in texts], context=ROW_LENGTHS[-1], vocabulary=300)


@pytest.fixture(scope="module")
def encoded(texts: list[Text], tokenizer: PreTrainedTokenizerFast) -> list[Encoded]:
    short = [text for text in texts if len(text.prompt) < 150]
    return encode(short[:100], tokenizer)


def test_no_evaluation_question_occurs_in_the_corpus(texts: list[Text]) -> None:
    asking = re.compile(r"Question: (.*?)\n(?:Reply with [^\n]*\n|Answer:)?", re.DOTALL)
    read_by_nano = {found[1] for text in texts if (found := asking.fullmatch(text.prompt))}
    assert len(read_by_nano) > 1000
    asked = {
        item.question
        for leaf in leaves()
        for items in (leaf.items("test"), leaf.items("validation", items=VALIDATION_ITEMS))
        for item in items
    }
    assert asked & read_by_nano == set()


def test_every_leaf_the_fact_tables_and_sums_are_in_the_corpus(texts: list[Text]) -> None:
    assert {text.leaf for text in texts} == {"facts", "sums", *(leaf.task for leaf in leaves())}


def test_sums_are_right() -> None:
    lines = [line for text in sums(1, 200) for line in text.response.splitlines()]
    for line in lines:
        left, right = line.replace("×", "*").split(" = ")
        values = [eval(side, {"__builtins__": {}}) for side in (left, right)]
        assert values[0] == values[1], line
    assert len({line.translate(str.maketrans("", "", "0123456789")) for line in lines}) == 5


def test_a_leaf_gives_the_same_texts_again(texts: list[Text]) -> None:
    first = leaves()[0]
    again = leaf_texts(first, 1, SCALE)
    assert sorted(again, key=str) == sorted((text for text in texts if text.leaf == first.task), key=str)


def test_a_corpus_comes_back_from_its_file(texts: list[Text], tmp_path: Path) -> None:
    write(texts, tmp_path / "corpus.jsonl")
    assert read(tmp_path / "corpus.jsonl") == texts


def test_digits_stand_alone_and_text_comes_back(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "12345.67 × 10² = “x”\n"
    tokens = tokenizer.tokenize(text)
    assert tokens[:8] == list("12345.67")
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_an_epoch_holds_every_text_once(encoded: list[Encoded], tokenizer: PreTrainedTokenizerFast) -> None:
    epoch = batches(encoded, batch_tokens=512, seed=1, epoch=0, padding=tokenizer.pad_token_id)
    weighed = sum(float(batch.weights.sum()) for batch in epoch)
    assert weighed == pytest.approx(sum(float(text.weights[1:].sum()) for text in encoded), rel=1e-5)


def test_a_text_is_blind_to_its_neighbours_in_the_row(
    encoded: list[Encoded], tokenizer: PreTrainedTokenizerFast
) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(architecture(tokenizer)).eval()
    (batch,) = islice(batches(encoded, batch_tokens=256, seed=1, epoch=0, padding=tokenizer.pad_token_id), 1)
    starts = np.flatnonzero(batch.positions[0] == 0)
    second = slice(int(starts[1]), int(starts[2]))
    with torch.no_grad():
        packed = model(batch.tokens, position_ids=batch.positions, use_cache=False).logits[0, second]
        alone = model(batch.tokens[:, second]).logits[0]
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-4)


def test_of_two_tokens_one_counts_and_responses_come_first(
    encoded: list[Encoded], tokenizer: PreTrainedTokenizerFast
) -> None:
    for batch in batches(encoded, batch_tokens=512, seed=1, epoch=0, padding=tokenizer.pad_token_id):
        assert len(set(batch.counted.tolist())) == batch.tokens.numel() // 2
        left_out = torch.ones(batch.tokens.numel(), dtype=torch.bool)
        left_out[batch.counted] = False
        weights = batch.weights.flatten()
        assert weights[left_out].max() <= weights[batch.counted].min() or weights[left_out].max() < 1


def test_the_loss_is_the_weighted_mean_over_the_tokens_that_count(
    encoded: list[Encoded], tokenizer: PreTrainedTokenizerFast
) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(architecture(tokenizer)).eval()
    (batch,) = islice(batches(encoded, batch_tokens=256, seed=1, epoch=0, padding=tokenizer.pad_token_id), 1)
    with torch.no_grad():
        found = weighted_loss(model, batch).item()
        logits = model(batch.tokens, position_ids=batch.positions, use_cache=False).logits.double().flatten(0, 1)
    tokens, weights = batch.tokens.flatten(), batch.weights.flatten().double()
    nats = [-logits[at - 1].log_softmax(-1)[tokens[at]] for at in batch.counted.tolist()]
    counted = weights[batch.counted]
    assert found == pytest.approx(((torch.stack(nats) * counted).sum() / counted.sum()).item(), rel=1e-2)  # bf16 on AMX


def test_a_resumed_training_ends_with_the_same_weights(
    encoded: list[Encoded], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    def go(folder: str, stop_at_step: int | None = None) -> State:
        (tmp_path / folder).mkdir(exist_ok=True)
        return train(
            encoded,
            encoded[:10],
            tokenizer,
            PLAN,
            folder=tmp_path / folder,
            device=torch.device("cpu"),
            stop_at_step=stop_at_step,
        )

    undisturbed = go("undisturbed")
    assert go("interrupted", stop_at_step=3).step == 3
    resumed = go("interrupted")
    assert (resumed.step, resumed.tokens) == (undisturbed.step, undisturbed.tokens)
    for name, weight in undisturbed.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_the_learning_rate_rises_then_falls_to_its_share() -> None:
    plan = replace(PLAN, learning_rate=1.0, warm_up=0.1, final_share=0.02)
    assert [plan.rate(0.0), plan.rate(0.05), plan.rate(0.1)] == [0.0, 0.5, 1.0]
    assert plan.rate(1.0) == pytest.approx(0.02)


def test_the_recipe_runs_from_corpus_to_model(texts: list[Text], tmp_path: Path) -> None:
    build, out = tmp_path / "build", tmp_path / "out"
    build.mkdir()
    write([text for text in texts if len(text.prompt) < 150][:200], build / "corpus.jsonl")
    recipe.run(out, PLAN, build=build, device="cpu")
    _load(out)


def test_the_shipped_model_loads() -> None:
    model, tokenizer = _load(Path(nano_path()))
    assert model.config.max_position_embeddings == tokenizer.model_max_length == ROW_LENGTHS[-1]
    assert (Path(nano_path()) / "model.safetensors").stat().st_size <= 10_000_000


def _load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.config.vocab_size == len(tokenizer)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    return model, tokenizer
