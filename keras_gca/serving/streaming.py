"""Sends replies word by word as server-sent events, for the chat page and for /v1.

A discriminator chooses among whole answers, so no word is final before all answers are decoded and judged. Then the
words are sent, without any delay between them.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response


def words(reply: str) -> Iterator[str]:
    """Yield the parts of a reply, which are its words; each one except the first begins with the space before it.

    Args:
        reply: The reply.
    """
    for number, word in enumerate(reply.split(" ")):
        yield f" {word}" if number else word


def event(values: dict[str, Any]) -> str:
    """Write one server-sent event.

    Args:
        values: The content, as values of JSON.
    """
    return f"data: {json.dumps(values, allow_nan=False)}\n\n"


def stream(events: Iterable[str]) -> Response:
    """Make the response that sends events as they are made.

    Args:
        events: The events, as `event` writes them.
    """
    return Response(events, mimetype="text/event-stream")
