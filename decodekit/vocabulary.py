"""Vocabulary: the bytes of every token, so that text is what bytes say, streamed without ever cutting a character.

Read from the tokenizer's own decoder description, not guessed by decoding tokens one by one: `tokenizer.decode([id])`
turns half a character into U+FFFD and drops leading spaces. It does not encode text, except for
`Vocabulary.from_bytes()`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from decodekit.errors import ModelError, PromptError

TokenBytes = Callable[[list[str]], list[bytes]]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SAMPLE = "Hello, world! It's 3.14 {\"naïve\": [1, 2], 'x'}\n\tdéjà vu 你好 🐢 end."
_PENDING_LIMIT = 3  # an unfinished UTF-8 character has at most three bytes


@dataclass(frozen=True, slots=True)
class TextState:
    """A row's text so far, as a value: a fork copies a reference, a rollback is the value from before.

    Attributes:
        vocabulary: Where tokens get their bytes.
        text: What is certain; never ends inside a character.
        pending: Bytes of a character that is not finished.
    """

    vocabulary: Vocabulary
    text: str = ""
    pending: bytes = b""

    def push(self, token: int) -> TextState:
        """Give the state after `token`; special tokens add nothing."""
        piece = self.vocabulary.piece(token)
        if not piece:
            return self
        text, pending = _decode(self.pending + piece)
        return TextState(self.vocabulary, self.text + text, pending)

    def flush(self) -> TextState:
        """Give the state at the end of the text: an unfinished character becomes U+FFFD."""
        if not self.pending:
            return self
        return TextState(self.vocabulary, self.text + self.pending.decode("utf-8", "replace"))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Every token's bytes. Immutable; equal and hashed by content.

    Attributes:
        tokens: Bytes by token id; None for special tokens and for ids without text, which no constraint ever allows.
        end_tokens: Token ids that end a text.
        caveat: Where the tokenizer's `decode` is not a plain concatenation of its tokens' bytes, one sentence that says
            how it differs; empty otherwise. `text` is always the concatenation.
    """

    tokens: tuple[bytes | None, ...]
    end_tokens: tuple[int, ...] = ()
    caveat: str = field(default="", compare=False)

    @property
    def size(self) -> int:
        """Number of token ids, padding included."""
        return len(self.tokens)

    @cached_property
    def fingerprint(self) -> str:
        """Give a digest of the content that is the same in every process."""
        digest = hashlib.blake2b(digest_size=16)
        lengths = [-1 if token is None else len(token) for token in self.tokens]
        digest.update(json.dumps([lengths, self.end_tokens]).encode())
        digest.update(b"".join(token for token in self.tokens if token))
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Vocabulary) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Vocabulary(size={self.size}, end_tokens={self.end_tokens}, fingerprint={self.fingerprint[:8]!r})"

    def piece(self, token: int) -> bytes | None:
        """Give one token's bytes, None where it has none."""
        return self.tokens[token] if 0 <= token < len(self.tokens) else None

    def bytes_of(self, tokens: Iterable[int]) -> bytes:
        """Concatenate the bytes of `tokens`; special tokens add nothing."""
        return b"".join(self.piece(int(token)) or b"" for token in tokens)

    def text(self, tokens: Iterable[int]) -> str:
        """Decode `tokens` as UTF-8; what is not UTF-8 becomes U+FFFD."""
        return self.bytes_of(tokens).decode("utf-8", "replace")

    def start_text(self) -> TextState:
        """Give the empty text, to be pushed tokens."""
        return TextState(self)

    def encode(self, text: str | bytes) -> list[int]:
        """Turn text into one token per UTF-8 byte.

        Raises:
            PromptError: For a vocabulary that has no token for one of the bytes.
        """
        singles = self._singles
        try:
            return [singles[byte] for byte in (text.encode() if isinstance(text, str) else text)]
        except KeyError as error:
            raise PromptError(
                f"the vocabulary has no token for the single byte {error.args[0]:#04x}",
                hint="encode with the tokenizer that the vocabulary was made from",
            ) from None

    @cached_property
    def _singles(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for token, piece in enumerate(self.tokens):
            if piece and len(piece) == 1:
                found.setdefault(piece[0], token)
        return found

    @classmethod
    def from_bytes(cls) -> Vocabulary:
        """Give 256 single bytes and an end token, id 256: the smallest vocabulary that can write any text."""
        return cls((*(bytes([byte]) for byte in range(256)), None), (256,))

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, size: int | None = None) -> Vocabulary:
        """Read every token's bytes from a tokenizer and check a sample against its `decode`.

        Args:
            tokenizer: A Hugging Face tokenizer (fast, slow or mistral-common), or a tiktoken `Encoding`.
            size: Width of the model's logits; ids beyond the tokenizer's get no text, tokens beyond the model's are
                cut.

        Raises:
            ModelError: For a tokenizer that does not tell its tokens.
        """
        pieces, caveat = _read(tokenizer)
        known = max(pieces, default=-1) + 1
        width = known if size is None else size
        tokens: list[bytes | None] = [None] * width
        for token, piece in pieces.items():
            if token < width:
                tokens[token] = piece or None
        end = getattr(tokenizer, "eos_token_id", None)
        if end is None:
            end = getattr(tokenizer, "eot_token", None)
        ends = end if isinstance(end, list | tuple) else () if end is None else (end,)
        vocabulary = cls(tuple(tokens), tuple(int(token) for token in ends), caveat)
        difference = caveat or _difference(vocabulary, tokenizer)
        return cls(vocabulary.tokens, vocabulary.end_tokens, difference) if difference else vocabulary


