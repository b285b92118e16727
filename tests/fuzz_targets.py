"""Targets of fuzzing: each reader must give a value or one error that the user can fix, whatever bytes it reads.

A target is a function of bytes. If it raises an exception, this is a finding. `tests.stress.fuzz` searches for
findings, guided by coverage. `test_fuzz_targets.py` tries some inputs in every run of the tests.
"""

import _thread
import atexit
import codecs
import gc
import gzip
import io
import json
import pickle
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow.ipc
import pyarrow.parquet

from gail_tf.base_models.gguf_files import convert_gguf
from gail_tf.base_models.gguf_header import Header
from gail_tf.base_models.gguf_networks import read_network
from gail_tf.base_models.gguf_tokenizer import read_tokenizer, tokenizer_config
from gail_tf.base_models.wheels import copy_member, gguf_member
from gail_tf.data.trajectories import read_tweets
from glove import BadLines, VectorFileError, read_vectors
from glove.text_files import one_line
from keras_gca.config import Config
from keras_gca.data.conversations import EMPATHETIC_HEADER, SPLITS, read_conversations
from keras_gca.data.pickled_vocabulary import Unpickler, read_vocabulary, unpickle
from keras_gca.data.vocabulary import Vocabulary, read_words
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.arrays import open_arrays
from keras_gca.survey.paper_form import read_form
from keras_gca.survey.questionnaire import Line, MachineAnswer, Survey
from tests.factories import gguf_models

MEMORY = Path("/dev/shm")  # a folder in memory, if the system has one, so that files need not be written to a disk


class Target(NamedTuple):
    """A reader to test.

    Attributes:
        run: The function of bytes.
        seeds: The inputs with which a search begins.
        heavy: Whether the reader imports TensorFlow.
    """

    run: Callable[[bytes], None]
    seeds: list[bytes]
    heavy: bool = False


def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


FOLDER = _folder()


def outcome(read: Callable[[], object]) -> object:
    """Return the value that a reader gives, or None if it raises an error of one line that the user can fix."""
    try:
        return read()
    except (UserError, VectorFileError) as error:
        if not one_line(error).isprintable():
            raise AssertionError(f"not one line: {error!r}") from None
        return None


# Corpora


def _same_with_and_without_skipping(read: Callable[[BadLines], object]) -> None:
    strict = outcome(lambda: read(BadLines(error=UserError)))
    bad = BadLines(skip=True, error=UserError)
    lenient = outcome(lambda: read(bad))
    if strict is not None:
        assert not bad.counts
        assert repr(lenient) == repr(strict)


def _conversations(format: str, content: bytes) -> None:
    path = FOLDER / f"{format}.txt"
    path.write_bytes(content)
    _same_with_and_without_skipping(lambda bad: read_conversations(path, format, bad))


def _detected(content: bytes) -> None:
    path = FOLDER / "detected"
    path.write_bytes(content)
    _same_with_and_without_skipping(lambda bad: read_conversations(path, None, bad))


def _parquet(content: bytes) -> None:
    path = FOLDER / "a.parquet"
    path.write_bytes(content)
    _same_with_and_without_skipping(lambda bad: read_conversations(path, "datasets", bad))


def _data_set(content: bytes) -> None:
    # A new folder for each input: the reader maps the file into memory.
    with tempfile.TemporaryDirectory(dir=FOLDER) as made:
        folder = Path(made)
        state, _, arrow = content.partition(PARTING)
        (folder / "state.json").write_bytes(state)
        (folder / "dataset_info.json").write_bytes(b"{}")
        (folder / "data-00000-of-00001.arrow").write_bytes(arrow)
        _same_with_and_without_skipping(lambda bad: read_conversations(folder, "datasets", bad))


def _archive(content: bytes) -> None:
    for name in ("a.zip", "a.tar.gz"):
        path = FOLDER / name
        path.write_bytes(content)
        for splits in SPLITS:
            _same_with_and_without_skipping(
                lambda bad, path=path, splits=splits: read_conversations(path, None, bad, splits)
            )


