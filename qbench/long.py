"""qbench-long: the long_context leaves in contexts of chosen sizes, counted in the tokens of the model that is asked.

lm-eval calls `load_items` with the arguments of the model, so the tokenizer is the model's own. It decides how much filler there is and
nothing else: ids, facts, depths and the order of the filler are the same for every model.
"""

import dataclasses
import functools
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from qbench import bank, contexts
from qbench.errors import ModelError
from qbench.generators.filler import sentences

if TYPE_CHECKING:
    import datasets

TOKENIZER_ARGUMENTS = (
    "tokenizer",
    "pretrained",
    "model",
)  # the first that is given, as lm-eval's own RULER tasks have it
SAMPLE_SENTENCES = 200


def load_items(
    *,
    leaf: str,
    qb_context_tokens: Any,
    qb_items: int | str = bank.DEFAULT_ITEMS,
    qb_seed: int | str = bank.DEFAULT_SEED,
    **arguments: Any,
) -> "dict[str, datasets.Dataset]":
    """Build one task of qbench-long.

    Args:
        leaf: whose questions are asked, as in ``long_context/retrieval``.
        qb_context_tokens: the sizes; each counts the whole prompt and the room for the answer.
        qb_items: items of each template, all sizes together.
        qb_seed: as for `qbench.bank.load_items`.
        arguments: what lm-eval passes on; the model's ``pretrained`` or ``tokenizer`` is among them, or the tokenizer is that of the
            reference model, as the model itself is by default.

    Raises:
        BankError: every size is too small for the facts, or a number is none.
        ModelError: there is no such tokenizer.
    """
    import datasets

    source = _leaf(leaf)
    sizes = contexts.read_sizes(qb_context_tokens, "qb_context_tokens")
    items, seed = bank.read_whole(qb_items, "qb_items", least=1), bank.read_whole(qb_seed, "qb_seed", least=0)
    rows = _rows(leaf, _ruler(*_tokenizer_of(arguments)), tuple(sizes), items, seed)
    few_shot = source.items("validation", items=bank.VALIDATION_ITEMS, seed=seed)
    return {
        "test": datasets.Dataset.from_list(rows),
        "validation": datasets.Dataset.from_list([item.row() for item in few_shot]),
    }


class Tokens:
    """Counts the tokens of one tokenizer, word by word, each word of the filler once.

    Args:
        tokenizer: as transformers loads it.
        prompt: the task's ``doc_to_text``.
        room: tokens kept for the answer.
    """

    unit = "tokens"
    line_break = 1

    def __init__(self, tokenizer: Any, prompt: str, room: int) -> None:
        self._tokenizer = tokenizer
        self._prompt = jinja2.Environment(keep_trailing_newline=True).from_string(prompt)
        self._around = room + self._special_tokens()
        self._words: dict[str, int] = {}
        self._anchor = self.count("and")
        # Words are counted one by one. Where tokens span words, all filler is that much smaller.
        sample = [f" {text}" for _, (_, text) in zip(range(SAMPLE_SENTENCES), sentences("chronicle", 0), strict=False)]
        self._exact, self._added = 1, 1
        self._exact, self._added = self.count("".join(sample)), sum(map(self.filler, sample))

    def count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def prompt(self, row: contexts.Row) -> int:
        return self.count(self._prompt.render(row)) + self._around

    def filler(self, text: str) -> int:
        """Tokens of a sentence, times what the tokens of a sample are to the sum of its words, rounded up."""
        first, *others = text[1:].split()
        total = self._word(text[0] + first) + sum(self._word(" " + word) for word in others)
        return -(-total * self._exact // self._added)

    def _word(self, word: str) -> int:
        if word not in self._words:
            # Behind another word, because some tokenizers add something in front of a text.
            self._words[word] = self.count("and" + word) - self._anchor
        return self._words[word]

    def _special_tokens(self) -> int:
        """Tokens in front of and behind a prompt: of the chat template where there is one, which may be used or not."""
        special = self._tokenizer.num_special_tokens_to_add()
        if not getattr(self._tokenizer, "chat_template", None):
            return int(special)
        empty = [{"role": "user", "content": ""}]
        chat = self._tokenizer.apply_chat_template(empty, tokenize=False, add_generation_prompt=True)
        return max(int(special), self.count(chat) + int(special))


@functools.lru_cache(maxsize=8)
def _rows(leaf: str, ruler: Tokens, sizes: tuple[int, ...], items: int, seed: int) -> list[contexts.Row]:
    """Remembered, because lm-eval builds a task twice that is named alone and in a group."""
    return bank.items_in_sizes(_leaf(leaf), "test", sizes, ruler, items=items, seed=seed)


@functools.lru_cache(maxsize=8)
def _ruler(tokenizer: str, revision: str, trust_remote_code: bool) -> Tokens:
    fields = bank.task_fields(Path(str(files("qbench.prompts"))) / "long_view.yaml")
    room = int(fields["generation_kwargs"]["max_gen_toks"])
    return Tokens(_load(tokenizer, revision, trust_remote_code), str(fields["doc_to_text"]), room)


@functools.cache
def _leaf(name: str) -> bank.Leaf:
    return dataclasses.replace(bank.named_leaf(name), category="long")


def _tokenizer_of(arguments: dict[str, Any]) -> tuple[str, str, bool]:
    for name in TOKENIZER_ARGUMENTS:
        value = arguments.get(name)
        if isinstance(value, str) and value:
            trusted = str(arguments.get("trust_remote_code", False)).lower() == "true"
            return value, str(arguments.get("revision") or "main"), trusted
    return str(files("qbench") / "nano"), "main", False


def _load(name: str, revision: str, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer  # slow, and only these tasks need it

    try:
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"There is no tokenizer at {name!r} to count the tokens of qbench-long with: neither a folder, nor an id that the hub (or its "
            f"cache) answers to. {str(error).splitlines()[0]}"
        ) from error
