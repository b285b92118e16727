"""Data sets of Hugging Face are read from Parquet files and from folders of `save_to_disk`, without the network."""

import json
import subprocess
import sys

import pytest

from gail_tf import train as gail_train
from gail_tf.data.trajectories import read_trajectories
from glove.text_files import BadLines
from keras_gca import inspect
from keras_gca import train as gca_train
from keras_gca.corpora import data_sets
from keras_gca.corpora.conversation import PARTS, Conversation
from keras_gca.data.conversations import read_corpus
from keras_gca.errors import UserError
from tests.places import PROJECT

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()  # of the writers; the tests look at standard error

TWO = [("Hi there.", "Hello, Tom."), ("Is it late?", "Yes, it is nine.")]
PAIRS = {"id": [1, 2], "question": [a for a, _ in TWO], "answer": [b for _, b in TWO]}
TURNS = [text for pair in TWO for text in pair]

# name: the columns, and the conversations that are read
SHAPES: dict[str, tuple[dict[str, list], list[Conversation]]] = {
    "pairs": (PAIRS, [Conversation(pair) for pair in TWO]),
    "lists": (
        {"dialog": [list(pair) for pair in TWO], "act": [[1, 2], [1, 2]], "emotion": [[0, 4], [0, 0]]},
        [Conversation(TWO[0], emotions=(None, "happiness")), Conversation(TWO[1], emotions=(None, None))],
    ),
    "messages": (
        {"messages": [[{"role": "user", "content": a}, {"role": "assistant", "content": b}] for a, b in TWO]},
        [Conversation(pair) for pair in TWO],
    ),
    "an object of lists": (
        {"turns": [{"utterance": list(pair), "speaker": [0, 1]} for pair in TWO], "emotion": [3, 4]},
        [Conversation(pair) for pair in TWO],
    ),
    "turns": (
        {"dialogue_id": [1, 1, 2, 2], "turn": [2, 1, 1, 2], "text": [TURNS[1], TURNS[0], *TURNS[2:]]},
        [Conversation(pair) for pair in TWO],
    ),
    "EmpatheticDialogues": (
        {
            "conv_id": ["a", "a", "b", "b"],
            "utterance_idx": [1, 2, 1, 2],
            "context": ["sad", "sad", "joy", "joy"],
            "speaker_idx": [1, 2, 3, 4],
            "utterance": [text.replace(",", "_comma_") for text in TURNS],
        },
        [Conversation(TWO[0], "sad"), Conversation(TWO[1], "joy")],
    ),
}


def made(columns: dict[str, list]) -> "datasets.Dataset":
    return datasets.Dataset.from_dict(columns)


@pytest.mark.parametrize("name", SHAPES)
def test_rows_are_read_alike_from_parquet_and_from_disk_in_both_packages(tmp_path, name):
    columns, expected = SHAPES[name]
    made(columns).to_parquet(tmp_path / "a.parquet")
    made(columns).save_to_disk(tmp_path / "saved")
    for path in (tmp_path / "a.parquet", tmp_path / "saved"):
        corpus = read_corpus(path)
        assert corpus.format == "datasets"
        assert corpus.conversations == expected
        assert str(corpus) == f"{path}: read as a Hugging Face data set: 2 conversations, 4 utterances"
        assert [(each.prompt, each.response) for each in read_trajectories([path])] == TWO


@pytest.mark.parametrize("layout", ["flat", "data", "folders", "saved"])
def test_official_parts(tmp_path, layout):
    parts = {part: made({"question": [f"{part} {i}?" for i in range(3)], "answer": ["Yes."] * 3}) for part in PARTS}
    for part, rows in parts.items():
        where = {
            "flat": f"{part}.parquet",
            "data": f"data/{part}-00000-of-00001.parquet",
            "folders": f"{part}/0.parquet",
        }
        if layout != "saved":
            (tmp_path / where[layout]).parent.mkdir(exist_ok=True)
            rows.to_parquet(tmp_path / where[layout])
    if layout == "saved":
        datasets.DatasetDict(parts | {"extra": parts["train"]}).save_to_disk(tmp_path)
    bad = BadLines(error=UserError)
    conversations = read_corpus(tmp_path, bad=bad, splits="official").conversations
    assert [each.part for each in conversations] == [part for part in PARTS for _ in range(3)]
    assert all(each.utterances[0].startswith(each.part) for each in conversations)
    others = "; left out: 3 conversations without a split" if layout == "saved" else ""
    assert bad.notes[1] == f"official splits: 3 train, 3 validation, 3 test{others}"


def test_a_file_of_another_spelling_and_a_file_alone(tmp_path):
    for name in ("dialogues-train", "dialogues_dev", "test-00000-of-00001"):
        made(PAIRS).to_parquet(tmp_path / f"{name}.parquet")
    assert [each.part for each in read_corpus(tmp_path, splits="official").conversations[::2]] == list(PARTS)
    with pytest.raises(
        UserError,
        match="no official splits were found; give the folder or archive that contains train, validation and test",
    ):
        read_corpus(tmp_path / "dialogues-train.parquet", splits="official")