def _decode(raw: bytes) -> tuple[str, bytes]:
    """Split bytes into certain text and the beginning of a character that is not finished."""
    try:
        return raw.decode(), b""
    except UnicodeDecodeError:
        pass
    for size in range(min(_PENDING_LIMIT, len(raw)), 0, -1):
        try:
            raw[-size:].decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data" and error.start == 0:
                return raw[:-size].decode("utf-8", "replace"), raw[-size:]
    return raw.decode("utf-8", "replace"), b""


def _read(tokenizer: Any) -> tuple[dict[int, bytes], str]:
    """Give bytes by token id, specials left out, and a caveat."""
    if hasattr(tokenizer, "decode_single_token_bytes"):  # tiktoken
        return _from_single(
            tokenizer.n_vocab, tokenizer.decode_single_token_bytes, set(tokenizer._special_tokens.values())
        ), ""
    inner: Any = getattr(getattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer", None), "tokenizer", None)
    if inner is not None and hasattr(inner, "id_to_byte_piece"):  # mistral-common
        specials = (
            {i for i in range(inner.n_words) if inner.is_special(i)} if hasattr(inner, "is_special") else set[int]()
        )
        return _from_single(inner.n_words, inner.id_to_byte_piece, specials), ""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    try:
        vocabulary: Mapping[str, int] = (
            backend.get_vocab(with_added_tokens=True) if backend is not None else tokenizer.get_vocab()
        )
    except Exception as error:
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} does not tell its tokens: {error}",
            hint="give the decoder a Vocabulary instead: Decoder(model, Vocabulary(tokens=…, end_tokens=…))",
        ) from error
    to_bytes, caveat = _fast_rule(backend, tokenizer) if backend is not None else _slow_rule(tokenizer, vocabulary)
    specials = set(getattr(tokenizer, "all_special_ids", ()) or ())
    specials |= {i for i, token in (getattr(tokenizer, "added_tokens_decoder", None) or {}).items() if token.special}
    names = [name for name, token in vocabulary.items() if token not in specials]
    found: dict[int, bytes] = dict.fromkeys(vocabulary.values(), b"")
    found.update(zip((vocabulary[name] for name in names), to_bytes(names), strict=True))
    return found, caveat


def _from_single(size: int, piece: Callable[[int], bytes], specials: set[int]) -> dict[int, bytes]:
    found = dict.fromkeys(range(size), b"")
    for token in range(size):
        if token not in specials:
            try:
                found[token] = piece(token)
            except (KeyError, ValueError, IndexError):  # ranks have gaps
                continue
    return found


def _fast_rule(backend: Any, tokenizer: Any) -> tuple[TokenBytes, str]:
    if backend.decoder is None:
        return _each(str.encode), "the tokenizer has no decoder and puts spaces between tokens"
    described: dict[str, Any] = json.loads(backend.decoder.__getstate__())
    steps: list[dict[str, Any]] = described["decoders"] if described["type"] == "Sequence" else [described]
    return _chain(steps, tokenizer)


