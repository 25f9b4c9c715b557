import threading

import numpy as np
import pytest

from decodekit.vocabulary import Vocabulary
from decodekit_json import trie_files
from decodekit_json.caching import BoundedCache
from decodekit_json.trie import _TRIES, VocabularyTrie, build


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DECODEKIT_CACHE", str(tmp_path / "cache"))
    _TRIES.clear()
    yield tmp_path / "cache"
    _TRIES.clear()


def random_vocabulary(seed, size=400, letters=b'ab"\\u\xc3\xa9'):
    rng = np.random.default_rng(seed)
    pieces = [bytes(rng.choice(list(letters), rng.integers(1, 7)).tolist()) for _ in range(size)]
    pieces[3], pieces[7], pieces[11] = None, b"", pieces[12]
    return Vocabulary((*pieces, *(bytes([byte]) for byte in range(256))), (3,))


@pytest.mark.parametrize("seed", range(4))
def test_every_node_has_the_tokens_that_begin_with_its_bytes(seed):
    vocabulary = random_vocabulary(seed)
    width = vocabulary.size - 5
    trie = VocabularyTrie.of(vocabulary, width)
    pieces = {token: raw for token, raw in enumerate(vocabulary.tokens[:width]) if raw}
    beginnings = {raw[:end] for raw in pieces.values() for end in range(len(raw) + 1)}

    found = {trie.bytes_to(node): node for node in range(trie.size)}

    assert set(found) == beginnings
    assert trie.size == len(beginnings)
    for beginning, node in found.items():
        assert trie.depth(node) == len(beginning)
        assert sorted(trie.tokens_at(node)) == [token for token, raw in pieces.items() if raw == beginning]
        below = trie.order[trie.low[node] : trie.high[node]].tolist()
        assert sorted(below) == [token for token, raw in pieces.items() if raw.startswith(beginning)]
        children = {byte: trie.bytes_to(child) for byte, child in trie.children(node).items()}
        assert children == {b[-1]: b for b in beginnings if b[:-1] == beginning and len(b) == len(beginning) + 1}
    assert trie.longest == max(map(len, pieces.values()))
    assert {byte: trie.tokens[token] for byte, token in trie.singles.items()} == {
        raw[0]: raw for raw in pieces.values() if len(raw) == 1
    }


def test_tokens_are_in_the_order_of_their_bytes():
    vocabulary = random_vocabulary(1)
    trie = VocabularyTrie.of(vocabulary, vocabulary.size)
    pieces = [vocabulary.tokens[token] for token in trie.order]
    assert pieces == sorted(raw for raw in vocabulary.tokens if raw)


def test_a_child_is_found_by_its_byte():
    trie = VocabularyTrie.of(Vocabulary((b"a", b"ab", b"\xff", b"a\x00")), 4)
    for node in range(trie.size):
        children = trie.children(node)
        assert {byte: trie.child(node, byte) for byte in range(256) if trie.child(node, byte) >= 0} == children
        assert list(trie.offspring(node)) == list(children.values())


@pytest.mark.parametrize("tokens", [(), (None, b""), (b"a",)])
def test_small_vocabularies_have_a_trie(tokens):
    trie = VocabularyTrie.of(Vocabulary(tokens), len(tokens))
    assert [trie.tokens_at(child) for child in trie.children(0).values()] == ([(0,)] if b"a" in tokens else [])
    assert not trie.spells


def test_spells_says_whether_every_byte_of_utf_8_is_a_token():
    assert VocabularyTrie.of(Vocabulary.from_bytes(), 257).spells
    without = tuple(None if byte == 0x80 else bytes([byte]) for byte in range(256))
    assert not VocabularyTrie.of(Vocabulary(without), 256).spells