def _cornell(content: bytes) -> None:
    folder = FOLDER / "cornell"
    folder.mkdir(exist_ok=True)
    lines, _, conversations = content.partition(b"\n\n")
    (folder / "movie_lines.txt").write_bytes(lines)
    (folder / "movie_conversations.txt").write_bytes(conversations)
    _same_with_and_without_skipping(lambda bad: read_conversations(folder, "cornell", bad))


def _dailydialog(content: bytes) -> None:
    text, _, emotions = content.partition(b"\n\n\n")
    (FOLDER / "dialogues_fuzz.txt").write_bytes(text)
    (FOLDER / "dialogues_emotion_fuzz.txt").write_bytes(emotions)
    _same_with_and_without_skipping(lambda bad: read_conversations(FOLDER / "dialogues_fuzz.txt", "dailydialog", bad))


def _tweets(content: bytes) -> None:
    for name in ("tweets.csv", "tweets.txt"):
        (FOLDER / name).write_bytes(content)
        _same_with_and_without_skipping(lambda bad, name=name: read_tweets(FOLDER / name, bad))


def _words(content: bytes) -> None:
    (FOLDER / "words").write_bytes(content)
    _same_with_and_without_skipping(lambda bad: read_words(FOLDER / "words", bad))


# Word vectors


def _read_vectors(name: str, content: bytes) -> None:
    (FOLDER / name).write_bytes(content)

    def read(bad: BadLines) -> tuple:
        found = read_vectors(FOLDER / name, bad=bad)
        assert np.isfinite(found.matrix).all()
        assert len(set(found.words)) == len(found.matrix)
        return found.words, found.matrix.tolist()

    _same_with_and_without_skipping(read)


def _vectors(content: bytes) -> None:
    _read_vectors("vectors.txt", content)
    outcome(lambda: read_vectors(FOLDER / "vectors.txt", ["the", "of"], 2))


def _packed_vectors(content: bytes) -> None:
    _read_vectors("vectors.gz", content)
    _read_vectors("vectors.zip", content)


def _binary_vectors(content: bytes) -> None:
    _read_vectors("vectors.bin", content)
    outcome(lambda: read_vectors(FOLDER / "vectors.bin", ["the", "of"], 2))


BINARY = b"2 2\nthe \0\0\x80?\0\0\0@\nof \0\0\0@\0\0\x80?\n"
VECTORS = b"the 0.1 -0.2\nof 1 2e-3\n. . 3 4\n"


def _zip(**options) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", **options) as archive:
        archive.writestr("glove.2d.txt", VECTORS)
    return packed.getvalue()


# The author's pickle

_events: list[str] = []
_watched_threads: list[int] = []  # whose events are noted


def _hook(event: str, arguments: tuple, this_thread: Callable[[], int] = _thread.get_ident) -> None:
    if _watched_threads and this_thread() in _watched_threads:  # a module's names are None when Python ends
        _events.append(event)


for _encoding in ("ascii", "latin-1", "raw-unicode-escape"):  # these are imported when they are first used
    codecs.lookup(_encoding)
sys.addaudithook(_hook)


class _Twin(pickle._Unpickler):
    """The same unpickler in pure Python, because a search by coverage can see only the branches of Python code."""

    find_class, persistent_load = Unpickler.find_class, Unpickler.persistent_load


def watched(load: Callable[[], object]) -> object:
    """Return the loaded value, or None if loading raises an error.

    It is a finding if loading does anything else, for example an import or opening a file.
    """
    _events.clear()
    gc.disable()  # what is collected just then would have events of its own
    _watched_threads.append(_thread.get_ident())
    try:
        return load()
    except Exception:  # of whatever kind: the reader below may not raise all of them
        return None
    finally:
        _watched_threads.clear()
        gc.enable()
        if _events:
            raise AssertionError(f"unpickling did {_events}")


def _pickle(content: bytes) -> None:
    found = watched(lambda: unpickle(content))
    _only(found, (list, tuple, str, int, float))
    if b"\x96" not in content:  # whose argument is a size to allocate
        twin = watched(_Twin(io.BytesIO(content), encoding="utf-8").load)
        _only(twin, (list, tuple, str, int, float, bytes, dict, set, frozenset))
    (FOLDER / "vocabulary").write_bytes(content)
    outcome(lambda: read_vocabulary(FOLDER / "vocabulary"))


