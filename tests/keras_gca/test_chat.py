"""The chat command: which bot it opens, its options, the commands in the terminal, --say, and the start of the page."""

import json
import re
import socket
from pathlib import Path

import pytest

from keras_gca import chat
from keras_gca.agent import Agent
from keras_gca.engine import command_line
from keras_gca.models.decoding_settings import CHAT, Decoding
from keras_gca.safety.crisis import FIRST_USE_NOTICE
from keras_gca.serving import chat_command, local_server, shared_batches, web
from tests.factories.gca import make_agent, write_run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam", "0"], "--beam: 0; at least 1 is expected"),
        (["--temperature", "0"], "--temperature: 0.0; a number from 0.01 to 100 is expected"),
        (["--greedy", "--temperature", "0"], "--greedy cannot be combined with --temperature or --beam"),
        (["--greedy", "--beam", "0"], "--greedy cannot be combined with --temperature or --beam"),
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
    assert bot.startswith("runs/mine (generators: teacher forcing and adversarial; ")
    assert first_lines(capsys, "--shipped")[0][0].startswith("This is the shipped bot. ")


@pytest.mark.parametrize(
    ("bot", "name"), [("runs/mine", "mine"), ("runs/mine/bot.h5", "mine"), ("old.h5", "old.h5"), ("owner/bot", "bot")]
)
def test_the_title_of_a_page_has_the_name_of_the_run_or_of_the_file(bot, name):
    assert chat_command.named(Path(bot)).name == name


def test_the_shipped_bot_is_named_alone(capsys):
    assert command_line.run(chat.main, "chat", ["bot.h5", "--shipped"]) == 2
    assert capsys.readouterr().err == "chat: --shipped already chooses a bot; leave out bot.h5\n"


def test_the_package_has_a_small_bot_with_a_data_statement_beside_it():
    assert chat.SHIPPED.stat().st_size <= 16e6
    assert (chat.SHIPPED.parent / "README.md").read_text(encoding="utf-8").startswith("# The shipped bot")
    agent = Agent.load(chat.SHIPPED)
    replies = [agent.reply(text, Decoding(beam=5)) for text in ("Hello!", "Where do you live?", "I'm hungry.")]
    assert len(set(replies)) == 3


# Commands in the terminal


@pytest.fixture
def chatting(tmp_path, monkeypatch, capsys):
    """A function: chatting(lines, *arguments) chats with a toy bot in tmp_path, and returns what is printed."""
    make_agent().save(tmp_path / "bot.h5")
    monkeypatch.chdir(tmp_path)

    def chat_with(lines, *arguments):
        typed = iter(lines)

        def type_next(prompt):
            try:
                return next(typed)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", type_next)
        assert chat.main(["bot.h5", *arguments]) == 0
        return capsys.readouterr().out

    return chat_with


def replies(out):
    return [line for line in out.splitlines() if line.startswith("bot> ")]


def test_help_lists_every_command_and_unknown_ones_are_explained(chatting):
    out = chatting(["/help", "/what is this", "/quit now", "/quit", "Hello"], "--no-transcript")
    for command in ("/help", "/reset", "/undo", "/verbose", "/save", "/quit"):
        assert out.count(f"   {command} ") == 2
    assert "(/what is not a command; the commands are:)" in out
    assert "(/quit takes no argument)" in out
    assert replies(out) == []


@pytest.mark.thorough
@pytest.mark.parametrize("options", [[], ["--context", "author"]])
def test_reset_and_undo_take_what_was_said_out_of_the_context(chatting, options):
    """The toy bot has equal probabilities in every chat, so that a reply depends on the context alone."""
    fixed = [*options, "--greedy", "--no-transcript"]
    alone = replies(chatting(["Hello, Tom!"], *fixed))
    one, two = replies(chatting(["How are you?", "Hello, Tom!"], *fixed))
    out = chatting(["How are you?", "/reset", "Hello, Tom!"], *fixed)
    assert replies(out) == [one, *alone]
    assert "(a new conversation)" in out
    out = chatting(["How are you?", "Fine.", "/undo", "Hello, Tom!", "/undo", "/undo", "/undo", "Hello, Tom!"], *fixed)
    assert [replies(out)[i] for i in (0, 2, 3)] == [one, two, *alone]
    assert "(taken back: Fine.)" in out
    assert "(there is nothing to take back)" in out


def test_verbose_is_a_switch(chatting):
    out = chatting(["Hello", "/verbose", "Hello", "/verbose", "Hello"], "--no-transcript")
    assert out.count("(Eq. 10)") == 2
    assert len(replies(out)) == 3


def test_save_writes_the_conversation_and_never_over_another_file(chatting, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "mine.txt").write_text("kept")
    lines = ["/save", "Hello", "Fine.", "/undo", "/save mine.txt", "/save new/said.txt", "/save", "/save new"]
    out = chatting([*lines, "/save ~/a.txt", "/save mine.txt/b.txt"], "--no-transcript")
    assert "(mine.txt/b.txt: the transcript cannot be written (Not a directory))" in out
    assert "(there is nothing to save yet)" in out
    assert "(mine.txt already exists; choose another file)" in out
    assert "(new already exists; choose another file)" in out
    assert (tmp_path / "mine.txt").read_text() == "kept"
    expected = f"you> Hello\n{replies(out)[0]}\n"
    for file in (tmp_path / "new" / "said.txt", tmp_path / "home" / "a.txt"):
        assert file.read_text() == expected
        assert file.stat().st_mode & 0o777 == 0o600
    assert next((tmp_path / "transcripts").iterdir()).read_text() == expected