def _chain(steps: Sequence[Mapping[str, Any]], tokenizer: Any) -> tuple[TokenBytes, str]:
    """Turn a decoder's steps into one function of a token; a step that looks at more than one token is a caveat."""
    edits: list[Callable[[str], str]] = []
    byte_level = byte_fallback = False
    caveat = ""
    for step in steps:
        match step["type"]:
            case "ByteLevel":
                byte_level = True
            case "ByteFallback":
                byte_fallback = True
            case "Fuse" | "Strip":  # what is stripped is the space at the start of a text, where we continue a prompt
                pass
            case "Metaspace":
                edits.append(lambda name, mark=step["replacement"]: name.replace(mark, " "))
            case "Replace" if "String" in step["pattern"]:
                edits.append(lambda name, old=step["pattern"]["String"], new=step["content"]: name.replace(old, new))
            case "WordPiece":
                edits.append(
                    lambda name, mark=step["prefix"]: name[len(mark) :] if name.startswith(mark) else " " + name
                )
                caveat = "decode removes spaces before punctuation" if step.get("cleanup") else ""
            case "BPEDecoder":
                edits.append(lambda name, mark=step["suffix"]: name.replace(mark, " ") if mark else name)
            case other:
                caveat = f"{type(tokenizer).__name__}: decoder step {other!r} looks at more than one token"
    if byte_level and not edits:
        return _byte_level, caveat

    def to_bytes(name: str) -> bytes:
        found = _BYTE_TOKEN.fullmatch(name) if byte_fallback else None
        if found:
            return bytes([int(found[1], 16)])
        for edit in edits:
            name = edit(name)
        return _byte_level([name])[0] if byte_level else name.encode("utf-8", "replace")

    return _each(to_bytes), caveat


def _slow_rule(tokenizer: Any, names: Iterable[str]) -> tuple[TokenBytes, str]:
    """Choose by what a tokenizer written in Python is made of."""
    if hasattr(tokenizer, "byte_decoder"):
        return _byte_level, ""
    if hasattr(tokenizer, "sp_model") or any(name.startswith("▁") for name in names):
        return _chain([{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁"}], tokenizer)
    if hasattr(tokenizer, "wordpiece_tokenizer") or any(name.startswith("##") for name in names):
        return _chain([{"type": "WordPiece", "prefix": "##", "cleanup": True}], tokenizer)
    convert = getattr(tokenizer, "convert_tokens_to_string", None)
    if convert is None:
        return _each(str.encode), f"{type(tokenizer).__name__} does not say how tokens become text"
    return _each(lambda name: str(convert([name])).encode("utf-8", "replace")), ""


def _each(rule: Callable[[str], bytes]) -> TokenBytes:
    return lambda names: [rule(name) for name in names]


@cache
def _byte_table() -> np.ndarray[Any, np.dtype[np.int16]]:
    """GPT-2's map from characters back to bytes, -1 elsewhere: printable Latin-1 stands for itself."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = np.full(0x145, -1, np.int16)
    table[plain] = plain
    moved = [byte for byte in range(256) if table[byte] < 0]
    table[0x100 : 0x100 + len(moved)] = moved
    return table


def _byte_level(names: list[str]) -> list[bytes]:
    """Map all names at once: 131k tokens take 50 ms, four times less than one by one."""
    table = _byte_table()
    codes = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), np.uint32)
    values = table[np.minimum(codes, len(table) - 1)]
    raw = values.astype(np.uint8).tobytes()
    ends = np.cumsum([len(name) for name in names]).tolist()
    pieces = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    for at in np.unique(np.searchsorted(ends, np.flatnonzero(values < 0), side="right")).tolist():
        pieces[at] = names[at].encode("utf-8", "replace")  # an added token that was never byte-encoded
    return pieces


def _difference(vocabulary: Vocabulary, tokenizer: Any) -> str:
    """Compare with the tokenizer's own `decode` on a sample; say how they differ, or nothing."""
    try:
        sample = [int(token) for token in tokenizer.encode(_SAMPLE)]
        decodable = [
            i for i in range(0, vocabulary.size, max(1, vocabulary.size // 64)) if _is_text(vocabulary.tokens[i])
        ]
        runs = [
            [t for t in sample if t < vocabulary.size],
            *(decodable[i : i + 8] for i in range(0, len(decodable), 8)),
        ]
        for run in runs:
            theirs, ours = _their_text(tokenizer, run), vocabulary.text(run)
            if theirs.removeprefix(" ") != ours.removeprefix(" "):
                return f"{type(tokenizer).__name__}.decode({run}) gives {theirs!r}, the tokens' bytes {ours!r}"
    except Exception as error:  # tokenizers of models are code of many authors
        return f"{type(tokenizer).__name__}: the tokens' bytes could not be checked: {error}"
    return ""


def _is_text(piece: bytes | None) -> bool:
    try:
        return bool(piece) and bool(piece.decode())
    except UnicodeDecodeError:
        return False


def _their_text(tokenizer: Any, tokens: list[int]) -> str:
    if hasattr(tokenizer, "decode_single_token_bytes"):
        return str(tokenizer.decode(tokens))
    return str(tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))


__all__ = ["TextState", "Vocabulary"]
