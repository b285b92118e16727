"""The parts that the chat commands of both papers share: their options, the latest run, and the web chat."""

import argparse
from pathlib import Path
from typing import Any

from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.serving.protocol import MESSAGES_PER_MINUTE, Chatting
from keras_gca.storage.ownership import MARKS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all chats have."""
    parser.add_argument("--web", action="store_true", help="chat in the browser instead of the terminal")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address at which --web listens [127.0.0.1: this computer only]",
    )
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="the port of --web; 0 takes a free one [8000]"
    )
    parser.add_argument(
        "--messages-per-minute",
        type=command_line.at_least_one,
        default=MESSAGES_PER_MINUTE,
        metavar="N",
        help=f"the number of messages that one visitor of --web may send in a minute [{MESSAGES_PER_MINUTE}]",
    )
    parser.add_argument("--verbose", action="store_true", help="show every answer, its scores, and unknown words")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of sampling [0]")
    parser.add_argument(
        "--transcript",
        type=Path,
        metavar="FILE",
        help="append the chat to this file; if not given, a new file in transcripts/",
    )
    parser.add_argument("--no-transcript", action="store_true", help="do not save the chat")


def latest_run(package: str, otherwise: Path | None = None) -> Path:
    """Return the run folder in runs/ whose bot is the newest.

    Args:
        package: The package whose runs are considered.
        otherwise: The bot to return if there is no such run; None makes that an error.

    Raises:
        UserError: There is no such run, and no bot in its place.
    """
    bots = [bot for bot in Path("runs").glob("*/bot.h5") if (bot.parent / MARKS[package]).exists()]
    if not bots:
        if otherwise is not None:
            return otherwise
        train = f"python -m {package}.train"
        raise UserError(f"no trained model in runs/; name a run folder or a bot.h5, or train a model: {train}")
    return max(bots, key=lambda bot: bot.stat().st_mtime).parent


def serve(
    agent: Chatting, decoding: Any, options: argparse.Namespace, path: Path, utterances: int | None, notice: str = ""
) -> int:
    """Serve a chat for the browser until the user stops it.

    Args:
        agent: The agent that answers.
        decoding: How it generates answers; see `Chatting.answers_to_all`.
        options: The parsed options of `add_options`.
        path: The path of the bot, for the title.
        utterances: The number of utterances in the context; None takes the number of the training.
        notice: A text that is shown above the chat.

    Returns:
        The exit status.
    """
    with command_line.needs_extra("web"):
        from keras_gca.serving.local_server import make_local_server, serve_until_stopped
        from keras_gca.serving.shared_batches import SharedBatches
        from keras_gca.serving.web import THREADS, create_app

    batches = SharedBatches(agent, decoding, utterances)
    app = create_app(batches, f"A chat with {path.name}", notice, options.messages_per_minute)
    server = make_local_server(app, options.host, options.port, THREADS)
    batches.warm_up()
    print(f"open http://{options.host}:{server.port}/ ; Ctrl-C ends the chat", flush=True)
    serve_until_stopped(server, batches.close)
    print(f"\n{batches.summary}")
    return 0
