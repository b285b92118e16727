"""Sends replies word by word as server-sent events, for the chat page and for /v1.

A discriminator chooses among complete answers, so no word is final before all answers have been decoded and judged.
After that, all words are sent without delay.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response


def words(reply: str) -> Iterator[str]:
    """Yield the words of a reply. Each word except the first starts with a space.

    Args:
        reply: The reply.
    """
    for number, word in enumerate(reply.split(" ")):
        yield f" {word}" if number else word


def event(values: dict[str, Any]) -> str:
    """Format one server-sent event.

    Args:
        values: The content, in a form that can be written as JSON.
    """
    return f"data: {json.dumps(values, allow_nan=False)}\n\n"


def stream(events: Iterable[str]) -> Response:
    """Make a response that sends each event as soon as it is available.

    Args:
        events: The events, as returned by `event`.
    """
    return Response(events, mimetype="text/event-stream")
