"""Hostile bots, runs and files of the author: a command ends with one line and status 2, and runs no code from them."""

import builtins
import codecs
import copyreg
import ctypes
import json
import os
import pickle
import sqlite3
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from keras_gca import chat, evaluate, train
from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.pickled_vocabulary import LARGEST, read_vocabulary, unpickle
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine import command_line
from keras_gca.engine.memory import refuse_beyond_memory
from keras_gca.errors import UserError
from keras_gca.models.networks import GREEN, WHITE, YELLOW, build, sizes_of
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.survey.votes import Votes
from keras_gca.training.run_folder import GCARun
from tests import fuzz_targets
from tests.factories.gca import LENGTH, VOCABULARY, WORDS, make_agent, random_pairs
from tests.factories.surveys import make_survey

# HDF5


def external_link(file):
    file["arrays"] = h5py.ExternalLink("other.h5", "/arrays")


def soft_link(file):
    file["real/a"] = [1.0]
    file["arrays"] = h5py.SoftLink("/real")


def external_storage(file):
    file.create_dataset("arrays/a", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "arrays/a", (3,))
    file.create_virtual_dataset("arrays/a", layout)


def many_links(file):
    file.create_dataset("arrays/0/a", data=np.zeros((1000, 1000)))
    for i in range(1, 100):
        file[f"arrays/{i}"] = file["arrays/0"]