def _only(value: object, kinds: tuple[type, ...]) -> None:
    """Check that a value consists only of these types and None. The value may contain itself."""
    seen, waiting = set(), [value]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        assert type(each) in (*kinds, bool), type(each)
        if isinstance(each, (list, tuple, set, frozenset)):
            waiting += each
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]


ENTRIES = [(".", 9), ("i", 5), ("BOS", 9), ("EOS", 9), ("fine", 2)]


class _Call:
    def __reduce__(self):
        return print, ("called",)


# Surveys and settings


def _survey(content: bytes) -> None:
    (FOLDER / "survey.json").write_bytes(content)
    found = outcome(lambda: Survey.read(FOLDER / "survey.json"))
    if found is not None:
        assert json.loads(found.to_json())["format"]
        assert found.fingerprint


def _make_survey() -> Survey:
    answers = MachineAnswer("Fine.", 0.2, 0.4), MachineAnswer("No.", 0.1, 0.6)
    return Survey(("a", "b"), ((Line(("How are you?",), answers, (1, 0)),),), {})


SURVEY = _make_survey()


def _form(content: bytes) -> None:
    (FOLDER / "form.csv").write_bytes(content)
    outcome(lambda: read_form(FOLDER / "form.csv", SURVEY))


def _settings(content: bytes) -> None:
    (FOLDER / "config.json").write_bytes(content)
    values = outcome(lambda: json_files.read(FOLDER / "config.json"))
    if values is not None:
        json.dumps(values).encode()
    found = outcome(lambda: Config.from_values(values))
    if found is not None:
        assert Config.from_values(found.to_values()) == found


def _vocabulary(content: bytes) -> None:
    try:
        found = Vocabulary.from_values(json_files.loads(content.decode()))
    except ValueError:
        return
    assert Vocabulary.from_values(found.to_values()).to_values() == found.to_values()


# HDF5


def _hdf5(content: bytes) -> None:
    (FOLDER / "arrays.h5").write_bytes(content)
    try:
        with open_arrays(FOLDER / "arrays.h5") as file:
            json_files.loads(file.array("facts").tobytes().decode())
            found = [file.array(f"arrays/{name}") for name in file.names("arrays")]
    except ValueError:
        return
    assert all(array.dtype.kind in "fiub" for array in found)


def _h5(**options) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.create_dataset("facts", data=np.frombuffer(b'{"a": [1, null]}', np.uint8))
        file.create_dataset("arrays/a/0", data=np.ones((3, 4), np.float32), **options)
        file.create_dataset("arrays/b", data=np.arange(5))
    return made.getvalue()


# Folders in Hugging Face's format


def _hugging_face(content: bytes) -> None:
    from gail_tf.models.architectures import config_of
    from gail_tf.models.bert import BertConfig
    from gail_tf.models.hugging_face import INDEX, read_config, read_weights
    from gail_tf.models.roberta_config import RobertaConfig

    folder = FOLDER / "network"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_bytes(content)
    for make in (config_of, RobertaConfig.from_hugging_face, BertConfig.from_hugging_face):
        outcome(lambda make=make: read_config(folder / "config.json", make))
    (folder / INDEX).write_bytes(content)
    outcome(lambda: list(read_weights(folder, "a network", {"a": (1,)}, "", _NOTHING)))


def _tensors(content: bytes) -> None:
    from gail_tf.models.hugging_face import read_weights

    folder = FOLDER / "tensors"
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(content)
    outcome(lambda: list(read_weights(folder, "a network", {"a": (2, 2)}, "", _NOTHING)))


def _tokenizer(content: bytes) -> None:
    from gail_tf.data.tokenizer import Tokenizer

    folder = FOLDER / "tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_bytes(content)
    found = outcome(lambda: Tokenizer.read(folder))
    if found is not None:
        ids = found.encode("Hello, you!")
        assert all(0 <= i < len(found) for i in ids)
        found.decode(ids)


