"""Stores and deletes the answers that a user gives in the calibration form of a web chat (`chat.html`)."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, abort

from keras_gca.errors import UserError
from keras_gca.serving.calibration import Answers, Calibration, checked, described, note_on_answers
from keras_gca.serving.local_server import posted_json
from keras_gca.serving.protocol import Chatting


def add_calibration(app: Flask, agent: Chatting, calibration: Calibration) -> None:
    """Add the endpoints that store and delete answers, if the calibration has a file for the answers.

        /profile         a POST of {"answers": {name: value}} stores the answers in the file
        /profile/delete  a POST deletes the file

    Args:
        app: The application, prepared by `protect` and `require_token`.
        agent: The agent, which checks the texts for signs of a crisis before they are stored.
        calibration: The questions and the file. Without a file, no endpoints are added.
    """
    file = calibration.file
    if file is None:
        return
    writing = threading.Lock()

    @app.post("/profile")
    def keep_profile() -> dict[str, Any]:
        sent = _answers_sent()
        note = note_on_answers(sent, agent.crisis_note)
        if note is not None:
            return {"note": note}
        answers = answers_of(sent, calibration)
        with writing, _refusing():
            file.write(answers)
        return {"said": f"Saved in {file.path}: {described(answers)}."}

    @app.post("/profile/delete")
    def delete_profile() -> dict[str, Any]:
        with writing, _refusing():
            file.delete()
        return {"said": f"{file.path} has been deleted."}


def answers_of(sent: Any, calibration: Calibration) -> Answers:
    """Return the answers sent by a page, or refuse invalid answers with status 400."""
    with _refusing():
        return checked(sent, calibration.questions)


def kept_answers(calibration: Calibration) -> Answers:
    """Return the stored answers for filling in the form, or refuse a damaged file with status 400."""
    with _refusing():
        return {} if calibration.file is None else calibration.file.read()


def _answers_sent() -> Any:
    content = posted_json()
    return content.get("answers") if isinstance(content, dict) else None


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        abort(400, str(error))
