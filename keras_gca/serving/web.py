"""The chat as a web page: all answers, the probability of each token, and the discriminator's score of it.

The page keeps the conversation and sends it with every line, so the server stores nothing about visitors. A cookie with
a random name, signed by a key that only this process knows, distinguishes visitors to count the messages of each.
"""

import math
import secrets
from typing import Any

from flask import Flask, abort, render_template, request, session
from werkzeug.exceptions import ServiceUnavailable

from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS, Limit, protect
from keras_gca.serving.protocol import MESSAGES_PER_MINUTE, Answer
from keras_gca.serving.shared_batches import BATCH_SIZES, WAITING, BusyError, SharedBatches

LONGEST_UTTERANCE = 2_000  # characters
LONGEST_HISTORY = 20  # the most utterances that the page sends
THREADS = WAITING + BATCH_SIZES[-1] + 16  # one for each message that waits or is being answered, and 16 for pages
VISITORS_PER_MINUTE = 2 * PEOPLE_AT_AN_ADDRESS  # the most new visitors from one address


def create_app(
    batches: SharedBatches, title: str, notice: str = "", messages_per_minute: int = MESSAGES_PER_MINUTE
) -> Flask:
    """Make the web application, which has these pages:

        /         the chat
        /answers  a POST of {"history": [utterance, ...]} returns every generator's answer, the discriminator's choice
                  first, or the note that is shown in place of an answer to the last utterance

    Args:
        batches: The batches of the agent that answers.
        title: The title of the page.
        notice: A text that is shown above the chat.
        messages_per_minute: The most messages of one visitor within a minute. Several visitors may share an IP address,
            as students in a class do, so the limit of an address is PEOPLE_AT_AN_ADDRESS times as high.
    """
    agent = batches.agent
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_SAMESITE="Strict")
    protect(app, largest_request=LONGEST_HISTORY * LONGEST_UTTERANCE * 8)
    of_visitors = Limit("messages", messages_per_minute)
    of_addresses = Limit("messages from your address", PEOPLE_AT_AN_ADDRESS * messages_per_minute)
    new_at_addresses = Limit("new visitors from your address", VISITORS_PER_MINUTE)

    @app.get("/")
    def page() -> str:
        if "visitor" not in session:
            new_at_addresses.count(request.remote_addr)
            session["visitor"] = secrets.token_urlsafe(16)
        return render_template(
            "chat.html",
            title=title,
            description=agent.description,
            notice=notice,
            longest=LONGEST_UTTERANCE,
        )

    @app.post("/answers")
    def answers() -> dict[str, Any]:
        # Visitors without a cookie, or with one that this process has not signed, count as one visitor of an address.
        of_visitors.count(session.get("visitor", request.remote_addr))
        of_addresses.count(request.remote_addr)
        history = _history()
        note = agent.crisis_note(history[-1])
        if note is not None:
            return {"note": note}
        if not agent.tokenise(history[-1:])[0]:
            abort(400, "There are no words to answer.")
        try:
            replies = batches.answers(history, seed=len(history))
        except BusyError as error:
            raise ServiceUnavailable(str(error), retry_after=5) from None
        shown = [_as_json(answer) | {"figures": agent.figures(answer)} for answer in replies]
        return {"answers": shown, "unknown": agent.unknown_words(history[-1])}

    return app


def _history() -> list[str]:
    """Return the conversation of the request, without control characters."""
    try:
        content = request.get_json(silent=True)
    except RecursionError:  # lists nested too deeply
        content = None
    history = content.get("history") if isinstance(content, dict) else None
    if not isinstance(history, list) or not 1 <= len(history) <= LONGEST_HISTORY:
        abort(400, f"A history of 1 to {LONGEST_HISTORY} utterances is expected.")
    if not all(isinstance(utterance, str) and len(utterance) <= LONGEST_UTTERANCE for utterance in history):
        abort(400, f"Utterances are texts of at most {LONGEST_UTTERANCE} characters.")
    return ["".join(c if c.isprintable() else " " for c in utterance) for utterance in history]


def _as_json(answer: Answer) -> dict[str, Any]:
    tokens = zip(answer.token_scores, answer.token_probabilities, strict=True)
    return {
        "generator": answer.generator.replace("_", " "),
        "text": answer.text,
        "tokens": [
            {"text": text, "human": None if math.isnan(human) else human, "probability": p}
            for (text, human), p in tokens
        ],
    }
