"""What the reference model is trained on: the bank's own templates, drawn from the training stream, the project's fact tables, and sums.

No question of the test or validation split occurs in it. Facts do occur, as plain sentences: a fact that is asked about may be known.
Sums (47 + 385 = 432) are the steps that most worked solutions are made of.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import jinja2
from tqdm import tqdm

from qbench.bank import Leaf, leaves, task_fields, tasks_dir
from qbench.facts import table

# Of hard items whose answer has to be worked out, a model of this size learns little but their look, so it sees fewer of them.
KEEP_OPEN = {1: 1.0, 2: 1.0, 3: 0.6, 4: 0.15, 5: 0.05}
ITEMS_PER_TEMPLATE = 1200
LONG_ITEMS_PER_TEMPLATE = 60  # of long_context, where one item is as long as ten others
RUBRIC_ITEMS_PER_TEMPLATE = 400
FACT_COPIES = 5
SUM_TEXTS = 15_000
SUMS_PER_TEXT = 6
NO_FACTS = (  # tables that hold sentences, word pairs, or wrong answers beside the right one
    "abbreviations",
    "conditions",
    "explanations",
    "filler",
    "homophones",
    "practical_questions",
    "procedures",
)


@dataclass(frozen=True)
class Text:
    """One training document: the loss counts the response in full and the prompt only a little."""

    leaf: str
    prompt: str
    response: str


def corpus(*, seed: int, scale: float = 1.0, processes: int = 1) -> list[Text]:
    """Draw the whole corpus, shuffled.

    Args:
        seed: of the bank, whose training stream is separate from its test stream.
        scale: 1 for the real thing, less for a trial.
        processes: that draw leaves side by side; the corpus does not depend on it.
    """
    found = [*fact_sentences(seed), *sums(seed, round(SUM_TEXTS * scale))]
    # Spawned, not forked: torch has threads by now, and a fork would inherit their locks.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(leaf_texts, leaf, seed, scale) for leaf in leaves()]
        for job in tqdm(jobs, "drawing items", unit="leaf"):
            found += job.result()
    random.Random(seed).shuffle(found)
    return found


def write(texts: list[Text], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(text), ensure_ascii=False) + "\n" for text in texts)
    os.replace(temporary, path)


def read(path: Path) -> list[Text]:
    with path.open(encoding="utf-8") as file:
        return [Text(**json.loads(line)) for line in file]


def leaf_texts(leaf: Leaf, seed: int, scale: float) -> list[Text]:
    """The training items of one leaf, as the harness would ask them and the bank would answer them."""
    asked = {item.question for split in ("test", "validation") for item in leaf.items(split)}
    assert leaf.path is not None
    fields = task_fields(leaf.path)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    prompt, target = (environment.from_string(str(fields[name])) for name in ("doc_to_text", "doc_to_target"))
    forced_choice = fields["output_type"] == "multiple_choice"
    count = LONG_ITEMS_PER_TEMPLATE if leaf.category == "long_context" else ITEMS_PER_TEMPLATE
    chosen = random.Random(f"{seed} {leaf.task}")
    n_rubrics: Counter[str] = Counter()
    texts = []
    for item in leaf.items("train", items=max(2, int(count * scale)), seed=seed):
        closed = item.choices or json.loads(item.answer)["type"] == "boolean"
        if item.question in asked or not (closed or chosen.random() < KEEP_OPEN[item.difficulty]):
            continue
        n_rubrics[item.template] += bool(item.reference)
        if n_rubrics[item.template] <= RUBRIC_ITEMS_PER_TEMPLATE:
            response = f" {item.target}" if forced_choice else target.render(item.row())
            texts.append(Text(leaf.task, prompt.render(item.row()), response))
    return texts


def fact_sentences(seed: int) -> Iterator[Text]:
    """Every row of the fact tables, said in many orders: ``capital Paris, country France.``"""
    order = random.Random(seed)
    for path in sorted(Path(tasks_dir() / "facts").glob("*.csv")):
        if path.stem in NO_FACTS:
            continue
        for row in table(path.stem):
            known = [f"{column} {value}" for column, value in row.items() if column != "fame" and value]
            for _ in range(FACT_COPIES):
                order.shuffle(known)
                yield Text("facts", "", ", ".join(known) + ".")


def sums(seed: int, n_texts: int) -> Iterator[Text]:
    """Short calculations with whole numbers, written as the bank's solutions write them, one to a line."""
    rng = random.Random(f"{seed} sums")
    for _ in range(n_texts):
        yield Text("sums", "", "\n".join(_sum(rng) for _ in range(SUMS_PER_TEXT)))


def _sum(rng: random.Random) -> str:
    def number(digits: int) -> int:
        return rng.randrange(10**digits)

    first, second = number(rng.choice((1, 2, 2, 3, 3, 4))), number(rng.choice((1, 2, 2, 3, 3, 4)))
    small, other = number(rng.choice((1, 1, 2, 2, 3))), number(rng.choice((1, 1, 2)))
    divisor = rng.randrange(2, 100)
    return rng.choice(
        (
            f"{first} + {second} = {first + second}",
            f"{first + second} - {second} = {first}",
            f"{small} × {other} = {small * other}",
            f"{small * divisor} / {divisor} = {small}",
            f"{first} = {divisor} × {first // divisor} + {first % divisor}",
        )
    )