def test_the_end_of_a_chat_names_its_transcript(chatting, tmp_path):
    out = chatting(["Hello"])
    [path] = (tmp_path / "transcripts").iterdir()
    assert out.endswith(f"\ntranscript: {path.relative_to(tmp_path)}\n")
    assert path.read_text() == f"you> Hello\n{replies(out)[0]}\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_transcript_that_cannot_be_written_is_said_before_the_bot_is_loaded(tmp_path, capsys):
    assert command_line.run(chat.main, "chat", ["no_bot.h5", "--web", "--transcript", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"chat: {tmp_path}: the transcript cannot be written (Is a directory)\n"


def test_say_prints_the_reply_alone(chatting, tmp_path):
    expected = replies(chatting(["Hello", "How are you?"], "--no-transcript"))
    out = chatting([], "--say", "Hello", "--say", "How are you?")
    assert [f"bot> {line}" for line in out.splitlines()] == expected
    assert not (tmp_path / "transcripts").exists()


def test_say_with_json_prints_one_object_a_line(chatting, tmp_path):
    out = chatting([], "--say", "Hello zyzzyva", "--say", "Fine.", "--json", "--transcript", "said.txt")
    first, second = map(json.loads, out.splitlines())
    assert [first["said"], second["said"]] == ["Hello zyzzyva", "Fine."]
    assert first["unknown"] == ["zyzzyva"]
    assert len(first["answers"]) == 2
    agent = Agent.load(tmp_path / "bot.h5")
    answers = agent.answers(["Hello zyzzyva", first["answers"][0]["text"], "Fine."], decoding=CHAT, seed=1)
    assert [answer["text"] for answer in second["answers"]] == [answer.text for answer in answers]
    assert (tmp_path / "said.txt").read_text().count("you> ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json"], "--json prints the replies to --say; add --say"),
        (["--say", "Hello", "--web"], "--say prints replies in the terminal; leave out --web"),
        (["--say", "Hello", "--say", " "], "--say: the message is blank; give a text"),
        (["--say", "***"], "--say ***: the message has no words to answer"),
        (["--transcript", "x", "--no-transcript"], "--transcript and --no-transcript cannot be combined"),
    ],
)
def test_options_of_say_that_do_not_fit_are_refused(arguments, message, tmp_path, capsys):
    make_agent().save(tmp_path / "bot.h5")
    assert command_line.run(chat.main, "chat", [str(tmp_path / "bot.h5"), *arguments]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert printed[-1] == f"chat: {message}"
    assert printed[:-1] in ([], [FIRST_USE_NOTICE])  # the notice, if the bot has been read before


def test_the_names_of_a_bots_generators_cannot_change_the_settings_of_the_terminal(chatting, tmp_path):
    agent = make_agent()
    agent.weights = {f"\x1b[31m{name}": weights for name, weights in agent.weights.items()}
    agent.save(tmp_path / "bot.h5")
    out = chatting(["Hello"], "--verbose", "--no-transcript")
    assert "generators:  [31mteacher forcing and  [31madversarial" in out
    assert "\x1b" not in out


# The page


def test_a_port_that_is_used_is_said_before_the_bot_is_read(tmp_path, capsys):
    (tmp_path / "bot.h5").write_text("this is not a bot")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert command_line.run(chat.main, "chat", [str(tmp_path / "bot.h5"), "--web", "--port", port]) == 2
    reason = "another program uses this port; end that program, or choose another port with --port"
    assert capsys.readouterr().err == f"chat: cannot serve at 127.0.0.1, port {port}: {reason}\n"
    assert command_line.run(chat.main, "chat", [str(tmp_path / "bot.h5"), "--web", "--port", "70000"]) == 2
    assert capsys.readouterr().err == "chat: --port 70000: a number from 0 to 65535 is expected\n"


def test_the_page_is_started_with_the_options_and_says_what_it_is_doing(tmp_path, monkeypatch, capsys):
    pages = {}

    def serve(server, give_up):
        give_up()

    create_app = web.create_app

    def create_and_keep(*arguments):
        pages["page"] = arguments[4]
        return create_app(*arguments)

    monkeypatch.setattr(local_server, "serve_until_stopped", serve)
    monkeypatch.setattr(web, "create_app", create_and_keep)
    monkeypatch.setattr(shared_batches.SharedBatches, "warm_up", lambda self: None)
    bot, said = tmp_path / "bot.h5", tmp_path / "new" / "said.txt"
    make_agent().save(bot)
    options = ["--web", "--port", "0", "--host", "0.0.0.0", "--seed", "5", "--verbose", "--transcript", str(said)]
    assert chat.main([str(bot), *options]) == 0
    page = pages["page"]
    assert (page.seed, page.verbose, page.transcript, page.examples) == (5, True, said, chat.EXAMPLES)
    assert (page.decodings.usual, page.decodings.is_random) == (CHAT, False)
    assert page.decodings.at_temperature(0.5) == Decoding(0.5)
    assert said.parent.is_dir()
    reading, opened, preparing = capsys.readouterr().out.splitlines()[:3]
    assert (reading, preparing.split(",")[0]) == (
        f"reading {bot} ...",
        "the model is being prepared for its first replies",
    )
    assert re.match(
        r"open http://(.+):\d+/\?token=\S{43} "
        r"\(on this computer, you can also use 127\.0\.0\.1 instead of \1\) ; Ctrl-C",
        opened,
    )
