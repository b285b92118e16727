"""An OpenAI-compatible interface of the local server: POST /v1/chat/completions, and GET /v1/models.

Programs that use this protocol can talk to an agent. Requests from the pages of other sites are refused, and no
response header allows other sites to read a response. A server that other computers can reach requires a token; see
`access.py`. The agent always uses its own decoding: request settings such as `temperature` are accepted but ignored.
"""

import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from keras_gca.serving import streaming
from keras_gca.serving.access import NEEDS_TOKEN
from keras_gca.serving.exchange import without_controls
from keras_gca.serving.local_server import MISTAKES, PEOPLE_AT_AN_ADDRESS, Limit, posted_json
from keras_gca.serving.protocol import MESSAGES_PER_MINUTE
from keras_gca.serving.shared_batches import BusyError, SharedBatches

LONGEST_UTTERANCE = 2_000  # the maximum number of characters
LONGEST_HISTORY = 20  # the maximum number of messages that are read; older messages are left out
MOST_MESSAGES = 1_000  # the maximum number of messages in a request
ROLES = ("system", "developer", "user", "assistant")
KINDS = {401: "authentication_error", 429: "rate_limit_error", 503: "server_error"}


def add_completions(
    app: Flask, batches: SharedBatches, model: str, messages_per_minute: int = MESSAGES_PER_MINUTE
) -> None:
    """Add the interface to an application prepared by `protect` and `require_token`.

    Args:
        app: The application.
        batches: The batches of the agent that answers.
        model: The name of the model in responses. Requests may name any model.
        messages_per_minute: The maximum number of messages per minute from one address to a server without a token. If
            a token is required, several people may share an address, so the limit is PEOPLE_AT_AN_ADDRESS times as
            high.
    """
    started = int(time.time())
    needs_token = app.config[NEEDS_TOKEN]
    most = messages_per_minute * (PEOPLE_AT_AN_ADDRESS if needs_token else 1)
    limit = Limit("messages from your address", most)
    v1 = Blueprint("v1", __name__, url_prefix="/v1")

    @v1.before_request
    def refuse_strangers() -> None:
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            abort(403, "This server accepts requests only from programs and from its own pages.")

    @v1.get("/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_described(model, started)]}

    @v1.post("/chat/completions")
    def completions() -> Any:
        limit.count(request.remote_addr)
        asked = _asked()
        reply, note = _reply(batches, _history(asked, batches))
        made = f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), model
        reason = "content_filter" if note else "stop"
        if not asked.get("stream"):
            return _completion(made, reply, reason)
        options = asked.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        return streaming.stream(_events(made, reply, reason, usage))

    def say_what_is_wrong(error: HTTPException) -> Response:
        code = error.code or 500
        kind = KINDS.get(code, "invalid_request_error")
        response = jsonify({"error": {"message": error.description, "type": kind, "param": None, "code": None}})
        response.status_code = code
        if retry_after := getattr(error, "retry_after", None):
            response.headers["Retry-After"] = retry_after
        return response

    for number in MISTAKES:
        v1.register_error_handler(number, say_what_is_wrong)
    app.register_blueprint(v1)


def _asked() -> dict[str, Any]:
    """Check the messages in the request, and return the content of the request."""
    if request.mimetype != "application/json":  # a form on another site cannot send this type
        abort(400, "The body must have the type application/json.")
    asked = posted_json()
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        abort(400, f"The body must be an object with 1 to {MOST_MESSAGES:,} messages.")
    if asked.get("n") not in (None, 1):
        abort(400, "This server returns only one choice (n = 1).")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            abort(400, f"Each message must have one of the roles {', '.join(ROLES)}.")
    if messages[-1]["role"] != "user":
        abort(400, "The last message must be from the user.")
    return asked


def _history(asked: dict[str, Any], batches: SharedBatches) -> list[str]:
    """Return the utterances of the conversation, ending with the one to answer.

    The agents do not follow instructions, so messages with the roles `system` and `developer` are left out. A message
    that speaks of a crisis is left out together with the crisis note that answered it, as in the other chats. The
    agents expect two speakers who take turns, so empty messages are left out, and successive messages of one role are
    joined.
    """
    spoken = [(each["role"], _text(each)) for each in asked["messages"] if each["role"] in ("user", "assistant")]
    said = [*(turn for turn in spoken[:-1] if turn[1].strip()), spoken[-1]]
    grouped = itertools.groupby(said, key=lambda turn: turn[0])
    turns = [(role, " ".join(text for _, text in group)) for role, group in grouped]
    utterances: list[str] = []
    noted = False
    for role, text in turns[:-1]:
        if role == "user":
            noted = batches.agent.crisis_note(text) is not None
        if not noted:
            utterances.append(text)
    # The messages since the last reply are answered together, so the note answers each of them that speaks of a crisis.
    return [*utterances, turns[-1][1]][-LONGEST_HISTORY:]


def _text(message: dict[str, Any]) -> str:
    """Return the text of a message without control characters. A message may consist of several parts."""
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = " ".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str) or len(content) > LONGEST_UTTERANCE:
        abort(400, f"The content of a message must be a text of at most {LONGEST_UTTERANCE:,} characters.")
    return "".join(c if c.isprintable() else " " for c in content)


def _reply(batches: SharedBatches, history: list[str]) -> tuple[str, bool]:
    """Answer the last message unless it speaks of a crisis. Return the reply, and whether it is the crisis note."""
    note = batches.agent.crisis_note(history[-1])
    if note is not None:
        return note, True
    if not batches.agent.tokenise(history[-1:])[0]:
        abort(400, "There are no words to answer.")
    try:
        return without_controls(batches.answers(history, seed=len(history))[0].text), False
    except BusyError as error:
        raise ServiceUnavailable(str(error), retry_after=5) from None


def _described(model: str, started: int) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": started, "owned_by": "local"}


def _usage() -> dict[str, int]:
    """Return the protocol's token counts, which are 0 because the tokens of different agents cannot be compared."""
    return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _completion(made: tuple[str, int, str], reply: str, reason: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    named = dict(zip(("id", "created", "model"), made, strict=True))
    return {**named, "object": "chat.completion", "choices": [choice], "usage": _usage()}


def _events(made: tuple[str, int, str], reply: str, reason: str, usage: bool) -> Iterator[str]:
    """Yield a reply word by word as server-sent events, after the agent has chosen among complete answers."""
    named = dict(zip(("id", "created", "model"), made, strict=True)) | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return streaming.event({**named, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for word in streaming.words(reply):
        yield chunk({"content": word})
    yield chunk({}, reason)
    if usage:
        yield streaming.event({**named, "choices": [], "usage": _usage()})
    yield "data: [DONE]\n\n"
