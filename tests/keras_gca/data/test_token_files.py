"""Token files hold the same pairs as the preparation in memory, in any number of shards, and damage is reported."""

import hashlib
import itertools
import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import glove
from glove import cost
from glove.cost import TimeLimit
from glove.text_files import BadLines
from keras_gca import prepare as prepare_command
from keras_gca.config import Config
from keras_gca.data import preparation, token_chunks, token_pairs
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.conversations import read_conversations
from keras_gca.data.dataset import prepare
from keras_gca.data.text import lowered, tokenise, tokens_in_turn
from keras_gca.data.token_folder import TRAINING, VALIDATION, TokenFolder
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.word_counts import WordCounts
from keras_gca.engine import chunking, command_line, processes
from keras_gca.engine.shard_order import Lane
from keras_gca.errors import UserError
from tests.factories.commands import run, start, train_here

NAMES = ("I", "Tom", "London", "ΟΔΟΣ", "Σίσυφος", "ＡＢ")
WORDS = (*NAMES, "you", "is", "not", "happy", "don't", "it's", "3.50", "won't", ",", ".", "?", "good")


def write_corpus(path, conversations=120, seed=0):
    """Write a corpus of random sentences, with an utterance without tokens and a conversation of one utterance."""
    random = np.random.default_rng(seed)
    lines = ["Alone.", "", "Hello Tom", "...", "---"]
    for _ in range(conversations):
        lines += [" ".join(random.choice(WORDS, random.integers(1, 12))) for _ in range(random.integers(2, 6))]
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def folder_of(corpus, out, **changes):
    config = Config.preset("default", **changes)
    return preparation.prepare_folder(preparation.Corpora([corpus]), config, out, BadLines(error=UserError))


def pairs_of(folder, role=TRAINING, length=12, utterances=2, predict="answer", lane=None):
    return TokenPairs(folder, length, utterances, predict, role, lane)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    write_corpus(path)
    return path


@pytest.fixture(scope="module")
def one_shard(corpus, tmp_path_factory):
    return folder_of(corpus, tmp_path_factory.mktemp("tokens") / "one")


@pytest.fixture(scope="module")
def many_shards(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "CHUNK_UTTERANCES", 20)
        patch.setattr(preparation, "SHARD_PAIRS", 40)
        return folder_of(corpus, tmp_path_factory.mktemp("tokens") / "many")


@pytest.mark.parametrize(
    ("shards", "predict"),
    [
        ("one_shard", "answer"),
        ("many_shards", "context"),
        pytest.param("many_shards", "answer", marks=pytest.mark.thorough),
        pytest.param("many_shards", "unconditional", marks=pytest.mark.thorough),
    ],
)
def test_token_files_hold_the_pairs_of_a_preparation_in_memory(corpus, shards, predict, request):
    folder = request.getfixturevalue(shards)
    assert (len(folder.shards) == 1) == (shards == "one_shard")
    config = Config.preset("default", sentence_length=7, context_utterances=2, predict=predict)
    expected = prepare(read_conversations(corpus), config)
    assert folder.vocabulary.to_values() == expected.vocabulary.to_values()
    assert {"tom", "london", "οδος"} <= set(folder.vocabulary.surfaces)
    assert folder.whole_conversations == expected.whole_conversations
    for role, pairs in ((TRAINING, expected.training), (VALIDATION, expected.validation)):
        stored = pairs_of(folder, role, 7, 2, predict)
        assert len(stored) == len(pairs) > 10
        assert stored.tokens == pairs.tokens
        for array, other in zip(stored.arrays(), pairs.arrays(), strict=True):
            np.testing.assert_array_equal(array, other)


