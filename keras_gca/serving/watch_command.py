"""The options of the live view, which the training runs of both papers and `python -m keras_gca.watch` share."""

import argparse
import functools
from typing import TYPE_CHECKING

from keras_gca.engine import loading
from keras_gca.errors import UserError
from keras_gca.storage.live_files import QUESTIONS, checked_questions

if TYPE_CHECKING:
    from keras_gca.engine.session import Watching

PORT = 8001  # the chat's page uses 8000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --watch and the options of `add_page_options` to a training run."""
    group = parser.add_argument_group("live view")
    group.add_argument(
        "--watch",
        action="store_true",
        help="show curves, the discriminator's view of samples, and replies to your questions on a local web page "
        "while the training runs",
    )
    add_page_options(group)


def add_page_options(parser: argparse._ActionsContainer) -> None:
    """Add --watch-port and --ask."""
    parser.add_argument(
        "--watch-port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"the port of the page, which only this computer can open; 0 takes a free one [{PORT}]",
    )
    parser.add_argument(
        "--ask",
        action="append",
        metavar="TEXT",
        help=f"a question that the training answers after each epoch; up to {QUESTIONS}, which the page can change",
    )


def watching(options: argparse.Namespace) -> "Watching | None":
    """Take the port of the live view, so that a training run does not begin without its page.

    Args:
        options: The parsed options of `add_options`.

    Returns:
        A function that makes a block in which the page shows a run, or None without --watch.

    Raises:
        UserError: Options exclude each other, a question is not valid, the port cannot be used, or Flask is missing.
    """
    questions = asked(options)
    if not options.watch:
        if questions is not None:
            raise UserError("--ask asks on the page of --watch; --watch is missing")
        return None
    if options.strategy == "multi_worker":
        raise UserError(
            "--watch: not for a training run of several processes; python -m keras_gca.watch RUN shows its curves"
        )
    with loading.needs_extra("web"):
        from keras_gca.serving import live_page
    return functools.partial(live_page.showing, listening=live_page.take_port(options.watch_port), questions=questions)


def asked(options: argparse.Namespace) -> list[str] | None:
    """Return the questions of --ask, or None if there are none.

    Raises:
        UserError: A question is blank or too long, or there are too many.
    """
    try:
        return checked_questions(options.ask) if options.ask else None
    except ValueError as error:
        raise UserError(f"--ask: {error}") from None
