"""The chat as a web page: the reply and, on request, all answers with their scores and token probabilities.

The page keeps the conversation, and sends it with every message. The server therefore stores nothing about visitors,
unless the user who starts the server names a transcript file. A cookie lets the server count each visitor's messages;
the cookie contains a random name, signed with a key that only this process knows.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, render_template, request, session
from werkzeug.exceptions import ServiceUnavailable

from keras_gca.serving import streaming
from keras_gca.serving.access import require_token
from keras_gca.serving.calibration import Calibration, note_on_answers
from keras_gca.serving.calibration_page import add_calibration, answers_of, kept_answers
from keras_gca.serving.exchange import NO_WORDS, Exchange, respond
from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS, Limit, posted_json, protect
from keras_gca.serving.protocol import MESSAGES_PER_MINUTE, Answer, Decodings
from keras_gca.serving.shared_batches import BATCH_SIZES, WAITING, BusyError, SharedBatches
from keras_gca.serving.transcripts import open_transcript

LONGEST_UTTERANCE = 2_000  # the maximum number of characters
LONGEST_HISTORY = 20  # the maximum number of utterances that the page sends
THREADS = WAITING + BATCH_SIZES[-1] + 16  # one for each message that is waiting or being answered, and 16 for pages
VISITORS_PER_MINUTE = 2 * PEOPLE_AT_AN_ADDRESS  # the maximum number of new visitors from one address
TEMPERATURES = 0.5, 0.7, 0.9, 1.1  # few values, because a policy is compiled for each
ANOTHER = 0.7  # the temperature for a further answer to the same message, if the usual decoding is not random
ATTEMPTS = 1_000  # the maximum number of answers to one message
TURNS = 10_000  # the maximum number of messages in a conversation, and the seed's increase for each attempt


@dataclass(frozen=True)
class ChatPage:
    """The choices of the user who starts a chat page.

    Args:
        seed: The seed for sampling. A different number is added to it for each message, and for each further answer to
            the same message.
        verbose: Whether the page initially shows the probabilities and scores of each answer.
        examples: Messages that the page suggests while the chat is empty.
        decodings: The decodings that visitors may choose from, or None if visitors have no choice.
        transcript: A file to which the conversations of all visitors are appended, or None for no transcript. The page
            tells visitors if there is a transcript.
        calibration: Questions about a visitor's preferences for replies, which the page shows as a form, or None for no
            form. A calibration needs `decodings`.
    """

    seed: int = 0
    verbose: bool = False
    examples: Sequence[str] = ()
    decodings: Decodings | None = None
    transcript: Path | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class _Asked:
    """A request from the page: the conversation, the position of its last message, and the visitor's choices."""

    history: list[str]
    turn: int
    attempt: int
    temperature: float | None
    generator: str
    stream: bool
    wishes: Any