def _layout(content: bytes) -> None:
    from gail_tf.data.layouts import read_layout

    folder = FOLDER / "layout"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer_config.json").write_bytes(content)
    found = outcome(lambda: read_layout(folder))
    assert found is None or found.end.isprintable()


def _gguf(content: bytes) -> None:
    path = FOLDER / "a.gguf"
    path.write_bytes(content)
    header = outcome(lambda: Header(path))
    if header is not None:
        outcome(lambda: read_network(header))
        tokenizer = outcome(lambda: read_tokenizer(header))
        if tokenizer is not None:
            outcome(lambda: tokenizer_config(header, tokenizer.get_vocab_size()))
            tokenizer.decode(tokenizer.encode("Hello, you!").ids)
    if outcome(lambda: convert_gguf(path, FOLDER / "gguf", "name")) is not None:
        shutil.rmtree(FOLDER / "gguf")


def _wheel(content: bytes) -> None:
    path = FOLDER / "a.whl"
    path.write_bytes(content)
    member = outcome(lambda: gguf_member(path))
    if member is not None:
        outcome(lambda: copy_member(path, member, FOLDER / "member"))


_NOTHING = re.compile("nothing")
_ALPHABET = {chr(c): i for i, c in enumerate([*range(33, 127), *range(161, 173), *range(174, 324)])}
TOKENIZER = {
    "version": "1.0",
    "added_tokens": [
        {"id": 256, "content": "<|endoftext|>", "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    ],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "vocab": _ALPHABET | {"<|endoftext|>": 256, "he": 257}, "merges": [["h", "e"]]},
}
DIVIDED = TOKENIZER | {
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, TOKENIZER["pre_tokenizer"]],
    },
}
CHAT = {
    "eos_token": {"content": "</s>"},
    "layout": "plain",
    "chat_template": [{"name": "default", "template": "{{ 1 }}"}],
}
GPT2 = {"model_type": "gpt2", "vocab_size": 61, "n_positions": 24, "n_embd": 16, "n_layer": 3, "n_head": 2,
        "eos_token_id": 3, "layer_norm_epsilon": 1e-5}  # fmt: skip
ROBERTA = {"model_type": "roberta", "vocab_size": 61, "hidden_size": 16, "num_hidden_layers": 2,
           "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 24, "type_vocab_size": 1,
           "layer_norm_eps": 1e-5, "pad_token_id": 1}  # fmt: skip
BERT = ROBERTA | {"model_type": "bert", "type_vocab_size": 2, "pad_token_id": 0}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _gguf_file() -> bytes:
    tokens = {"tokenizer.ggml.tokens": ["a", "b", "ab"], "tokenizer.ggml.token_type": [1, 1, 3]}
    values = gguf_models.metadata("llama") | tokens | {"tokenizer.ggml.merges": ["a b"]}
    weights = gguf_models.state("llama", 3)
    return gguf_models.write(FOLDER / "seed.gguf", values, gguf_models.tensors_of(weights, "llama")).read_bytes()


def _safetensors() -> bytes:
    header = _json({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}})
    return len(header).to_bytes(8, "little") + header + bytes(16)