HDF5 = {
    "never written": lambda file: file.create_dataset("arrays/a", (10**6, 10**6), "f4"),
    "chunks never written": lambda file: file.create_dataset("arrays/a", (10**6, 10**6), "f4", chunks=(100, 100)),
    "one chunk of many": lambda file: file.create_dataset("arrays/a", (10**6, 10**6), "f4", chunks=(100, 100))
    .__setitem__((0, 0), 1.0),
    "zeros": lambda file: file.create_dataset("arrays/a", data=np.zeros((5000, 1000), "f4"), compression="gzip"),
    "another filter": lambda file: file.create_dataset("arrays/a", data=np.zeros((900, 900), "i4"), scaleoffset=1),
    "external link": external_link,
    "soft link": soft_link,
    "external storage": external_storage,
    "virtual": virtual,
    "references": lambda file: file.create_dataset("arrays/a", data=[file.ref], dtype=h5py.ref_dtype),
    "strings": lambda file: file.create_dataset("arrays/a", data=["text"]),
    "records": lambda file: file.create_dataset("arrays/a", data=np.zeros(3, "i4,f4")),
    "nothing": lambda file: file.create_dataset("arrays/a", data=h5py.Empty("f4")),
    "an array for a group": lambda file: file.create_dataset("arrays", data=[1.0]),
    "no arrays": lambda file: None,
    "facts that are no JSON": lambda file: file.__setitem__("facts", np.frombuffer(b"{", np.uint8)),
    "facts that are a list": lambda file: file.__setitem__("facts", np.frombuffer(b"[]", np.uint8)),
    "facts that are deep": lambda file: file.__setitem__("facts", np.full(10_000, ord("["), np.uint8)),
    "facts of floats": lambda file: file.__setitem__("facts", [1.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", HDF5)
def test_arrays_that_are_not_what_they_seem(tmp_path, name):
    write_arrays(tmp_path / "other.h5", {"a": np.ones(3, np.float32)}, {"secret": 1})
    path = tmp_path / "bot.h5"
    with h5py.File(path, "w") as file:
        HDF5[name](file)
        if "facts" not in file:
            file["facts"] = np.frombuffer(b"{}", np.uint8)
        elif "arrays" not in file:
            file["arrays/a"] = [1.0]
    assert path.stat().st_size < 10_000_000
    with pytest.raises(
        UserError, match=r"bot\.h5: the file is incomplete, or was not written by this program \("
    ) as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)


def test_many_names_of_one_array_are_read_once(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        many_links(file)
        file["facts"] = np.frombuffer(b"{}", np.uint8)
    assert len(read_arrays(path)[1]) == 1


# Bots


@pytest.fixture(scope="module")
def good_bot(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "bot.h5"
    make_agent().save(path)
    return path


@pytest.fixture
def bot(good_bot, tmp_path, monkeypatch):
    """The values and arrays of a bot file, which a test may change."""
    monkeypatch.chdir(tmp_path)
    return read_arrays(good_bot)


def settings(**changes):
    return lambda facts, arrays: facts["config"].update(changes)


def vocabulary(**changes):
    return lambda facts, arrays: facts["vocabulary"].update(changes)


def fact(**changes):
    return lambda facts, arrays: facts.update(changes)


BOTS = {
    "another format": (fact(format="keras_gca bot 99"), "not a bot that this version can read"),
    "a bot of the other package": (fact(format="gail_tf bot 2"), "a bot of gail_tf, not of keras_gca"),
    "no networks": (fact(networks={}), "damaged"),
    "networks of a list": (fact(networks=[1]), "damaged"),
    "a count of text": (fact(networks={"teacher_forcing": "many"}), "damaged"),
    "endless networks": (fact(networks={"teacher_forcing": 10**15}), "damaged"),
    "no settings": (fact(config=None), "settings must be a JSON object"),
    "unknown setting": (settings(colour="red"), "'colour' is not a setting"),
    "text for a number": (settings(hidden_size="5"), "--hidden-size: '5' has the wrong type; int is expected"),
    "list for a choice": (settings(padding=["masked"]), "--padding: "),
    "NaN": (settings(average_epochs=float("nan")), "--average-epochs: nan is out of range"),
    "infinity": (settings(average_epochs=float("inf")), "--average-epochs: inf is out of range"),
    "absurd hidden layer": (settings(hidden_size=10**9), "numbers, but the settings require"),
    "absurd number": (settings(hidden_size=10**100), "--hidden-size: 1000"),
    "absurd length": (settings(sentence_length=10**9), "--sentence-length: 1000000000 is out of range"),
    "other word vectors": (settings(word_embedding_size=6), "numbers, but the settings require"),
    "no vocabulary": (fact(vocabulary=[]), "a vocabulary must have words, counts and surfaces"),
    "words that are numbers": (
        vocabulary(words=list(range(12))),
        "the words of a vocabulary must be a list of strings",
    ),
    "a word twice": (vocabulary(words=["a"] * 12), "words must be distinct"),
    "fewer words": (vocabulary(words=WORDS[:-1], counts=[1] * 11), "numbers, but the settings require"),
    "counts of text": (vocabulary(counts=["1"] * 12), "the counts of a vocabulary must be non-negative whole numbers"),
    "surfaces of lists": (vocabulary(surfaces={"tom": ["Tom"]}), "the surfaces of a vocabulary must be strings"),
    "unknown parts": (vocabulary(colours=[]), "a vocabulary must have words, counts and surfaces"),
    "a flat array": (
        lambda facts, arrays: arrays.update({"adversarial/1": arrays["adversarial/1"].ravel()}),
        "has the shape",
    ),
    "a missing array": (lambda facts, arrays: arrays.pop("discriminator/0"), "damaged"),
}


@pytest.mark.parametrize("name", BOTS)
def test_hostile_bots_end_a_chat_in_one_line(bot, tmp_path, capsys, name):
    facts, arrays = bot
    change, message = BOTS[name]
    change(facts, arrays)
    write_arrays(tmp_path / "bot.h5", arrays, facts)
    assert command_line.run(chat.main, "chat", ["bot.h5"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("chat: bot.h5: ")
    assert message in err
    assert err.count("\n") == 1


def test_no_network_is_made_of_settings_that_ask_for_more_than_the_file_holds(bot, tmp_path, monkeypatch):
    facts, arrays = bot
    facts["config"]["sentence_embedding_size"] = 1000
    write_arrays(tmp_path / "bot.h5", arrays, facts)
    made = []
    monkeypatch.setattr("keras_gca.models.trained_networks.build", lambda *arguments: made.append(arguments))
    with pytest.raises(UserError, match="numbers, but the settings require"):
        Agent.load(tmp_path / "bot.h5")
    assert not made


@pytest.mark.parametrize("convention", [{}, {"generator": "canonical"}, {"discriminator_hidden_size": 9}])
def test_the_count_of_weights_is_that_of_the_networks(convention):
    config = Config.preset("tiny", **convention)
    gca = build(config, 30)
    green = GREEN if "discriminator_hidden_size" not in convention else gca.green
    for names, numbers in zip(
        ((*WHITE, *YELLOW), (*WHITE, *green)), sizes_of(config, 30).numbers(gca.canonical), strict=True
    ):
        assert sum(np.prod(variable.shape) for variable in gca.variables(*names)) == numbers


def test_a_network_larger_than_the_machine_is_refused(capsys, tmp_path, monkeypatch):
    refuse_beyond_memory(10**6, "a network")
    with pytest.raises(UserError, match=r"a network of these sizes needs 3,999,999 GB, but this machine has \d+"):
        refuse_beyond_memory(10**15 - 1, "a network")
    with pytest.raises(UserError, match="needs more than a million GB"):
        refuse_beyond_memory(10**5000, "a network")
    monkeypatch.chdir(tmp_path)
    options = ["--preset", "tiny", "--word-embedding-size", "8", "--hidden-size", str(10**11), "--run", "run"]
    text = "".join(f"Hello {i}, how are you?\nI am fine.\n\n" for i in range(40))
    (tmp_path / "a.txt").write_text(text)
    assert command_line.run(train.main, "train", [*options, "--data", "a.txt"]) == 2
    err = capsys.readouterr().err
    assert "a network of these sizes needs" in err.splitlines()[-1]


# Runs


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that has just begun. Its checkpoint does not hold the state of a training run."""
    monkeypatch.chdir(tmp_path)
    words = [f"word{i}" for i in range(VOCABULARY - 4)]
    dataset = Dataset(Vocabulary(words, [1] * len(words)), random_pairs(30, 1), random_pairs(10, 2), [], True)
    made = GCARun.create(Path("run"), Config.preset("tiny", sentence_length=LENGTH), dataset, {"data": "x"})
    made.write_checkpoint({"position": 0}, {"a": np.ones(3)})
    return made


def in_config(**changes):
    def change(run):
        values = json.loads((run.path / "config.json").read_text())
        values["config"].update(changes)
        (run.path / "config.json").write_text(json.dumps(values))

    return change


def content(name, text):
    return lambda run: (run.path / name).write_text(text)


def pairs(**changes):
    """A function that changes an array of pairs.h5, which is found by its name."""

    def change(run):
        facts, arrays = read_arrays(run.path / "pairs.h5")
        for name, of in changes.items():
            arrays[name.replace("_", "/")] = of(arrays[name.replace("_", "/")])
        write_arrays(run.path / "pairs.h5", arrays, facts)

    return change


RUNS = {
    "checkpoint of another kind": (lambda run: None, "checkpoint.h5: the file is not a checkpoint of this run ("),
    "config of a list": (content("config.json", "[]"), "config.json: the content is not a JSON object"),
    "config without end": (content("config.json", "[" * 10**5), "config.json: the file is damaged; valid JSON is"),
    "config of a list of settings": (content("config.json", '{"config": [], "source": {}}'), "settings must be a JSON"),
    "unknown setting": (in_config(colour=1), "config.json: 'colour' is not a setting"),
    "wrong type": (in_config(seed="x"), "config.json: --seed: 'x' has the wrong type; int is expected"),
    "absurd size": (in_config(hidden_size=10**11), "a network of these sizes needs"),
    "absurd length": (in_config(sentence_length=10**9), "config.json: --sentence-length"),
    "other length": (in_config(sentence_length=LENGTH + 1), "pairs.h5: the file is damaged; its parts do not fit"),
    "vocabulary of a list": (content("vocabulary.json", "[]"), "vocabulary.json: the file is damaged; its parts"),
    "vocabulary of numbers": (
        content("vocabulary.json", '{"words": [1], "counts": [1], "surfaces": {}}'),
        "vocabulary.json: the file is damaged",
    ),
    "fewer words": (
        content("vocabulary.json", '{"words": ["a"], "counts": [1], "surfaces": {}}'),
        "pairs.h5: the file is damaged; its parts do not fit together (the word indices range from",
    ),
    "words below zero": (pairs(training_0=lambda array: array - 1), "(the word indices range from -1"),
    "words beyond all": (pairs(validation_1=lambda array: array + VOCABULARY), "; indices from 0 to 29 are expected"),
    "words of floats": (pairs(training_1=lambda array: array.astype(np.float32)), "pair, with integer tokens"),
    "fewer answers": (pairs(training_1=lambda array: array[:-1]), "the shapes of the pairs are"),
    "flat contexts": (pairs(training_0=np.ravel), "the shapes of the pairs are"),
    "no pairs": (pairs(**{f"training_{i}": lambda array: array[:0] for i in range(3)}), "at least one pair"),
    "a scalar": (pairs(training_2=lambda array: array[0]), "pairs.h5: the file is damaged"),
    "pairs of a bot": (lambda run: write_arrays(run.path / "pairs.h5", {}, {"format": "x"}), "pairs.h5: "),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_hostile_runs_end_a_resumption_in_one_line(run, capsys, name):
    change, message = RUNS[name]
    change(run)
    assert command_line.run(train.main, "train", ["--resume", "run"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("train: ")
    assert err.count("\n") == 1


def test_a_run_without_a_bot_ends_other_commands_in_one_line(run, capsys):
    for main, name in ((chat.main, "chat"), (evaluate.main, "evaluate")):
        assert command_line.run(main, name, ["run"]) == 2
        err = capsys.readouterr().err
        assert "bot.h5: the bot has not been written yet" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("source", [[], {"data": 5}, {"data": [1]}])
def test_a_source_that_is_none(run, source):
    values = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(values | {"source": source}))
    with pytest.raises(UserError, match=r"config\.json: the file is damaged"):
        run.source()


@pytest.mark.parametrize(
    "text", ["loss\n1\n", "phase,loss\na,x\n", "phase,loss\na," + "1" * 200_000, "phase\n\udcff\n"]
)
def test_a_log_that_is_none(run, text):
    (run.path / "log.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"log\.csv: cannot be read \("):
        run.read_log()


@pytest.mark.parametrize("facts", [{"position": "x"}, {"position": 10**9}, {"position": -1}, {"history": [1]}, {}])
def test_a_checkpoint_with_a_place_that_there_is_not(run, capsys, facts):
    run.write_checkpoint(
        {"position": 0, "step": 0, "history": [], "sums": None, "best": None} | facts, {"a": np.ones(3)}
    )
    assert command_line.run(train.main, "train", ["--resume", "run"]) == 2
    err = capsys.readouterr().err
    assert "checkpoint.h5: the file is not a checkpoint of this run (" in err
    assert err.count("\n") == 1


# Votes


def test_votes_that_are_none_get_one_line(tmp_path):
    survey = make_survey([(0.4, 0.6)] * 3)
    for number, (line, choice) in enumerate([(99, 1), (-1, 1), (0, 7), ("x", 1), (0, "x")]):
        path = tmp_path / f"{number}.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE survey (fingerprint)")
            connection.execute("INSERT INTO survey VALUES (?)", [survey.fingerprint])
            connection.execute("CREATE TABLE votes (volunteer, line, choice)")
            connection.execute("INSERT INTO votes VALUES (1, ?, ?)", [line, choice])
        with pytest.raises(UserError, match=r"\.sqlite: the file is damaged \(the vote "):
            Votes.open(path, survey).ballots()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE votes")
    with pytest.raises(UserError, match=r"\.sqlite: the file is damaged \(no such table"):
        Votes.open(path, survey).ballots()


# The author's pickle


class Attack:
    """An object whose pickle makes a call when it is loaded."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


ATTACKS = {
    "a shell": Attack(os.system, "touch {trace}"),
    "popen": Attack(os.popen, "touch {trace}"),
    "a process": Attack(subprocess.Popen, ["touch", "{trace}"]),
    "eval": Attack(eval, "open('{trace}', 'w')"),
    "exec": Attack(exec, "open('{trace}', 'w')"),
    "open": Attack(open, "{trace}", "w"),
    "import": Attack(builtins.__import__, "antigravity"),
    "getattr": Attack(getattr, Attack(builtins.__import__, "os"), "system"),
    "getattr chain": Attack(Attack(getattr, Attack(getattr, "", "join"), "__call__"), ["x"]),
    "codecs": Attack(codecs.decode, b"636f6465", "hex"),
    "ctypes": Attack(ctypes.CDLL, None),
    "copyreg": Attack(copyreg._reconstructor, Vocabulary, object, None),
    "a class with state": Attack(Config, state={"seed": 1}),
    "bytearray": Attack(bytearray, b"x"),
    "a map": Attack(map, print, ["x"]),
}
# These pickles are written by hand, because `pickle.dumps` would not write them.
OPERATIONS = {
    "global": b"cos\nsystem\n(Vtouch {trace}\ntR.",
    "a list begun, then global": b"(lp0\n(V.\nI1\ntacos\nsystem\n(Vtouch {trace}\ntR.",
    "inst": b"(Vtouch {trace}\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nVtouch {trace}\no.",
    "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x05touch\x85R.",
    "newobj": b"\x80\x02cos\nsystem\n)\x81.",
    "newobj_ex": b"\x80\x04cos\nsystem\n)}\x92.",
    "build": b"(lp0\n}(Vx\nI1\nsb.",
    "persistent id": b"Pfile\n.",
    "binary persistent id": b"\x80\x02K\x01Q.",
    "extension": b"\x80\x02\x82\x01.",
    "extension of 4 bytes": b"\x80\x02\x84\xff\xff\xff\x7f.",
    "reduce of text": b"Vx\n(tR.",
    "a dictionary": b"(d.",
    "a set": b"\x80\x04\x8f.",
    "bytes": b"\x80\x03C\x01x.",
    "a buffer": b"\x80\x05\x97.",
    "memory for places": b"(lr\xff\xff\xff\x7f.",
    "memory for places as text": b"(lp99999999999\n.",
    "a place below zero": b"(lp-1\n.",
    "memory for bytes": b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
    "memory for text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\x00\x00\x00.",
    "memory for a frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\x00\x00\x00.",
    "memory for a number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a number of many digits": b"L" + b"9" * 5000 + b"L\n.",
    "deep": b"(" * 100_000 + b"t" * 100_000 + b".",
    "another protocol": b"\x80\x63(l.",
    "no end": b"(l",
    "nothing on the stack": b".",
    "a mark too few": b"t.",
    "a place that there is not": b"g5\n.",
    "half a surrogate pair": b"(l(V\\udead\nI1\nta.",
}


def attacks(trace):
    for name, attack in ATTACKS.items():
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            entries = [(".", 3), (",", 2), ("BOS", 1), ("EOS", 1), attack]
            try:
                content = pickle.dumps(entries, protocol)
            except pickle.PicklingError:
                continue
            yield f"{name}, protocol {protocol}", content
    for name, content in OPERATIONS.items():
        yield name, content.replace(b"{trace}", os.fsencode(trace))


def test_nothing_is_called_imported_or_opened_by_an_attack(tmp_path):
    trace = tmp_path / "trace"
    count = 0
    for name, content in attacks(trace):
        outcome = fuzz_targets.watched(lambda content=content: unpickle(content))
        assert outcome is None or isinstance(outcome, (list, tuple, str)), name
        path = tmp_path / "vocabulary_movie"
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a vocabulary"):
            read_vocabulary(path)
        count += 1
    assert not trace.exists()
    assert count > 100


def test_lists_of_lists_take_no_more_than_their_file(tmp_path):
    """The file is a "billion laughs": thirty lists, each of which contains the previous one ten times."""
    operations = b"(lp0\n" + b"".join(b"(l" + b"g%d\na" % i * 10 + b"p%d\n" % (i + 1) for i in range(30)) + b"."
    assert isinstance(unpickle(operations), list)
    with (tmp_path / "vocabulary_movie").open("wb") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(UserError, match="larger than 10,000,000 bytes"):
        read_vocabulary(tmp_path / "vocabulary_movie")