def create_app(
    batches: SharedBatches,
    title: str,
    notice: str = "",
    messages_per_minute: int = MESSAGES_PER_MINUTE,
    chat_page: ChatPage = ChatPage(),
    token: str | None = None,
) -> Flask:
    """Make the web application, which has these pages:

        /         the chat
        /answers  a POST of {"history": [utterance, ...]} returns the answers of all generators to the last utterance,
                  starting with the one to show, or the crisis note that is shown instead

    A request to /answers may also contain:

        "turn"         the number of the message
        "attempt"      how often the message has already been answered
        "temperature"  one of TEMPERATURES
        "generator"    the generator whose answer is shown instead of the discriminator's choice
        "wishes"       the answers to the questions of the calibration, {name: value}
        "stream"       whether the reply is sent word by word

    With "stream", the response consists of server-sent events: {"word": part} for each part of the reply, and finally
    {"whole": result}, where the result is the response without "stream".

    Args:
        batches: The batches of the agent that answers.
        title: The title of the page.
        notice: A text shown above the chat.
        messages_per_minute: The maximum number of messages per minute from one visitor. Several visitors may share an
            IP address, as students in a class do, so the limit for an address is PEOPLE_AT_AN_ADDRESS times as high.
        chat_page: The other choices of the user who starts the page.
        token: The token that every request needs (`access.make_token`), or None if no token is needed.
    """
    agent, decodings = batches.agent, chat_page.decodings
    calibration = None if decodings is None else chat_page.calibration
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_SAMESITE="Strict")
    protect(app, largest_request=LONGEST_HISTORY * LONGEST_UTTERANCE * 8)
    require_token(app, token)
    if calibration is not None:
        add_calibration(app, agent, calibration)
    of_visitors = Limit("messages", messages_per_minute)
    of_addresses = Limit("messages from your address", PEOPLE_AT_AN_ADDRESS * messages_per_minute)
    new_at_addresses = Limit("new visitors from your address", VISITORS_PER_MINUTE)
    writing = threading.Lock()

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
            longest_history=LONGEST_HISTORY,
            generators=[name.replace("_", " ") for name in agent.generators],
            judges_words=agent.judges_words,
            temperatures=TEMPERATURES,
            another=ANOTHER,
            page=chat_page,
            calibration=calibration,
            kept={} if calibration is None else kept_answers(calibration),
        )

    def ask(asked: _Asked) -> list[Answer]:
        """Return the answers. If the visitor chose a generator, its answer comes first."""
        temperature = asked.temperature
        if temperature is None and asked.attempt and decodings is not None and not decodings.is_random:
            temperature = ANOTHER
        decoding = None if temperature is None or decodings is None else decodings.at_temperature(temperature)
        if calibration is not None and decodings is not None:
            usual = decodings.usual if decoding is None else decoding
            decoding = calibration.apply(usual, answers_of(asked.wishes, calibration))
        seed = chat_page.seed + asked.turn + asked.attempt * TURNS
        try:
            answers = batches.answers(asked.history, seed, decoding)
        except BusyError as error:
            raise ServiceUnavailable(str(error), retry_after=5) from None
        return sorted(answers, key=lambda answer: asked.generator not in ("", answer.generator.replace("_", " ")))

    @app.post("/answers")
    def answers() -> dict[str, Any] | Response:
        # Visitors without a valid cookie are counted together: all of them at one address count as one visitor.
        of_visitors.count(session.get("visitor", request.remote_addr))
        of_addresses.count(request.remote_addr)
        asked = _asked(agent.generators, decodings is not None)
        note = note_on_answers(asked.wishes, agent.crisis_note)
        if note is None:
            exchange = respond(agent, asked.history, lambda _: ask(asked))
        else:
            exchange = Exchange(asked.history[-1], note)
        if exchange.note is None and not exchange.answers:
            abort(400, NO_WORDS)
        if chat_page.transcript is not None:
            with writing, open_transcript(chat_page.transcript) as stream:
                stream.write(exchange.transcript)
        whole = exchange.as_json(agent)
        return streaming.stream(_events(exchange, whole)) if asked.stream else whole

    return app


def _events(exchange: Exchange, whole: dict[str, Any]) -> Iterator[str]:
    """Yield the words of the shown reply, and then the complete exchange with its scores."""
    if exchange.answers:
        for word in streaming.words(exchange.answers[0].text):
            yield streaming.event({"word": word})
    yield streaming.event({"whole": whole})


def _asked(generators: Sequence[str], may_choose: bool) -> _Asked:
    """Check the content of the request, and return it with control characters replaced by spaces."""
    content = posted_json()
    content = content if isinstance(content, dict) else {}
    history = content.get("history")
    if not isinstance(history, list) or not 1 <= len(history) <= LONGEST_HISTORY:
        abort(400, f"The history must have 1 to {LONGEST_HISTORY} utterances.")
    if not all(isinstance(utterance, str) and len(utterance) <= LONGEST_UTTERANCE for utterance in history):
        abort(400, f"Utterances must be texts of at most {LONGEST_UTTERANCE:,} characters.")
    turn, attempt = content.get("turn", 0), content.get("attempt", 0)
    for number, end in ((turn, TURNS), (attempt, ATTEMPTS)):
        if type(number) is not int or not 0 <= number < end:
            abort(400, f"The turn must be a number below {TURNS:,}, and the attempt a number below {ATTEMPTS:,}.")
    temperature = content.get("temperature")
    if temperature is not None and not (may_choose and temperature in TEMPERATURES):
        abort(400, "The temperature must be one of the temperatures that the page offers.")
    generator = content.get("generator", "")
    if generator not in ("", *(name.replace("_", " ") for name in generators)):
        abort(400, "This bot does not have a generator with this name.")
    stream = content.get("stream", False)
    if type(stream) is not bool:
        abort(400, "The value of stream must be true or false.")
    said = ["".join(c if c.isprintable() else " " for c in utterance) for utterance in history]
    return _Asked(said, turn, attempt, temperature, generator, stream, content.get("wishes", {}))
