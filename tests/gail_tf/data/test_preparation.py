"""A preparation of trajectories can be interrupted, refuses what does not fit, and its damaged files are reported."""

import hashlib
import itertools
import json
import re
import shutil

import numpy as np
import pytest

from gail_tf import prepare as prepare_command
from gail_tf.config import GAILConfig
from gail_tf.data import preparation, token_chunks
from gail_tf.data.preparation import Model
from gail_tf.data.preparation_cost import IMPORTS, OF_AN_UTTERANCE, Rates, estimate
from gail_tf.data.source import Source
from gail_tf.data.token_data import TokenData
from gail_tf.data.token_folder import TokenFolder
from gail_tf.data.token_shard import GENERAL, TRAIN, sizes_of
from glove import cost
from glove.cost import TimeLimit
from keras_gca.corpora.detection import detect
from keras_gca.data.token_folder import TokenFolder as FirstPapersFolder
from keras_gca.engine import chunking, command_line, processes
from keras_gca.engine.preparing_cost import Read
from keras_gca.errors import UserError
from tests.factories.prepared import folder_of, write_corpora


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(chunking, "CHUNK_UTTERANCES", 40)
    monkeypatch.setattr(preparation, "SHARD_UTTERANCES", 80)


@pytest.fixture(scope="module")
def many_shards(corpora, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "CHUNK_UTTERANCES", 40)
        patch.setattr(preparation, "SHARD_UTTERANCES", 80)
        return folder_of(corpora, tmp_path_factory.mktemp("tokens") / "many")


def prepare_here(corpora, out, *options):
    given = [str(corpora["data"][0])]
    for name in ("tweets", "general"):
        given += [f"--{name}", str(corpora[name][0])]
    arguments = [*given, "--out", str(out), "--preset", "tiny", "--processes", "1", *options]
    return command_line.run(prepare_command.main, "prepare", arguments)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("small_shards")
def test_a_time_limit_stops_in_each_pass_and_the_repeated_command_writes_the_same_files(
    corpora, many_shards, tmp_path, monkeypatch, capsys
):
    clock = itertools.count(0, 20)  # seconds
    monkeypatch.setattr(processes, "TimeLimit", lambda minutes=None: TimeLimit(minutes, lambda: next(clock)))
    chunks, shards = [0], [0]
    while prepare_here(corpora, tmp_path / "out", "--minutes", "1") == 130:
        out, err = capsys.readouterr()
        assert (out.splitlines()[-1], err) == (f"next: the same command continues with {tmp_path / 'out'}", "")
        for counts, name in ((chunks, "chunk-*.npz"), (shards, "shard-*.json")):
            counts.append(len(list((tmp_path / "out" / "work").glob(name))))
        assert chunks[-1] + shards[-1] > chunks[-2] + shards[-2]  # each command makes progress
    assert set(shards) & set(range(1, len(many_shards.shards)))
    assert contents(tmp_path / "out") == contents(many_shards.path)


@pytest.mark.usefixtures("small_shards")
def test_ctrl_c_stops_and_other_settings_write_the_shards_again(corpora, many_shards, tmp_path, monkeypatch, capsys):
    numbers = []

    def encode(task):
        if len(numbers) == 2:
            raise KeyboardInterrupt
        numbers.append(task.number)
        return token_chunks.encode_shard(task)

    monkeypatch.setattr(preparation, "encode_shard", encode)
    assert prepare_here(corpora, tmp_path / "out") == 130
    out, err = capsys.readouterr()
    assert (out.splitlines()[-2:], err) == (["", f"next: the same command continues with {tmp_path / 'out'}"], "")
    with pytest.raises(UserError, match=r"is not finished; run gail_tf\.prepare again to continue"):
        TokenFolder.open(tmp_path / "out")
    numbers.clear()
    assert prepare_here(corpora, tmp_path / "out", "--vocabulary-size", "310") == 130
    assert numbers == [0, 1]
    assert (tmp_path / "out" / "00000.bin").read_bytes() != (many_shards.path / "00000.bin").read_bytes()
    capsys.readouterr()
    assert prepare_here(corpora, tmp_path / "out", "--turns", "staggered") == 2
    assert "an interrupted preparation of this folder used other files or options" in capsys.readouterr().err
    (tmp_path / "out" / "00001.txt").unlink()
    numbers.clear()
    monkeypatch.setattr(preparation, "encode_shard", lambda task: numbers.append(task.number) or encode_shard(task))
    assert prepare_here(corpora, tmp_path / "out") == 0  # with the first settings, whose shards have been replaced
    assert numbers == list(range(len(many_shards.shards)))
    assert contents(tmp_path / "out") == contents(many_shards.path)


