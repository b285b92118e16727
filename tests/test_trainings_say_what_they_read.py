"""Every training of both packages says how it read the data, and shows the first exchange as the model sees it."""

import pytest

from gail_tf import experiments
from gail_tf import train as gail_train
from keras_gca import inspect, studies
from keras_gca import train as gca_train
from keras_gca.engine import command_line, devices

TALKS = "".join(f"Hello {i}, how’s it going?\nI'm fine, Tom.\nGood!\nYes, {i} times.\n\n" for i in range(40))
SMALL = {
    "gca": ["--preset", "tiny", "--max-pairs", "60"],
    "gail": ["--preset", "tiny"],
    "studies": ["training", "--preset", "tiny", "--seeds", "0"],
    "experiments": ["sentiment", "--scale", "tiny", "--seeds", "0"],
}
COMMANDS = {
    "gca": (gca_train.main, "train"),
    "gail": (gail_train.main, "train"),
    "studies": (studies.main, "studies"),
    "experiments": (experiments.main, "experiments"),
}


class BegunError(Exception):
    """Ends a training run when it has described its data and would begin."""


@pytest.fixture
def begun(monkeypatch, tmp_path, capsys):
    """A function: begun(kind, *arguments) runs a command until its training begins, and returns what it has printed."""

    def stop(*arguments, **others):
        raise BegunError

    monkeypatch.setattr(devices, "training_on", stop)
    monkeypatch.chdir(tmp_path)

    def run(kind, *arguments):
        main, name = COMMANDS[kind]
        with pytest.raises(BegunError):
            command_line.run(main, name, [*SMALL[kind], *map(str, arguments)])
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    "kind", ["gca", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("gail", "studies", "experiments"))]
)
def test_a_training_says_how_it_read_a_file(begun, tmp_path, kind):
    (tmp_path / "a.txt").write_text(TALKS)
    said = begun(kind, "--data", "a.txt")
    start = said.index("a.txt: read as plain text: 40 conversations, 160 utterances")
    first, second = ("  context: ", "  answer:  ") if kind in ("gca", "studies") else ("  prompt:   ", "  response: ")
    shown = said[start + 1 : start + 3]  # immediately below
    assert [line[: len(first)] for line in shown] == [first, second]
    context, answer = (line[len(first) :] for line in shown)
    if kind in ("gca", "studies"):  # the networks of the first paper read these tokens
        assert context.split() in (["hello", str(i), ",", "how", "'s", "it", "going", "?"] for i in range(40))
        assert answer.split() == ["i", "'m", "fine", ",", "tom", "."]
    else:
        assert context in [f"Hello {i}, how's it going?" for i in range(40)]
        assert answer == "I'm fine, Tom."


@pytest.mark.parametrize("kind", ["gca", "gail"])
def test_a_training_says_which_format_and_encoding_it_saw(begun, tmp_path, kind):
    rows = "".join(f"Où est Zoé, Noël {i} ?;Déjà là, à côté {i}.\n" for i in range(40))
    (tmp_path / "a.csv").write_bytes(f"question;answer\n{rows}".encode("cp1252"))
    assert "a.csv: read as a table in cp1252 (detected): 40 conversations, 80 utterances" in begun(
        kind, "--data", "a.csv"
    )
    (tmp_path / "b.txt").write_text("".join(f"Q: Is it {i}?\nA: Yes, it is {i}.\n\n" for i in range(40)))
    said = begun(kind, "--data", "b.txt", "--format", "text")
    assert "b.txt: read as plain text: 40 conversations, 80 utterances" in said


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gca", "gail"])
def test_a_training_on_the_embedded_corpus_says_so(begun, kind):
    said = begun(kind)
    assert any(line.startswith("the embedded corpus: ") for line in said)
    assert any(line.startswith(("  context: ", "  prompt:   ")) for line in said)


def test_inspect_shows_the_same_first_exchange(tmp_path, capsys):
    (tmp_path / "a.txt").write_text(TALKS)
    assert command_line.run(inspect.main, "inspect", [str(tmp_path / "a.txt"), "--exchanges", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"{tmp_path / 'a.txt'}: read as plain text: 40 conversations, 160 utterances",
        "  context: Hello 0, how’s it going?",
        "  answer:  I'm fine, Tom.",
    ]