def test_a_corpus_without_boundaries_holds_the_same_pairs_out(tmp_path, monkeypatch):
    random = np.random.default_rng(1)
    lines = [" ".join(random.choice(WORDS, random.integers(1, 9))) for _ in range(120)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    expected = prepare(read_conversations(tmp_path / "corpus.txt"), Config(sentence_length=12))
    folder = folder_of(tmp_path / "corpus.txt", tmp_path / "out", minimum_count=1)
    assert folder.vocabulary.to_values() == expected.vocabulary.to_values()
    for role, pairs in ((TRAINING, expected.training), (VALIDATION, expected.validation)):
        np.testing.assert_array_equal(pairs_of(folder, role).answers, pairs.answers)
        np.testing.assert_array_equal(pairs_of(folder, role).contexts, pairs.contexts)


@pytest.mark.parametrize("seed", [None, 2**31 - 1])
def test_one_shard_gives_the_batches_of_pairs_in_memory(corpus, one_shard, seed):
    config = Config.preset("default", sentence_length=12, context_utterances=2)
    memory, stored = prepare(read_conversations(corpus), config).training, pairs_of(one_shard)
    batches, epoch = plan_batches(memory, 8, seed), plan_batches(stored, 8, seed)
    assert len(batches) == len(epoch)
    for one, other in zip(batches, epoch, strict=True):
        for array, stored_array in zip(take_batch(memory, one, 8), take_batch(stored, other, 8), strict=True):
            np.testing.assert_array_equal(array, stored_array)
    draw, again = (np.random.default_rng(seed) if seed is not None else np.random.default_rng(1) for _ in range(2))
    if seed is not None:
        np.testing.assert_array_equal(memory.drawn(draw, 9), stored.drawn(again, 9))


def test_an_epoch_of_many_shards_has_each_pair_once_and_can_be_resumed(many_shards):
    pairs = pairs_of(many_shards)
    epoch, other = pairs.plan(8, 3), pairs.plan(8, 4)
    batches = list(epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(pairs)))
    assert np.concatenate(batches).tolist() != np.concatenate(list(other)).tolist()
    for step in (len(epoch) - 1, 0, len(epoch) // 2):  # each in a new plan, as after an interruption
        np.testing.assert_array_equal(pairs_of(many_shards).plan(8, 3)[step], batches[step])
    shards = [np.searchsorted(pairs._begins, batch, side="right") - 1 for batch in batches]
    assert all(len(set(owner)) == 1 for owner in shards)
    assert len({owner[0] for owner in shards[:4]}) == 4  # the batches of several shards take turns


def test_processes_read_their_own_shards_and_together_all_pairs(many_shards, monkeypatch):
    assert pairs_of(many_shards, lane=Lane(1, 3, 3)).lane == Lane()  # too few shards
    monkeypatch.setattr(token_pairs, "SHARDS_OF_A_LANE", 1)
    lanes = [pairs_of(many_shards, lane=Lane(i, 3, 3)) for i in range(3)]
    epochs = [list(pairs.plan(8, 5)) for pairs in lanes]
    assert len({len(epoch) for epoch in epochs}) == 1
    rows = [np.concatenate(epoch) for epoch in epochs]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(lanes[0])))
    shards = [set(np.searchsorted(lanes[0]._begins, row, side="right")) for row in rows]
    assert not shards[0] & shards[1]
    whole = pairs_of(many_shards)
    for i, pairs in enumerate(lanes):
        contexts, answers = take_batch(pairs, epochs[i][0], 8)
        assert len(contexts) == len(answers) == 9  # three rows for each of the three processes
        own = whole[epochs[i][0]].answers
        np.testing.assert_array_equal(answers[3 * i : 3 * i + len(own)], own[:, : answers.shape[1]])
        assert not np.delete(answers, range(3 * i, 3 * i + 3), axis=0).any()


def test_the_held_out_sample_does_not_grow_with_the_corpus(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "MOST_HELD_OUT", 15)
    folder = folder_of(corpus, tmp_path / "out", validation_fraction=0.3)
    assert 1 <= folder.pairs(VALIDATION) <= 30
    assert len(pairs_of(folder).some()) == folder.pairs(TRAINING)