def encode_shard(task):
    return token_chunks.encode_shard(task)


@pytest.mark.usefixtures("small_shards")
def test_a_long_preparation_says_what_it_costs(corpora, many_shards, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chunking, "MEASURED_FROM", 2)
    monkeypatch.setattr(cost, "LONG", 0)
    assert prepare_here(corpora, tmp_path / "out") == 0
    pattern = r"^estimate: about 0 minutes \(reading and .* computes the sentiments of [\d,]+ utterances per second"
    assert re.search(pattern, capsys.readouterr().out, re.MULTILINE)
    assert contents(tmp_path / "out") == contents(many_shards.path)


def test_the_estimate_is_what_one_computes_by_hand():
    rates, read = Rates(1000, 2.0, 0.5), Read(seconds=0.25, lines=50_000, text=40_000, files=5_000_000)  # of 100 chunks
    alone = estimate(rates, read, 1, chunks=60, shards=10, of_shard=4000, cores=2)
    assert list(alone.seconds.values()) == pytest.approx([25 + 40 * 2, 60 * 0.5])
    together = estimate(rates, read, 2, chunks=0, shards=0, of_shard=4000, cores=2)
    assert list(together.seconds.values()) == pytest.approx([(25 + 200) / 2, 25])
    assert together.memory == 2 * alone.memory == pytest.approx(2 * (IMPORTS + 4000 * OF_AN_UTTERANCE))


@pytest.mark.thorough
def test_two_processes_write_the_files_of_one(corpora, many_shards, tmp_path, monkeypatch):
    monkeypatch.setattr(chunking, "CHUNK_UTTERANCES", 40)
    monkeypatch.setattr(preparation, "SHARD_UTTERANCES", 80)
    assert prepare_here(corpora, tmp_path / "out", "--processes", "2") == 0
    assert contents(tmp_path / "out") == contents(many_shards.path)


def test_the_command_describes_the_folder_and_refuses_what_does_not_fit(corpora, many_shards, tmp_path, capsys):
    assert prepare_here(corpora, tmp_path / "out") == 0
    out = capsys.readouterr().out
    counts = [many_shards.count(part) for part in (1, 2, 3)]
    assert "trajectories: {} train, {} test, {} validation\n".format(*counts) in out
    assert "pretraining:  9 general conversations\nfiles:        1 shard, " in out
    for options, message in (
        ((), "this folder is already complete"),
        (("--model", "m"), "--general is text for pretraining a model"),
        (("--pretraining-epochs", "0"), "--general has no effect with --pretraining-epochs 0"),
    ):
        assert prepare_here(corpora, tmp_path / "out", *options) == 2
        err = capsys.readouterr().err
        assert (message in err, err.count("\n")) == (True, 1)
    for arguments, message in (
        (["--out", "x"], "there is nothing to prepare"),
        (["a", "--model", "m", "--vocabulary-size", "500", "--out", "x"], "valid only for a GPT-2 from scratch"),
        ([str(tmp_path / "out"), "--out", str(tmp_path / "x")], "these are token files, which only a training run"),
    ):
        assert command_line.run(prepare_command.main, "prepare", [*arguments, "--processes", "1"]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["Alone."], {}, "the corpora have no conversation of two or more utterances"),
        (["Hi.", "Hello.", "", "Hi.", "Hello."], {}, "2 conversations are too few to be divided"),
        (["Hi.", "Hello."], {"splits": "official"}, r"corpus\.txt: --splits official: plain text has no official"),
    ],
)
def test_corpora_that_cannot_be_divided_are_refused(tmp_path, lines, options, message):
    (tmp_path / "corpus.txt").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        folder_of({"data": [tmp_path / "corpus.txt"]}, tmp_path / "out", pretraining_epochs=0, **options)


