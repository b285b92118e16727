"""The chat command: which bot it opens, and options that exclude each other or are out of range."""

import pytest

from keras_gca import chat
from keras_gca.agent import Agent, Decoding
from keras_gca.engine import command_line
from keras_gca.safety.crisis import FIRST_USE_NOTICE
from tests.factories.gca import make_agent, write_run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam", "0"], "--beam: 0; at least 1 is expected"),
        (["--temperature", "0"], "--temperature: 0.0; a number from 0.01 to 100 is expected"),
        (["--greedy", "--temperature", "0"], "--greedy excludes --temperature and --beam"),
        (["--greedy", "--beam", "0"], "--greedy excludes --temperature and --beam"),
    ],
)
def test_zero_is_a_number_that_was_given(arguments, message, tmp_path, capsys):
    make_agent().save(tmp_path / "bot.h5")
    assert command_line.run(chat.main, "chat", [str(tmp_path / "bot.h5"), *arguments]) == 2
    assert capsys.readouterr().err == f"chat: {message}\n"


@pytest.fixture
def nobody_types(tmp_path, monkeypatch):
    """An empty folder, in which a chat ends at once; the shipped bot is `shipped.h5`."""

    def end_of_input(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", end_of_input)
    monkeypatch.chdir(tmp_path)
    make_agent().save(tmp_path / "shipped.h5")
    monkeypatch.setattr(chat, "SHIPPED", tmp_path / "shipped.h5")
    return tmp_path


def first_lines(capsys, *arguments):
    """The paragraphs before the line that explains how to type: the notice, and the bot."""
    assert chat.main([*arguments, "--no-transcript"]) == 0
    notice, _, bot = capsys.readouterr().out.partition("\n\n")
    return notice.splitlines(), bot.splitlines()[0]


def test_without_a_run_the_shipped_bot_chats_and_says_how_to_train_another(nobody_types, capsys):
    shipped = "This is the shipped bot. Train one of your own: python -m keras_gca.train"
    assert first_lines(capsys)[0] == [shipped, FIRST_USE_NOTICE]


def test_a_run_goes_before_the_shipped_bot_unless_that_is_named(nobody_types, capsys):
    write_run(nobody_types / "runs" / "mine")
    notice, bot = first_lines(capsys)
    assert notice == [FIRST_USE_NOTICE]
    assert bot.startswith("runs/mine: teacher forcing and adversarial, ")
    assert first_lines(capsys, "--shipped")[0][0].startswith("This is the shipped bot. ")


def test_the_shipped_bot_is_named_alone(capsys):
    assert command_line.run(chat.main, "chat", ["bot.h5", "--shipped"]) == 2
    assert capsys.readouterr().err == "chat: --shipped is a bot of its own; leave out bot.h5\n"


def test_the_package_has_a_small_bot_with_a_data_statement_beside_it():
    assert chat.SHIPPED.stat().st_size <= 16e6
    assert (chat.SHIPPED.parent / "README.md").read_text(encoding="utf-8").startswith("# The shipped bot")
    agent = Agent.load(chat.SHIPPED)
    replies = [agent.reply(text, Decoding(beam=5)) for text in ("Hello!", "Where do you live?", "I'm hungry.")]
    assert len(set(replies)) == 3