def test_the_rows_that_a_data_set_selects_are_read(tmp_path):
    made(PAIRS).select([1]).save_to_disk(tmp_path / "saved")
    assert read_corpus(tmp_path / "saved").conversations == [Conversation(TWO[1])]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def test_damaged_files_are_one_line_of_every_command(said, tmp_path):
    made(PAIRS).to_parquet(tmp_path / "a.parquet")
    made(PAIRS).save_to_disk(tmp_path / "saved")
    (tmp_path / "cut.parquet").write_bytes(cut((tmp_path / "a.parquet").read_bytes()))
    (tmp_path / "zeros.parquet").write_bytes(b"PAR1" + bytes(40))
    made({"label": [1], "words": ["Hi."]}).to_parquet(tmp_path / "other.parquet")
    arrow = next((tmp_path / "saved").glob("*.arrow"))
    for name, message in (
        ("cut.parquet", "the data set is damaged or cannot be read"),
        ("zeros.parquet", "the data set is damaged or cannot be read"),
        ("other.parquet", "the columns are label, words; a column with lists of utterances is expected"),
        ("saved", "the data set is damaged or cannot be read"),
        ("dict", "dict/dataset_dict.json: the file is damaged; a list of split names is expected"),
    ):
        arrow.write_bytes(cut(arrow.read_bytes()) if name == "saved" else arrow.read_bytes())
        (tmp_path / "dict").mkdir(exist_ok=True)
        (tmp_path / "dict" / "dataset_dict.json").write_text(json.dumps({"splits": ["../saved"]}))
        for main, command in ((gca_train.main, "train"), (gail_train.main, "train"), (inspect.main, "inspect")):
            arguments = [name] if command == "inspect" else ["--preset", "tiny", "--data", name]
            line = said(main, command, *arguments)
            assert name in line
            assert message in line
    assert not (tmp_path / "runs").exists()


def test_damaged_statistics_do_not_abort_the_process(tmp_path):
    """Lists of numbers in a Parquet file's footer (thrift's type 6) are made longer, among them the statistics."""
    path = tmp_path / "a.parquet"
    made({"dialog": [list(pair) for pair in TWO]}).to_parquet(path)
    whole = path.read_bytes()
    footer = range(len(whole) - 8 - int.from_bytes(whole[-8:-4], "little"), len(whole) - 8)
    messages = set()
    for place in [place for place in footer if whole[place] & 15 == 6 and whole[place] >> 4 in range(1, 9)]:
        path.write_bytes(whole[:place] + bytes([whole[place] + 16]) + whole[place + 1 :])
        try:
            read_corpus(path)
        except UserError as error:
            messages.add(str(error))
    assert all(message.startswith(f"{path}: ") for message in messages)
    assert any("histogram size mismatch" in message for message in messages)


def test_damaged_states_of_a_saved_data_set(tmp_path):
    made(PAIRS).save_to_disk(tmp_path)
    good = json.loads((tmp_path / "state.json").read_text())
    for change in ({"_data_files": 3}, {"_data_files": [{"filename": "none.arrow"}]}, {"_format_type": "nothing"}):
        (tmp_path / "state.json").write_text(json.dumps(good | change))
        with pytest.raises(UserError, match=r"the data set is damaged or cannot be read \([^\n]*\)$"):
            read_corpus(tmp_path)


def test_a_data_set_is_read_in_bounded_batches(tmp_path, monkeypatch):
    many = {"question": [f"Is it {i}?{' Or not?' * 30}" for i in range(500)], "answer": ["Yes."] * 500}
    made(many).to_parquet(tmp_path / "a.parquet")
    made(many).save_to_disk(tmp_path / "saved")
    for size, message in ((20_000, "500 rows.; use a smaller"), (50_000, "at most 50,000 bytes")):
        monkeypatch.setattr(data_sets, "MOST", size)
        with pytest.raises(UserError, match=message):
            read_corpus(tmp_path / "a.parquet")
    monkeypatch.setattr(data_sets, "MOST", 1000)
    with pytest.raises(UserError, match="the data set is too large; its rows may take up at most 1,000 bytes"):
        read_corpus(tmp_path / "saved")


def test_without_the_extra_the_line_says_how_to_install_it(tmp_path):
    made(PAIRS).to_parquet(tmp_path / "a.parquet")
    program = (
        "import sys; sys.modules['datasets'] = None\n"
        "from keras_gca import inspect; from keras_gca.engine import command_line\n"
        "sys.exit(command_line.run(inspect.main, 'inspect', ['a.parquet']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)},
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "inspect: datasets is not installed; in a checkout of this project, pip install -e '.[datasets]' installs it\n"
    )
