"""The demo tokenizer: byte-level BPE, about 2k tokens, all 256 bytes; words without their space, single digits."""

from __future__ import annotations

from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .documents import END_OF_TEXT, SPECIAL, documents

# A word is the same tokens after a space and after a quote, so that putting it into a card is plain copying; GPT-2's
# pattern would glue the space to it, and a model this small would have to learn every such pair of tokens.
WORDS = r"\p{N}| ?[^\s\p{L}\p{N}]+|\p{L}+|\s+"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(seed: int, documents_read: int = 30_000, vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """Learn the merges from generated documents.

    Args:
        seed: Seed of the document stream.
        documents_read: How many documents to count pairs in.
        vocab_size: Bytes, merges and special tokens together.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=16,
    )
    texts = (_plain(piece.text) for pieces in islice(documents(seed), documents_read) for piece in pieces)
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        additional_special_tokens=list(SPECIAL[1:]),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def _plain(text: str) -> str:
    for special in SPECIAL:
        text = text.replace(special, "")
    return text