EMPATHETIC = f"""{EMPATHETIC_HEADER}
hit:0_conv:1,1,sad,My cat_comma_ you know,0,"Hello_comma_ there",5|5|5_2|2|5,
hit:0_conv:1,2,sad,My cat_comma_ you know,1,Hi.,5|5|5_2|2|5,
"""
CORNELL = "L1 +++$+++ u0 +++$+++ m0 +++$+++ A +++$+++ Hi\n\nu0 +++$+++ u1 +++$+++ m0 +++$+++ ['L1', 'L1']\n"
JSONL = '["Hi.", "Yo"]\n{"utterances": [{"text": "A"}, {"text": "B"}], "emotion": "sad"}\n'
SHARED_GPT = {"conversations": [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Yes."}]}
CONVOKIT = (
    '{"id": "1", "conversation_id": "1", "text": "Hi.", "speaker": "A", "reply-to": null}\n'
    '{"id": "2", "root": "1", "text": "Yes.", "user": "B", "reply_to": "1"}\n'
)
TABLES = (
    'question,answer\n"Hi, you.","Yes\nI am."\nNo.,Oh.\n',
    "conversation_id\tturn\tspeaker\ttext\n1\t2\tB\tYes.\n1\t1\tA\tHi.\n",
    'Input;Response\n"Hi; you.";Yes.\n',
    'Hi there.\tHello.\nIs it?\t"Yes ""it"" is."\n',
)
PERSONAS = "1 your persona: i ski.\n2 Hi.\tYes.\t\tNo.|Yes.\n1 __SILENCE__\tOh.\n2 So?\tNo.\n"
PARLAI = "text:your persona: i ski.\\nHi.\tlabels:Yes.|No.\tepisode_done:True\n"
SPEAKERS = "Ann: Hi.\n[Person 1]: Yes.\nQ: Why?\nA: So.\n\n**Tim:** No.\n"
SAVED = '"","conv_id","utterance_idx","utterance","context","speaker_idx"\n"0","c","1","Hi_comma_, you","sad","1"\n'
PARTING = b"\n\n"  # between the state and the rows of a data set that is saved to disk
ROWS = (
    {"question": ["Hi.", "No."], "answer": ["Yes.", "Oh."]},
    {"dialog": [["Hi.", "Yes.", "No."], ["A", "B"]], "emotion": [[0, 1, 2], [3, 4]]},
    {
        "conv_id": ["c", "c"],
        "utterance_idx": [1, 2],
        "context": ["sad"] * 2,
        "speaker_idx": [0, 1],
        "utterance": ["A", "B"],
    },
    {"turns": [{"utterance": ["Hi.", "Yes."], "speaker": [0, 1]}]},
)


def _parquet_file(rows: dict[str, list]) -> bytes:
    made = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(rows), made)
    return made.getvalue()


def _saved(rows: dict[str, list]) -> bytes:
    made = io.BytesIO()
    table = pyarrow.table(rows)
    with pyarrow.ipc.new_stream(made, table.schema) as stream:
        stream.write_table(table)
    names = ("_fingerprint", "_format_columns", "_format_type", "_split")
    state = dict.fromkeys(names) | {"_format_kwargs": {}, "_output_all_columns": False}
    state |= {"_fingerprint": "0", "_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    return _json(state) + PARTING + made.getvalue()


def _published(parts: dict[str, str]) -> Iterator[bytes]:
    """Yield a corpus of several files as a .zip, with another one inside it, and as a .tar.gz."""
    made, inner, tarred = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, content in parts.items():
            archive.writestr(f"corpus/{name}", content)
    yield inner.getvalue()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("corpus/train.zip", inner.getvalue())
    yield made.getvalue()
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"corpus/{name}")
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    yield tarred.getvalue()


ENCODINGS = ("cp1252", "utf-16", "utf-32", "utf-8-sig", "mac_roman")
FORM = f"survey,dialogue,line,context,first answer,second answer,vote\r\n{SURVEY.fingerprint},1,1,a,b,c,1\r\n"

TARGETS: dict[str, Target] = {
    "text": Target(partial(_conversations, "text"), ["Hi.\nHello. 😀\n\nשלום\nBye.\n".encode()]),
    "cornell": Target(_cornell, [CORNELL.encode()]),
    "dailydialog": Target(_dailydialog, [b"Hi . __eou__ Boo ! __eou__\n\n\n0 6\n"]),
    "empathetic": Target(partial(_conversations, "empathetic"), [EMPATHETIC.encode()]),
    "jsonl": Target(partial(_conversations, "jsonl"), [JSONL.encode()]),
    "json": Target(
        partial(_conversations, "json"), [_json([["Hi.", "Yes."], SHARED_GPT]), _json({"data": [SHARED_GPT]})]
    ),
    "convokit": Target(partial(_conversations, "convokit"), [CONVOKIT.encode()]),
    "table": Target(partial(_conversations, "table"), [table.encode() for table in TABLES]),
    "parlai": Target(partial(_conversations, "parlai"), [PERSONAS.encode(), PARLAI.encode()]),
    "speakers": Target(partial(_conversations, "speakers"), [SPEAKERS.encode()]),
    "saved": Target(partial(_conversations, "empathetic"), [SAVED.encode()]),
    "encoded": Target(
        partial(_conversations, "text"), ["Où est-ce ?\rÀ côté, là-bas.\r".encode(name) for name in ENCODINGS]
    ),
    "detected": Target(
        _detected,
        [
            *(
                text.encode()
                for text in (EMPATHETIC, CORNELL, JSONL, CONVOKIT, *TABLES, PERSONAS, PARLAI, SPEAKERS, SAVED)
            ),
            *(b"A __eou__ B __eou__ # 1 2\n", b"1\n00:01 --> 00:02\nHi.\n", b"PK\x03\x04", b'[\n["Hi.",\n"Yes."]]'),
        ],
    ),
    "parquet": Target(_parquet, [_parquet_file(rows) for rows in ROWS]),
    "data_set": Target(_data_set, [_saved(rows) for rows in ROWS]),
    "archive": Target(
        _archive,
        [
            *_published({f"{part}.csv": EMPATHETIC for part in ("train", "valid", "test")}),
            *_published({f"dialogues_{part}.txt": "A __eou__ B __eou__\n" for part in ("train", "validation", "test")}),
        ],
    ),
    "tweets": Target(_tweets, [b'id,text\n1,"Joy &amp; peace,\n every day. http://t.co/x1"\n']),
    "words": Target(_words, [b".\n,\nthe\nof\n"]),
    "vectors": Target(_vectors, [VECTORS, b"3 2\n" + VECTORS]),
    "binary_vectors": Target(_binary_vectors, [BINARY, BINARY.replace(b"\n", b"").replace(b"2 2", b"2 2\n")]),
    "packed_vectors": Target(_packed_vectors, [gzip.compress(VECTORS), _zip(), _zip(compression=zipfile.ZIP_DEFLATED)]),
    "pickle": Target(
        _pickle,
        [pickle.dumps(each, protocol) for each in (ENTRIES, [_Call(), {"a": b"b"}]) for protocol in range(6)],
    ),
    "survey": Target(_survey, [SURVEY.to_json().encode()]),
    "form": Target(_form, [FORM.encode()]),
    "settings": Target(_settings, [_json(Config.preset("tiny").to_values())]),
    "vocabulary": Target(_vocabulary, [_json(Vocabulary(["a", "b"], [2, 1], {"a": "A"}).to_values())]),
    "hdf5": Target(_hdf5, [_h5(), _h5(compression="gzip"), _h5(chunks=(1, 2), shuffle=True)]),
    "hugging_face": Target(
        _hugging_face, [_json(GPT2), _json(ROBERTA), _json(BERT), _json({"weight_map": {"a": "b"}})], heavy=True
    ),
    "tensors": Target(_tensors, [_safetensors()], heavy=True),
    "tokenizer": Target(_tokenizer, [_json(TOKENIZER), _json(DIVIDED)], heavy=True),
    "layout": Target(_layout, [_json(CHAT), _json({"eos_token": "<|endoftext|>"})]),
    "gguf": Target(_gguf, [_gguf_file(), _gguf_file()[:3000]]),
    "wheel": Target(_wheel, [gguf_models.write_wheel(FOLDER, {"a/b.gguf": b"GGUF" * 9}).read_bytes()]),
}

# Readers of corpora that belong together: `python -m tests.stress.fuzz FAMILY` divides its time among their targets.
FAMILIES: dict[str, tuple[str, ...]] = {
    "plain_readers": ("text", "speakers", "parlai", "dailydialog"),
    "table_readers": ("table", "empathetic", "saved", "tweets"),
    "json_readers": ("jsonl", "json", "convokit"),
    "published_readers": ("cornell", "archive"),
    "data_set_readers": ("parquet", "data_set"),
    "detection": ("detected", "encoded"),
}