@pytest.mark.thorough
def test_the_held_out_sample_has_whole_conversations(many_shards, monkeypatch):
    """Otherwise an utterance before an answer would be lacking, and the answer would count for an earlier turn."""
    pairs = pairs_of(many_shards, VALIDATION)
    assert len(pairs.some_conversations()) == len(pairs)
    sizes = dict(zip(*np.unique(pairs.conversation, return_counts=True), strict=True))
    monkeypatch.setattr(token_pairs, "SAMPLE", len(pairs) // 2)
    some = pairs.some_conversations()
    assert 0.6 * len(pairs) // 2 < len(some) < 1.4 * len(pairs) // 2
    for conversation, count in zip(*np.unique(some.conversation, return_counts=True), strict=True):
        assert count == sizes[conversation]


def test_an_interrupted_preparation_continues_and_ends_with_the_same_files(corpus, many_shards, tmp_path, monkeypatch):
    monkeypatch.setattr(chunking, "CHUNK_UTTERANCES", 20)
    monkeypatch.setattr(preparation, "SHARD_PAIRS", 40)
    written = []

    def tokenise_some(path, *arguments):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path)
        return token_chunks.tokenise_chunk(path, *arguments)

    monkeypatch.setattr(preparation, "tokenise_chunk", tokenise_some)
    with pytest.raises(KeyboardInterrupt):
        folder_of(corpus, tmp_path / "out")
    with pytest.raises(UserError, match="is not finished"):
        TokenFolder.open(tmp_path / "out")
    with pytest.raises(UserError, match="other files or options"):
        folder_of(corpus, tmp_path / "out", contractions="expanded")
    others = []
    monkeypatch.setattr(
        preparation,
        "tokenise_chunk",
        lambda path, *rest: others.append(path) or token_chunks.tokenise_chunk(path, *rest),
    )
    folder = folder_of(corpus, tmp_path / "out")
    assert len(written) == 4
    assert others
    assert not set(written) & set(others)
    assert folder.shards == many_shards.shards  # with their checksums
    assert not (tmp_path / "out" / "work").exists()


def prepare_here(corpus, out, *options):
    return command_line.run(
        prepare_command.main, "prepare", [str(corpus), "--out", str(out), "--processes", "1", *options]
    )


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def small_shards(monkeypatch):
    """The sizes of the fixture `many_shards`."""
    monkeypatch.setattr(chunking, "CHUNK_UTTERANCES", 20)
    monkeypatch.setattr(preparation, "SHARD_PAIRS", 40)


@pytest.mark.usefixtures("small_shards")
def test_a_time_limit_stops_in_each_pass_and_the_repeated_command_writes_the_same_files(
    corpus, many_shards, tmp_path, monkeypatch, capsys
):
    clock = itertools.count(0, 20)  # seconds
    monkeypatch.setattr(processes, "TimeLimit", lambda minutes=None: TimeLimit(minutes, lambda: next(clock)))
    chunks, shards = [0], [0]
    while prepare_here(corpus, tmp_path / "out", "--minutes", "1") == 130:
        out, err = capsys.readouterr()
        assert (out.splitlines()[-1], err) == (f"next: the same command continues with {tmp_path / 'out'}", "")
        for counts, name in ((chunks, "chunk-*.npz"), (shards, "shard-*.json")):
            counts.append(len(list((tmp_path / "out" / "work").glob(name))))
        assert chunks[-1] + shards[-1] > chunks[-2] + shards[-2]  # each command makes progress
    assert 0 in shards[1:]
    assert set(shards) & set(range(1, len(many_shards.shards)))
    assert contents(tmp_path / "out") == contents(many_shards.path)


