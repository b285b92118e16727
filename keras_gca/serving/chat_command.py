"""The parts shared by both papers' chat commands: the options, the choice of the bot, and the web chat."""

import argparse
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_gca import invocation
from keras_gca.engine import command_line, loading
from keras_gca.errors import UserError
from keras_gca.safety.crisis import FIRST_USE_NOTICE
from keras_gca.serving.calibration import Calibration
from keras_gca.serving.protocol import MESSAGES_PER_MINUTE, Chatting, Decodings
from keras_gca.serving.transcripts import open_transcript
from keras_gca.sharing.hub import BOT
from keras_gca.storage.ownership import MARKS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all chats have."""
    parser.add_argument(
        "bot",
        nargs="?",
        type=Path,
        help="a run folder, a bot.h5, or OWNER/NAME on the Hugging Face Hub (default: the bot of the latest run, or "
        "the shipped bot)",
    )
    parser.add_argument("--shipped", action="store_true", help="chat with the bot included in the package")
    parser.add_argument(
        "--yes", dest="agreed", action="store_true", help="download the bot and the files it needs without asking"
    )
    parser.add_argument("--web", action="store_true", help="chat in the browser instead of the terminal")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address that --web listens on [127.0.0.1: this computer only]. At any other address, the page and "
        "/v1 require a token, which is part of the printed address",
    )
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="the port of --web; 0 chooses a free port [8000]"
    )
    parser.add_argument(
        "--messages-per-minute",
        type=command_line.at_least_one,
        default=MESSAGES_PER_MINUTE,
        metavar="N",
        help=f"the maximum number of messages per minute from each visitor of --web [{MESSAGES_PER_MINUTE}]",
    )
    parser.add_argument(
        "--say",
        action="append",
        metavar="TEXT",
        help="print the reply to this message and exit; repeat --say for further messages of the same conversation",
    )
    parser.add_argument(
        "--json", action="store_true", help="print each reply to --say as one line of JSON, with all answers and scores"
    )
    parser.add_argument("--verbose", action="store_true", help="show every answer, its scores, and unknown words")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed for sampling [0]")
    parser.add_argument(
        "--transcript",
        type=Path,
        metavar="FILE",
        help="append the chat to this file (default: a new file in transcripts/). With --web or --say, chats are saved "
        "only if this option is given; the web page then says so",
    )
    parser.add_argument("--no-transcript", action="store_true", help="do not save the chat")
    parser.add_argument(
        "--no-crisis-note", action="store_true", help="let the models answer messages that speak of self-harm or danger"
    )
    parser.add_argument(
        "--crisis-line",
        action="append",
        default=[],
        metavar="TEXT",
        help="a local crisis line for the note, such as 'Samaritans (UK): 116 123'; can be used several times",
    )


def check(options: argparse.Namespace) -> None:
    """Check the options of `add_options` before the model is loaded.

    Raises:
        UserError: Two options cannot be combined, a message of --say is blank, or the file of --transcript cannot be
            written.
    """
    if options.transcript and options.no_transcript:
        raise UserError("--transcript and --no-transcript cannot be combined")
    if options.json and not options.say:
        raise UserError("--json prints the replies to --say; add --say")
    if options.say and options.web:
        raise UserError("--say prints replies in the terminal; leave out --web")
    if options.say and not all(text.strip() for text in options.say):
        raise UserError("--say: the message is blank; give a text")
    if options.transcript:
        open_transcript(options.transcript).close()  # before the model is loaded, which may take long


class ChosenBot(NamedTuple):
    """The bot to chat with.

    Attributes:
        path: The path of the bot, or its name on the Hugging Face Hub.
        name: The name shown in the title of the page and in the model list of /v1.
        notice: A text that the chat shows first.
    """

    path: Path
    name: str
    notice: str


def bot_of(package: str, options: argparse.Namespace, shipped: Path) -> ChosenBot:
    """Return the bot to chat with: the bot named by the user, or else the newest bot in runs/, or else the shipped bot.

    Args:
        package: The package whose runs are considered.
        options: The parsed options of `add_options`.
        shipped: The bot included in the package.

    Returns:
        The bot. The shipped bot's notice starts by saying that this is the shipped bot.

    Raises:
        UserError: The user both names a bot and requests the shipped bot.
    """
    if options.bot and options.shipped:
        raise UserError(f"--shipped already chooses a bot; leave out {options.bot}")
    runs = [bot for bot in Path("runs").glob("*/bot.h5") if (bot.parent / MARKS[package]).exists()]
    latest = max(runs, key=lambda bot: bot.stat().st_mtime, default=None)
    if options.bot:
        return named(options.bot)
    if latest is not None and not options.shipped:
        return named(latest.parent)
    train = invocation.hint(f"{package}.train")
    notice = f"This is the shipped bot. Train one of your own: {train}\n{FIRST_USE_NOTICE}"
    return ChosenBot(shipped, "the shipped bot", notice)


def named(path: Path) -> ChosenBot:
    """Return the bot that the user asked for. If its file is called `bot.h5`, the bot is named after the folder."""
    name = path.absolute().parent.name if path.name == BOT else path.name
    return ChosenBot(path, name, FIRST_USE_NOTICE)


def listen(options: argparse.Namespace, path: Path) -> socket.socket | None:
    """Reserve the port of --web before the model is loaded, and announce that loading starts.

    Args:
        options: The parsed options of `add_options`.
        path: The path of the bot.

    Returns:
        The socket, or None without --web.

    Raises:
        UserError: The port cannot be used, or Flask is not installed.
    """
    if not options.web:
        return None
    with loading.needs_extra("web"):
        from keras_gca.serving import local_server

    listening = local_server.listen(options.host, options.port)
    print(f"reading {path} ...", flush=True)
    return listening


def serve(
    agent: Chatting,
    decodings: Decodings,
    options: argparse.Namespace,
    name: str,
    utterances: int | None,
    listening: socket.socket,
    notice: str = "",
    examples: Sequence[str] = (),
    calibration: Calibration | None = None,
) -> int:
    """Serve a chat for the browser until the user stops the server.

    Args:
        agent: The agent that answers.
        decodings: The ways in which the agent can generate answers.
        options: The parsed options of `add_options`.
        name: The name of the bot, for the title and for /v1.
        utterances: The number of utterances in the context, or None for the number used in training.
        listening: The socket returned by `listen`.
        notice: A text shown above the chat.
        examples: Messages that the page suggests while the chat is empty.
        calibration: Questions about the user's preferences for replies, or None for a page without questions.

    Returns:
        The exit status.
    """
    with loading.needs_extra("web"):
        from keras_gca.serving.access import make_token
        from keras_gca.serving.completions import add_completions
        from keras_gca.serving.local_server import LocalServer, addresses, serve_until_stopped
        from keras_gca.serving.shared_batches import SharedBatches
        from keras_gca.serving.web import THREADS, ChatPage, create_app

    batches = SharedBatches(agent, decodings.usual, utterances)
    chat_page = ChatPage(options.seed, options.verbose, examples, decodings, options.transcript, calibration)
    token = make_token(options.host)
    app = create_app(batches, f"A chat with {name}", notice, options.messages_per_minute, chat_page, token)
    add_completions(app, batches, name, options.messages_per_minute)
    server = LocalServer(app, listening, THREADS)
    batches.warm_up()
    # The token is printed only here.
    print(f"open {addresses(options.host, server.port, token)} ; Ctrl-C ends the chat", flush=True)
    print("the model is being prepared for its first replies, which takes a few seconds", flush=True)
    if token is not None:
        print("programs that use /v1 send this token in the header Authorization: Bearer TOKEN", flush=True)
    serve_until_stopped(server, batches.close)
    print(f"\n{batches.summary}")
    return 0