def test_official_splits_are_kept(tmp_path):
    for part, texts in (("train", "ab"), ("valid", "cd"), ("test", "ef")):
        rows = [f"hit:{part}_conv:{i},{i + 1},proud,I won,{i},{text},," for i, text in enumerate(texts)]
        rows = [row.replace(f"_conv:{i}", "_conv:0") for i, row in enumerate(rows)]
        header = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"
        (tmp_path / f"{part}.csv").write_text("\n".join([header, *rows]) + "\n")
    folder = folder_of({"data": [tmp_path]}, tmp_path / "out", splits="official", pretraining_epochs=0)
    data = TokenData.of(folder, GAILConfig.preset("tiny"), pretrains=False)
    assert [each.response for each in (*data.train, *data.test, *data.validation)] == ["b", "f", "d"]
    assert ({each.emotion for each in data.train}, folder.count(GENERAL)) == ({"proud"}, 0)


def test_a_model_brings_its_own_tokenizer(corpora, many_shards, tmp_path):
    model = Model("some/model", many_shards.path / "tokenizer")
    folder = folder_of(corpora, tmp_path / "out", model)
    assert folder.tokenizer.encodes_like(many_shards.tokenizer)
    assert (folder.model, folder.count(GENERAL), folder.count(TRAIN)) == ("some/model", 0, many_shards.count(TRAIN))


# Settings of a training run on token files


def test_settings_of_the_folder_are_taken_and_others_refused(many_shards):
    config = many_shards.settings_of(GAILConfig.preset("default"))
    assert (config.model.vocabulary_size, config.data.max_trajectories) == (320, None)
    for changes, message in (
        ({"vocabulary_size": 500}, "--vocabulary-size: 500 is not possible with .* prepared with 320"),
        ({"turns": "staggered"}, "--turns: staggered is not possible"),
        ({"max_trajectories": 50}, "--max-trajectories has no effect"),
    ):
        with pytest.raises(UserError, match=message):
            many_shards.settings_of(GAILConfig.preset("tiny", **changes))


def test_what_token_files_do_not_support_is_refused(many_shards, corpora, tmp_path):
    for changes in ({"algorithm": "rl_seq2seq"}, {"listener_profile": "on"}):
        config = many_shards.settings_of(GAILConfig.preset("tiny", **changes))
        with pytest.raises(UserError, match="token files do not support --"):
            TokenData.of(many_shards, config, pretrains=False)
    without = folder_of(corpora, tmp_path / "out", pretraining_epochs=0)
    with pytest.raises(UserError, match="no general conversations to pretrain on; use --pretraining-epochs 0"):
        TokenData.of(without, GAILConfig.preset("tiny"), pretrains=True)
    with pytest.raises(UserError, match="--tweets, further --data: this has no effect on"):
        Source([many_shards.path, *corpora["data"]], corpora["tweets"])
    with pytest.raises(UserError, match="these are token files, which only a training run can read"):
        detect(many_shards.path)
    with pytest.raises(UserError, match="the format is 'gail_tf tokens 1', but 'keras_gca tokens 1' is expected"):
        FirstPapersFolder.open(many_shards.path)


# Damaged files


