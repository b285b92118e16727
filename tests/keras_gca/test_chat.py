"""The chat command refuses options that exclude each other or are out of range."""

import pytest

from keras_gca import chat
from keras_gca.engine import command_line
from tests.factories.gca import make_agent


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
