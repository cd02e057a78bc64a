"""The reference model's tokenizer: byte-level BPE with single digits, in a form that llama.cpp knows (its pre-tokenizer "smollm")."""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
VOCABULARY = 3072
# A message is what the bank's prompts are, which end with a line break of their own.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{% if message['role'] == 'assistant' %}"
    + END
    + "{% endif %}{% endfor %}"
)


def train_tokenizer(texts: Iterable[str], *, context: int, vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Train on the corpus, for a model with a window of ``context`` tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END, model_max_length=context)
    fast.chat_template = CHAT_TEMPLATE
    return fast
