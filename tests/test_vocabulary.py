import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from decodekit.errors import ModelError, PromptError
from decodekit.vocabulary import Vocabulary

REPOSITORY = Path(__file__).resolve().parents[1]
TOKENIZERS = REPOSITORY.parent / "shared/data/tokenizers"
TEXTS = ["Hello, world!", " two  spaces\n\ttab", "naïve déjà vu", "你好 🐢🐢", '{"a": [1, 2.5e3]}', "\x00\x7f"]


def fast(model, decoder, **options):
    backend = Tokenizer(model)
    backend.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=backend, **options)


def word_level(*words):
    return models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[0])


@pytest.mark.parametrize("name", ["gpt2", "tekken-131k"])
@pytest.mark.skipif(not TOKENIZERS.is_dir(), reason="needs shared/data/tokenizers")
def test_bytes_of_real_tokenizers_are_the_text(name):
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZERS / name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.caveat == ""
    assert vocabulary.size == len(tokenizer)
    assert vocabulary.end_tokens == (tokenizer.eos_token_id,)
    assert {vocabulary.tokens[i] for i in tokenizer.all_special_ids} == {None}
    for text in TEXTS:
        tokens = tokenizer.encode(text, add_special_tokens=False)
        assert vocabulary.bytes_of(tokens) == text.encode()
        state = vocabulary.start_text()
        for token in tokens:
            state = state.push(token)
            assert text.startswith(state.text), "half a character was handed out"
        assert state.flush().text == text


@pytest.mark.parametrize("size", [3, 40])
def test_the_model_decides_how_many_ids_there_are(size):
    tokenizer = fast(word_level("<unk>", "Ġa", "b", "Ċ", "Ġ"), decoders.ByteLevel())
    vocabulary = Vocabulary.from_tokenizer(tokenizer, size=size)
    assert vocabulary.size == size
    assert vocabulary.tokens[1:3] == (b" a", b"b")
    assert vocabulary.tokens[5:] == (None,) * (size - 5)


def test_added_tokens_are_text_and_special_ones_are_not():
    tokenizer = fast(word_level("<unk>", "Ġa"), decoders.ByteLevel(), eos_token="<end>")
    tokenizer.add_tokens([AddedToken("two words", special=False)])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[tokenizer.eos_token_id] is None
    assert vocabulary.tokens[tokenizer.convert_tokens_to_ids("two words")] == b"two words"


def test_sentencepiece_bytes_and_word_marks():
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer = fast(word_level("<unk>", "▁Hi", "▁▁", "<0xF0>", "<0x9F>", "<0x90>", "<0xA2>"), decoders.Sequence(steps))
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[1:] == (b" Hi", b"  ", b"\xf0", b"\x9f", b"\x90", b"\xa2")
    assert vocabulary.text([1, 3, 4, 5, 6]) == " Hi🐢"
    assert vocabulary.caveat == ""


def test_metaspace():
    tokenizer = fast(word_level("<unk>", "▁Hi", "there"), decoders.Metaspace())
    assert Vocabulary.from_tokenizer(tokenizer).tokens[1:] == (b" Hi", b"there")


def test_wordpiece_says_that_decode_cleans_up():
    tokenizer = fast(word_level("[UNK]", "play", "##ing", "."), decoders.WordPiece(prefix="##", cleanup=True))
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[1:] == (b" play", b"ing", b" .")
    assert vocabulary.caveat == "decode removes spaces before punctuation"


def test_a_decoder_that_looks_at_several_tokens_is_marked():
    vocabulary = Vocabulary.from_tokenizer(fast(word_level("[UNK]", "a"), decoders.CTC()))
    assert "'CTC' looks at more than one token" in vocabulary.caveat


def test_a_tokenizer_without_a_decoder_is_marked():
    assert "puts spaces between tokens" in Vocabulary.from_tokenizer(fast(word_level("[UNK]", "a"), None)).caveat


class SlowBytes:
    eos_token_id = 3
    all_special_ids = (3,)
    byte_decoder = {"Ġ": 32}  # noqa: RUF012

    def get_vocab(self):
        return {"Ġa": 0, "ð": 1, "b": 2, "<end>": 3}

    def encode(self, text):
        return []

    def decode(self, tokens, **options):
        return Vocabulary((b" a", b"\xf0", b"b", None)).text(tokens)


class Tiktoken:
    n_vocab, eot_token = 4, 3
    _special_tokens = {"<end>": 3}  # noqa: RUF012

    def decode_single_token_bytes(self, token):
        return {0: b"a", 2: b"\xf0"}[token]

    def encode(self, text):
        return [0]

    def decode(self, tokens):
        return "a" * len(tokens)


def test_slow_and_foreign_tokenizers():
    slow = Vocabulary.from_tokenizer(SlowBytes())
    assert (slow.tokens, slow.end_tokens, slow.caveat) == ((b" a", b"\xf0", b"b", None), (3,), "")
    assert Vocabulary.from_tokenizer(Tiktoken()).tokens == (b"a", None, b"\xf0", None)


def test_a_tokenizer_that_decodes_otherwise_is_marked():
    class Shouting(SlowBytes):
        def decode(self, tokens, **options):
            return "HELLO"

    assert "gives 'HELLO', the tokens' bytes" in Vocabulary.from_tokenizer(Shouting()).caveat


def test_a_tokenizer_that_tells_nothing_is_refused():
    with pytest.raises(ModelError, match="does not tell its tokens"):
        Vocabulary.from_tokenizer(object())


def test_bytes_write_any_text():
    vocabulary = Vocabulary.from_bytes()
    assert (vocabulary.size, vocabulary.end_tokens) == (257, (256,))
    assert vocabulary.text([*vocabulary.encode("🐢 é"), 256]) == "🐢 é"


def test_encode_needs_single_bytes():
    with pytest.raises(PromptError, match="no token for the single byte 0x62"):
        Vocabulary((b"a",)).encode("ab")


def test_text_is_a_value_that_forks():
    vocabulary = Vocabulary.from_bytes()
    half = vocabulary.start_text().push(ord("a")).push(0xF0).push(0x9F)
    whole = half.push(0x90).push(0xA2)
    assert (half.text, half.pending, half.flush().text) == ("a", b"\xf0\x9f", "a\N{REPLACEMENT CHARACTER}")
    assert (whole.text, whole.pending, whole.flush()) == ("a🐢", b"", whole)
    assert half.push(ord("b")).text == "a\N{REPLACEMENT CHARACTER}b"
    assert half.push(256) is half


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3(", b"\xed\xa0\x80a", b"a\xe2\x82", b"\xf0\x9f\x90", b"\x80\x80"])
def test_pushing_bytes_one_by_one_decodes_like_python(raw):
    state = Vocabulary.from_bytes().start_text()
    for byte in raw:
        state = state.push(byte)
    assert state.flush().text == raw.decode("utf-8", "replace")


def test_equal_content_is_equal_and_hashes_alike():
    one, two, other = (
        Vocabulary((b"a", None), (1,)),
        Vocabulary((b"a", None), (1,), "said"),
        Vocabulary((b"a", b""), (1,)),
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert one.fingerprint == json.loads(json.dumps(two.fingerprint))
    assert len({one, two, other}) == 2
