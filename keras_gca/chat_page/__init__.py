"""The chat as a web page: both answers, how likely each token was, and what the discriminator holds of it.

The page keeps the conversation and sends it with every line, so the server remembers nothing of anybody.
"""

import math
import threading
from typing import Any

from flask import Flask, abort, render_template, request

from keras_gca.agent import Answer
from keras_gca.chatting import Chatting
from keras_gca.local_server import protect

LONGEST_UTTERANCE = 2_000  # characters
LONGEST_HISTORY = 20  # utterances that the page sends at most


def create_app(
    agent: Chatting, decoding: Any, title: str, context_utterances: int | None = None, notice: str = ""
) -> Flask:
    """The web application. Its pages:

    /         the chat
    /answers  a POST of {"history": [utterance, ...]} gives every generator's answer, the discriminator's choice first,
              or the note that the last utterance is answered with instead

    decoding: how the agent replies. context_utterances: how many it reads; as in training if None. notice: shown above.
    """
    app = Flask(__name__)
    protect(app, largest_request=LONGEST_HISTORY * LONGEST_UTTERANCE * 8)
    one_at_a_time = threading.Lock()  # more than one decoding at once would only slow each other down

    @app.get("/")
    def page():
        return render_template(
            "chat.html",
            title=title,
            description=agent.description,
            notice=notice,
            longest=LONGEST_UTTERANCE,
        )

    @app.post("/answers")
    def answers():
        history = _history(request.get_json(silent=True))
        note = agent.note_instead(history[-1])
        if note is not None:
            return {"note": note}
        if not agent.tokenise(history[-1:])[0]:
            abort(400, "There are no words to answer in that.")
        with one_at_a_time:
            found = agent.answers(history, context_utterances, decoding, seed=len(history))
        shown = [_as_json(answer) | {"figures": agent.figures(answer)} for answer in found]
        return {"answers": shown, "unknown": agent.unknown_words(history[-1])}

    return app


def _history(content: Any) -> list[str]:
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