def index(**changes):
    def change(folder):
        values = json.loads((folder / "tokens.json").read_text())
        (folder / "tokens.json").write_text(json.dumps(values | changes))

    return change


def flip(folder):
    content = bytearray((folder / "00001.txt").read_bytes())
    content[20] ^= 1
    (folder / "00001.txt").write_bytes(bytes(content))


HOSTILE = {
    "truncated shard": (lambda folder: (folder / "00000.bin").write_bytes(b"ab"), "00000.bin: the file has 2 bytes"),
    "wrong sum": (flip, r"00001.txt: the file is damaged \(wrong checksum\)"),
    "missing file": (lambda folder: (folder / "00000.idx").unlink(), "00000.idx: the file is missing"),
    "another version": (index(format="gail_tf tokens 9"), "'gail_tf tokens 1' is expected"),
    "no shards": (index(shards=[]), "tokens.json: the file is damaged"),
    "shards of another kind": (index(shards=[{"tokens": 1}]), "tokens.json: the file is damaged"),
    "settings of another kind": (index(settings={"turns": 3}), "tokens.json: the file is damaged"),
    "an impossible setting": (index(settings={"turns": "x"}), "tokens.json: the file is damaged"),
    "names of another kind": (index(emotions=[3]), "tokens.json: the file is damaged"),
    "other forms": (index(forms=2), "tokens.json: the file is damaged; the number of forms"),
    "another tokenizer": (
        lambda folder: (folder / "tokenizer" / "vocab.json").write_text("{}"),
        "vocab.json: the file",
    ),
    "no JSON": (lambda folder: (folder / "tokens.json").write_text("{"), "tokens.json: the file is damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_token_files_are_named(many_shards, tmp_path, name):
    change, message = HOSTILE[name]
    shutil.copytree(many_shards.path, tmp_path / "copy")
    change(tmp_path / "copy")
    with pytest.raises(UserError, match=message) as raised:
        TokenFolder.open(tmp_path / "copy").verify()
    assert str(tmp_path / "copy") in str(raised.value)


@pytest.mark.parametrize(
    ("name", "position", "value", "message"),
    [
        ("tokens", 5, 60_000, "it contains the token 60000, but the tokenizer has 320 tokens"),
        ("text", 5, 0xFF, "its text is not UTF-8"),
        ("begins", 1, 10_000, "its offsets are invalid"),
        ("begins", 1, 0, "its conversations are invalid"),
        ("token_offsets", 3, 2**31, "its offsets are invalid"),
        ("text_offsets", 3, 2**31, "its offsets are invalid"),
        ("emotions", 4, 99, "it contains an unknown emotion"),
        ("scores", 4, 10_001, "a sentiment score is outside the range"),
        ("parts", 2, 9, "its conversations are invalid"),
        ("parts", slice(None), 1, "its parts are invalid"),
        ("sources", 2, 9, "it contains an unknown format"),
    ],
)
def test_impossible_numbers_with_right_checksums_are_refused(many_shards, tmp_path, name, position, value, message):
    folder = tmp_path / "copy"
    shutil.copytree(many_shards.path, folder)
    opened = TokenFolder.open(folder)
    shard, facts = opened.shard(0), opened.shards[0]
    names = [each for each, _, _ in sizes_of(facts.conversations, facts.utterances, opened.forms)]
    arrays = {each: np.array(getattr(shard, each)) for each in ("tokens", "text", *names)}
    arrays[name][position] = value
    files = {"bin": ["tokens"], "txt": ["text"], "idx": names}
    values = json.loads((folder / "tokens.json").read_text())
    for suffix, parts in files.items():
        content = b"".join(arrays[part].tobytes() for part in parts)
        (folder / f"00000.{suffix}").write_bytes(content)
        values["shards"][0][f"{suffix}_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "tokens.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=f"00000.idx: the file is damaged; {message}"):
        TokenFolder.open(folder).verify()