def stopped_after(count, monkeypatch):
    """Let Ctrl-C stop the preparation when so many shards have been written; return the list of their numbers."""
    numbers = []

    def encode(task, words):
        if len(numbers) == count:
            raise KeyboardInterrupt
        numbers.append(task.number)
        return token_chunks.encode_shard(task, words)

    monkeypatch.setattr(preparation, "encode_shard", encode)
    return numbers


@pytest.mark.usefixtures("small_shards")
def test_ctrl_c_ends_with_a_line_that_says_how_to_continue(corpus, many_shards, tmp_path, monkeypatch, capsys):
    written = stopped_after(3, monkeypatch)
    assert prepare_here(corpus, tmp_path / "out") == 130
    out, err = capsys.readouterr()
    assert (out.splitlines()[-2:], err) == (["", f"next: the same command continues with {tmp_path / 'out'}"], "")
    others = []
    monkeypatch.setattr(
        preparation,
        "encode_shard",
        lambda task, *rest: others.append(task.number) or token_chunks.encode_shard(task, *rest),
    )
    assert prepare_here(corpus, tmp_path / "out") == 0
    assert sorted(written + others) == list(range(len(many_shards.shards)))
    assert contents(tmp_path / "out") == contents(many_shards.path)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("place", ["out", "deep/er/out"])
def test_an_interrupted_preparation_inside_the_folder_of_the_corpus_continues(
    corpus, many_shards, tmp_path, monkeypatch, capsys, place
):
    folder, out = tmp_path / "corpus", tmp_path / "corpus" / place
    folder.mkdir()
    (folder / "a.txt").write_bytes(corpus.read_bytes())
    stopped_after(2, monkeypatch)
    assert prepare_here(folder, out) == 130
    monkeypatch.setattr(preparation, "encode_shard", token_chunks.encode_shard)
    assert prepare_here(folder, out) == 0
    assert capsys.readouterr().err == ""
    for name in ("00000.bin", "00001.idx", "vocabulary.json"):
        assert (out / name).read_bytes() == (many_shards.path / name).read_bytes()
    stopped_after(1, monkeypatch)
    assert prepare_here(folder, tmp_path / "other") == 130
    (folder / "b.txt").write_text("Hi.\nYes.\n")  # the corpus itself has changed
    assert prepare_here(folder, tmp_path / "other") == 2
    assert "used other files or options" in capsys.readouterr().err


@pytest.mark.usefixtures("small_shards")
def test_shards_of_other_settings_or_without_their_files_are_written_again(
    corpus, many_shards, tmp_path, monkeypatch, capsys
):
    numbers = stopped_after(2, monkeypatch)
    assert prepare_here(corpus, tmp_path / "out") == 130
    numbers.clear()
    assert prepare_here(corpus, tmp_path / "out", "--vocabulary-size", "9") == 130
    assert numbers == [0, 1]
    (tmp_path / "out" / "00001.bin").unlink()
    numbers.clear()
    assert prepare_here(corpus, tmp_path / "out", "--vocabulary-size", "9") == 130
    assert numbers == [1, 2]
    record = next((tmp_path / "out" / "work").glob("shard-00000-*.json"))
    record.write_text('{"seen": {"a": 1}}')
    capsys.readouterr()
    assert prepare_here(corpus, tmp_path / "out", "--vocabulary-size", "9") == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), f"{record}: the file is damaged; remove it, and repeat the command" in err) == (1, True)
    monkeypatch.setattr(preparation, "encode_shard", token_chunks.encode_shard)
    assert prepare_here(corpus, tmp_path / "out") == 0  # with the first settings, whose shards have been replaced
    assert contents(tmp_path / "out") == contents(many_shards.path)


