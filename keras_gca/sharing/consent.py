"""Asks the user for consent before downloading or publishing anything."""

import sys

from keras_gca.errors import UserError


def ask_before_fetching(what: str, agreed: bool) -> None:
    """Print what is about to be downloaded, and return only if the user agrees.

    Args:
        what: A line that states the model's name, size, licence and target folder.
        agreed: Whether the user has already agreed by giving --yes. If not, the user is asked at the terminal.

    Raises:
        UserError: The user declines, or cannot be asked because the input is not a terminal.
    """
    _ask(what, agreed, "Fetch it?", "nothing was fetched")


def ask_before_publishing(what: str, agreed: bool) -> None:
    """Print what is about to be published, and return only if the user agrees.

    Args:
        what: A line that states the model's name, the number and size of its files, and who will be able to see them.
        agreed: Whether the user has already agreed by giving --yes. If not, the user is asked at the terminal.

    Raises:
        UserError: The user declines, or cannot be asked because the input is not a terminal.
    """
    _ask(what, agreed, "Publish it?", "nothing was published")


def _ask(what: str, agreed: bool, question: str, refusal: str) -> None:
    print(what, flush=True)
    if agreed:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError(f"{refusal}, because the input is not a terminal; use --yes to agree (agreed=True in Python)")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError(refusal)