@pytest.mark.parametrize("width", [256, 257, 263, 300])
def test_masks_have_one_bit_a_token_and_cannot_be_written(width):
    trie = VocabularyTrie.of(random_vocabulary(0), width)
    rng = np.random.default_rng(width)
    for count in (0, 1, 5, 60, 200):
        chosen = np.unique(rng.integers(0, width, count))
        marked = np.zeros(width, np.bool_)
        marked[chosen] = True
        for given in (chosen, chosen.tolist(), set(chosen.tolist()), marked):
            packed = trie.pack(given)
            assert packed.dtype == np.int32
            assert packed.shape == (-(-width // 32),)
            found = [t for t in range(len(packed) * 32) if int(packed[t // 32]) >> (t % 32) & 1]
            assert found == chosen.tolist()
            with pytest.raises(ValueError, match="read-only"):
                packed[0] = 1


def same(left, right):
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("letters", "first", "order", "low", "high")
    )


def test_a_trie_is_read_from_disk_the_second_time(folder, monkeypatch):
    vocabulary = random_vocabulary(0)
    built = VocabularyTrie.of(vocabulary, 300)
    _TRIES.clear()
    monkeypatch.setattr("decodekit_json.trie.build", lambda tokens: pytest.fail("built again"))

    loaded = VocabularyTrie.of(vocabulary, 300)

    assert same(loaded, built)
    assert [path.name for path in folder.iterdir()] == [f"trie-{trie_files.FORMAT}-{vocabulary.fingerprint}-300.npz"]


def _cut(content):
    return content[: len(content) // 2]


def _flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x40]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flip, lambda _: b"", lambda _: b"something else", lambda c: b"\x80\x04" + c])
def test_a_damaged_file_is_built_anew(folder, damage):
    vocabulary = random_vocabulary(0)
    built = VocabularyTrie.of(vocabulary, 300)
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    _TRIES.clear()

    assert same(VocabularyTrie.of(vocabulary, 300), built)
    _TRIES.clear()
    assert trie_files.load(f"{vocabulary.fingerprint}-300") is not None


def test_a_file_of_another_vocabulary_or_with_objects_is_not_read(folder):
    vocabulary = random_vocabulary(0)
    built = VocabularyTrie.of(vocabulary, 300)
    (path,) = folder.iterdir()
    trie_files.save("other", build(random_vocabulary(1).tokens))
    path.write_bytes((folder / f"trie-{trie_files.FORMAT}-other.npz").read_bytes())
    assert trie_files.load(f"{vocabulary.fingerprint}-300") is None
    with path.open("wb") as file:
        np.savez(file, key=np.array([{}], object))
    assert trie_files.load(f"{vocabulary.fingerprint}-300") is None
    arrays = build(vocabulary.tokens[:300])
    arrays["first"][2] = 10**6
    trie_files.save(f"{vocabulary.fingerprint}-300", arrays)
    assert trie_files.load(f"{vocabulary.fingerprint}-300") is None
    _TRIES.clear()
    assert same(VocabularyTrie.of(vocabulary, 300), built)


def test_an_empty_setting_turns_the_files_off(folder, monkeypatch):
    monkeypatch.setenv("DECODEKIT_CACHE", "")
    VocabularyTrie.of(random_vocabulary(0), 300)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_no_error(folder, monkeypatch):
    folder.write_text("a file where the folder should be")
    assert VocabularyTrie.of(random_vocabulary(0), 300).size > 1


class Held:
    def __init__(self, nbytes):
        self.nbytes = nbytes


def test_the_cache_forgets_what_was_not_used_longest():
    cache = BoundedCache(30)
    for key in "abc":
        cache.get(key, lambda: Held(10))
    cache.get("a", lambda: pytest.fail("made again"))
    cache.get("d", lambda: Held(10))
    assert cache.look_up("b") is None
    assert cache.look_up("a") is not None
    assert cache.look_up("d") is not None


def test_the_cache_stays_within_its_bound():
    cache = BoundedCache(1000)
    rng = np.random.default_rng(0)
    for key in range(500):
        size = int(rng.integers(1, 1200))
        assert cache.get(key, lambda size=size: Held(size)).nbytes == size
        assert cache.used_bytes == sum(entry[2] for entry in cache._entries.values()) <= 1000


def test_a_value_is_made_once_by_many_threads():
    cache = BoundedCache(1000)
    begun, made, got = threading.Barrier(8), [], []
    release = threading.Event()

    def make():
        made.append(1)
        release.wait(5)
        return Held(1)

    def work():
        begun.wait(5)
        got.append(cache.get("key", make))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(map(id, got))) == 1
    assert len(got) == 8


def test_what_fails_is_raised_and_tried_again():
    cache = BoundedCache(1000)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: Held(7)).nbytes == 7