@pytest.mark.usefixtures("small_shards")
def test_a_long_preparation_says_what_it_costs(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chunking, "MEASURED_FROM", 2)
    monkeypatch.setattr(cost, "LONG", 0)
    assert prepare_here(corpus, tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert re.search(
        r"^estimate: about 0 minutes \(reading and tokenising 0, .* this machine tokenises [\d,]+ utt", out
    )
    monkeypatch.setattr(cost, "LONG", 60)
    assert prepare_here(corpus, tmp_path / "other") == 0
    assert "estimate" not in capsys.readouterr().out
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def damaged(folder, tmp_path, change):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    change(copy)
    return copy


def cut(folder):
    file = folder / "00000.bin"
    file.write_bytes(file.read_bytes()[:-2])


def flip(folder):
    file = folder / "00000.bin"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(bytes(content))


def index(**changes):
    def change(folder):
        values = json.loads((folder / "tokens.json").read_text())
        (folder / "tokens.json").write_text(json.dumps(values | changes))

    return change


HOSTILE = {
    "truncated shard": (cut, "00000.bin: the file has"),
    "wrong sum": (flip, "00000.bin: the file is damaged (wrong checksum)"),
    "missing file": (lambda folder: (folder / "00000.idx").unlink(), "00000.idx: the file is missing"),
    "another version": (index(format="keras_gca tokens 9"), "'keras_gca tokens 1' is expected"),
    "no shards": (index(shards=[]), "tokens.json: the file is damaged"),
    "shards of another kind": (index(shards=[{"tokens": 1}]), "tokens.json: the file is damaged"),
    "settings of another kind": (index(settings=[]), "tokens.json: the file is damaged"),
    "no JSON": (lambda folder: (folder / "tokens.json").write_text("{"), "tokens.json: the file is damaged"),
    "other words": (lambda folder: (folder / "vocabulary.json").write_text("{}"), "vocabulary.json: the file is"),
    "not finished": (lambda f: ((f / "tokens.json").unlink(), (f / "work").mkdir()), "is not finished"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_token_files_are_one_line_with_status_2(one_shard, tmp_path, name):
    change, message = HOSTILE[name]
    copy = damaged(one_shard, tmp_path, change)
    status, out, err = train_here("--data", copy, "--run", tmp_path / "run", "--preset", "tiny")
    assert (status, out) == (2, "")
    assert message in err
    assert str(copy) in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def rewritten(change):
    """Return a change of a shard's arrays after which the checksums are right."""

    def rewrite(folder):
        opened = TokenFolder.open(folder)
        shard = opened.shard(0)
        arrays = {name: np.array(getattr(shard, name)) for name in ("tokens", "offsets", "roles")}
        change(arrays)
        contents = {"bin": arrays["tokens"].tobytes(), "idx": arrays["offsets"].tobytes() + arrays["roles"].tobytes()}
        values = json.loads((folder / "tokens.json").read_text())
        for suffix, content in contents.items():
            (folder / f"00000.{suffix}").write_bytes(content)
            values["shards"][0][f"{suffix}_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / "tokens.json").write_text(json.dumps(values))

    return rewrite


@pytest.mark.parametrize(
    ("name", "position", "value", "message"),
    [("tokens", 5, 60_000, "word indices range"), ("offsets", 3, 2**31, "offsets"), ("roles", 4, 9, "roles")],
)
def test_impossible_numbers_with_right_checksums_are_refused(one_shard, tmp_path, name, position, value, message):
    def change(arrays):
        arrays[name][position] = value

    copy = damaged(one_shard, tmp_path, rewritten(change))
    with pytest.raises(UserError, match=message):
        pairs_of(TokenFolder.open(copy)).verify()


def test_settings_of_the_folder_are_taken_and_others_refused(one_shard):
    config = one_shard.settings_of(Config.preset("tiny"))
    assert (config.vocabulary_size, config.max_pairs) == (7000, None)
    assert one_shard.settings_of(Config.preset("tiny", vocabulary_size=7000)).vocabulary_size == 7000
    for changes, message in (
        ({"vocabulary_size": 50}, "prepared with 7000"),
        ({"max_pairs": 50}, "--max-pairs has no effect"),
        ({"training_pairs": 50}, "--training-pairs has no effect"),
    ):
        with pytest.raises(UserError, match=message):
            one_shard.settings_of(Config.preset("tiny", **changes))


def test_the_command_prepares_and_refuses_a_full_folder(corpus, tmp_path, capsys):
    arguments = [str(corpus), "--out", str(tmp_path / "out"), "--processes", "1"]
    assert command_line.run(prepare_command.main, "prepare", arguments) == 0
    assert "to train on" in capsys.readouterr().out
    assert command_line.run(prepare_command.main, "prepare", arguments) == 2
    assert "already complete" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    assert command_line.run(prepare_command.main, "prepare", [str(corpus), "--out", str(tmp_path / "other")]) == 2
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["split", "expanded"])
def test_tokens_in_turn_are_those_of_tokenise(style):
    texts = ["Don't you? ΟΔΟΣ's İstanbul", "", "A: it's 7:30 ... won’t", "\u3000a b\x0bc"]
    tokens, lengths = tokens_in_turn(texts, style)
    cased = tokenise(texts, style, lower=False)
    assert [token.decode() for token in tokens] == [token for row in cased for token in row]
    assert lengths.tolist() == list(map(len, cased))
    assert lowered([token.decode() for token in tokens]) == [token for row in tokenise(texts, style) for token in row]


def test_word_counts_in_files_are_those_in_memory(tmp_path):
    random = np.random.default_rng(0)
    expected, counts = Counter(), WordCounts(tmp_path, most=10)
    for _ in range(20):
        part = Counter(f"w{number}é" for number in random.integers(0, 40, 30))
        expected.update(part)
        counts.add(part, part.values())
    assert len(list(tmp_path.iterdir())) > 2
    assert dict(counts.items()) == expected
    assert len(list(counts.items())) == len(expected)


def test_cooccurrences_of_parts_add_up_to_those_of_the_whole():
    random = np.random.default_rng(0)
    documents = [random.integers(-1, 9, 12).tolist() for _ in range(7)]
    parts = [glove.cooccurrences(documents[i : i + 1], 9) for i in range(7)]
    for one, other in zip(glove.added(parts, 9), glove.cooccurrences(documents, 9), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert glove.added(parts[:1], 9) is parts[0]
    assert [len(array) for array in glove.added([], 9)] == [0, 0, 0]


def test_training_text_for_word_vectors_is_that_in_memory(corpus, one_shard, many_shards):
    dataset = prepare(read_conversations(corpus), Config.preset("default"))
    index_of = {word: number for number, word in enumerate(dataset.vocabulary.counts)}
    expected = [index_of.get(word, -1) for document in dataset.documents for word in document]
    assert pairs_of(one_shard).documents(2**22)[0][0].tolist() == expected
    joined = np.concatenate([indices for indices, _ in pairs_of(many_shards).documents(2**22)])
    assert joined.tolist() == expected
    few = [np.unique(owner, return_counts=True)[1] for _, owner in pairs_of(many_shards).documents(300)]
    total = sum(counts.sum() for counts in few)
    assert 300 <= total < 300 + few[-1][-1]  # the text ends with the conversation that reaches the number


@pytest.mark.thorough
def test_two_processes_write_the_files_of_one(corpus, one_shard, tmp_path):
    status, out, err = run("prepare", corpus, "--out", "out", "--processes", "2", folder=tmp_path)
    assert (status, err) == (0, "")
    assert "wrote out\n" in out
    for file in ("00000.bin", "00000.idx", "vocabulary.json"):
        assert (tmp_path / "out" / file).read_bytes() == (one_shard.path / file).read_bytes()


@pytest.mark.thorough
def test_ctrl_c_while_processes_start_is_one_line(corpus, tmp_path):
    process = start("prepare", corpus, "--out", "out", "--processes", "2", folder=tmp_path, start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and len(children.read_text().split()) < 2:  # a helper of Python, and the first one
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "\nnext: the same command continues with out\n", "")
