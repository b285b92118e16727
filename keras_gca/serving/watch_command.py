"""The options of the live view, shared by both papers' training commands and `python -m keras_gca.watch`."""

import argparse
import functools
from typing import TYPE_CHECKING

from keras_gca import invocation
from keras_gca.engine import loading
from keras_gca.errors import UserError
from keras_gca.storage.live_files import QUESTIONS, checked_questions

if TYPE_CHECKING:
    from keras_gca.engine.session import Watching

PORT = 8001  # the chat page uses 8000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --watch and the options of `add_page_options` to a training command."""
    group = parser.add_argument_group("live view")
    group.add_argument(
        "--watch",
        action="store_true",
        help="show curves, the discriminator's view of samples, and replies to your questions on a local web page "
        "during training",
    )
    add_page_options(group)


def add_page_options(parser: argparse._ActionsContainer) -> None:
    """Add --watch-port and --ask."""
    parser.add_argument(
        "--watch-port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"the port of the page, which can be opened only on this computer; 0 chooses a free port [{PORT}]",
    )
    parser.add_argument(
        "--ask",
        action="append",
        metavar="TEXT",
        help="a question that the bot answers after each epoch of training. The option can be used up to "
        f"{QUESTIONS} times. You can change the questions later on the page",
    )


def watching(options: argparse.Namespace) -> "Watching | None":
    """Reserve the port of the live view before training starts.

    Args:
        options: The parsed options of `add_options`.

    Returns:
        A function that returns a context manager, which shows a run on the page while its block is executed. None
        without --watch.

    Raises:
        UserError: Options cannot be combined, a question is invalid, the port cannot be used, or Flask is missing.
    """
    questions = asked(options)
    if not options.watch:
        if questions is not None:
            raise UserError("--ask needs --watch, because the page of --watch shows the replies")
        return None
    if options.strategy == "multi_worker":
        raise UserError(
            "--watch cannot be used with several processes; "
            f"{invocation.hint('keras_gca.watch', 'RUN')} shows the curves of the run"
        )
    with loading.needs_extra("web"):
        from keras_gca.serving import live_page
    return functools.partial(live_page.showing, listening=live_page.take_port(options.watch_port), questions=questions)


def asked(options: argparse.Namespace) -> list[str] | None:
    """Return the questions of --ask, or None if there are none.

    Raises:
        UserError: A question is blank or too long, or there are too many questions.
    """
    try:
        return checked_questions(options.ask) if options.ask else None
    except ValueError as error:
        raise UserError(f"--ask: {error}") from None
