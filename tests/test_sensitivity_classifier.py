"""Source document 004 on an encoder that is trained here: any torch model, its layers lowered one by one, and its mixes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from qbench.errors import ProfileError
from qbench.levels import LEVELS, Mix, resolve
from qbench.quant.apply import apply
from qbench.sensitivity import fisher
from qbench.sensitivity.measured import divergence, measure
from qbench.sensitivity.parts import parts
from qbench.sensitivity.predicted import predict, squares
from qbench.sensitivity.taps import Scored

N_WORDS, LENGTH = 40, 10
PRAISE, BLAME = range(8), range(8, 16)
FORMATS = {name: LEVELS[name] for name in ("q4", "q3")}


@dataclass
class Trained:
    """A small DistilBERT that tells praise from blame, and sentences it has not seen."""

    model: Any
    words: torch.Tensor
    labels: torch.Tensor

    def answer(self, words: torch.Tensor) -> Scored:
        return Scored.of(self.model(input_ids=words).logits, sentiment(words))

    @torch.no_grad()
    def accuracy(self) -> float:
        return float((self.answer(self.words).logits.argmax(1) == self.labels).float().mean())


def sentiment(words: torch.Tensor) -> torch.Tensor:
    """1 where more words praise than blame."""
    praise = (words < PRAISE.stop).sum(1)
    blame = ((words >= BLAME.start) & (words < BLAME.stop)).sum(1)
    return (praise > blame).long()


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=N_WORDS,
        dim=64,
        hidden_dim=128,
        n_layers=6,
        n_heads=4,
        max_position_embeddings=LENGTH,
        dropout=0.0,
        attention_dropout=0.0,
        seq_classif_dropout=0.0,
    )
    model: Any = DistilBertForSequenceClassification(config)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(80):
        words = torch.randint(N_WORDS, (64, LENGTH), generator=generator)
        loss = model(input_ids=words, labels=sentiment(words)).loss
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    words = torch.randint(N_WORDS, (384, LENGTH), generator=generator)
    return Trained(model.eval(), words, sentiment(words))


@pytest.fixture(scope="module")
def costs(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and measured, (layers and head, formats), nats a sentence."""
    units = parts(trained.model, "layer")
    batches = [trained.words[:192], trained.words[192:]]
    predicted = predict(trained.model, units, FORMATS, batches, trained.answer, draws=1).mean(-1)
    return predicted, measure(units, FORMATS, batches, trained.answer).mean(-1)


def test_the_classifier_has_learned_its_task(trained: Trained) -> None:
    assert trained.accuracy() > 0.9


def test_between_two_classes_the_draws_have_no_noise(trained: Trained) -> None:
    one, other = (
        squares(
            trained.model,
            parts(trained.model, "layer"),
            FORMATS,
            trained.words[:64],
            trained.answer,
            draws=1,
            seed=(i,),
        )
        for i in (1, 2)
    )
    assert one == pytest.approx(other, rel=1e-3)


def test_one_layer_after_the_other(trained: Trained, costs: tuple[np.ndarray, np.ndarray]) -> None:
    """Phase 2: leave one layer in; the predicted order is the measured one, and the sizes agree."""
    predicted, measured = costs
    names = [part.name for part in parts(trained.model, "layer")]
    assert [name for name in names if ".layer." in name] == [f"distilbert.transformer.layer.{i}" for i in range(6)]
    assert (measured > 0).all()
    for column in range(len(FORMATS)):
        assert spearmanr(predicted[:, column], measured[:, column]).statistic > 0.8
        assert 0.67 < np.median(predicted[:, column] / measured[:, column]) < 1.5
    assert (measured[:, 1] > measured[:, 0]).mean() > 0.8  # fewer bits cost more


@pytest.mark.parametrize("name", ["int6-int4", "int8-selective-int4", "last-layer-int4"])
def test_the_documents_mixes(name: str, trained: Trained) -> None:
    """Phase 3 and the ablation: each mix lowers what it says, and costs more than nothing and less than 3 bits everywhere."""
    mix = resolve(name)
    assert isinstance(mix, Mix)

    def cost(lower: Callable[[Any], object]) -> float:
        before = {key: weight.clone() for key, weight in trained.model.state_dict().items()}
        with torch.no_grad():
            base = trained.answer(trained.words)
            lower(trained.model)
            nats = divergence(base, trained.answer(trained.words)).mean()
        trained.model.load_state_dict(before)
        return float(nats)

    proofs = []
    own = cost(lambda model: proofs.append(apply(model, mix)))
    levels = {module.name: module.level for module in proofs[0].modules}
    expected = {
        "int6-int4": ["q4", "q4", "q6", "q6", "q6", "q4"],
        "int8-selective-int4": ["q8", "q8", "q8", "q8", "q4", "q4"],
        "last-layer-int4": ["fp16"] * 5 + ["q4"],
    }[name]
    assert [levels[f"distilbert.transformer.layer.{i}.ffn.lin1"] for i in range(6)] == expected
    assert 0 < own < cost(lambda model: apply(model, LEVELS["q3"]))


def test_gradients_need_labels_and_say_so(trained: Trained) -> None:

    units = parts(trained.model, "module")
    found = fisher.gradients(trained.model, units, FORMATS, trained.words[:32], trained.answer)
    assert (found.squared > 0).all()
    with pytest.raises(ProfileError, match="labels"):
        fisher.gradients(
            trained.model, units, FORMATS, trained.words[:32], lambda words: Scored.of(trained.model(words).logits)
        )
