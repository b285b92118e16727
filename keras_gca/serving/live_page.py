"""The live view of a training run as a web page: curves, the discriminator's view of samples, and replies to questions.

The page only reads files in the run folder, so it hardly slows training down. It can show runs of both papers, and is
served only on the loopback address.
"""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, abort, render_template, request

from keras_gca.errors import UserError
from keras_gca.invocation import hint
from keras_gca.safety.crisis import note_on
from keras_gca.serving.access import refuse_other_names
from keras_gca.serving.live_curves import PANELS
from keras_gca.serving.local_server import Limit, LocalServer, addresses, listen, posted_json, protect
from keras_gca.storage.live_files import LONGEST_QUESTION, QUESTIONS, LiveFiles, checked_questions
from keras_gca.storage.ownership import MARKS
from keras_gca.storage.run_folder import RunFolder

HOST = "127.0.0.1"
THREADS = 2
READS_PER_MINUTE = 600  # an open page reads the state every 3 seconds, and each view once
CHANGES_PER_MINUTE = 20
FIRST_QUESTIONS = ["Hello, how are you?", "What do you like to do at weekends?", "I had a bad day today."]


def create_app(path: Path) -> Flask:
    """Make the web application, which has these pages:

        /            the curves, the samples, and the questions
        /state       the rows of the log, the numbers of the rows with replies, and the questions. With ?tag=TAG, only
                     the tag, the log's age and whether the bot has been written since the last row, if nothing else has
                     changed since the response that contained this tag
        /views/ROW   the replies recorded after a row of the log
        /questions   a POST of {"questions": [text, ...]} replaces the questions that the bot answers

    Args:
        path: The run folder of either paper.
    """
    run: RunFolder = RunFolder(path)
    files = LiveFiles(path)
    app = Flask(__name__)
    protect(app, largest_request=QUESTIONS * LONGEST_QUESTION * 8)
    refuse_other_names(app)
    watch = hint("keras_gca.watch", path)  # here, because requests are handled in other threads
    reads, changes = Limit("reads", READS_PER_MINUTE), Limit("changes to the questions", CHANGES_PER_MINUTE)

    @app.get("/")
    def page() -> str:
        return render_template(
            "live.html",
            title=f"Training {path.name}",
            watch=watch,
            count=QUESTIONS,
            longest=LONGEST_QUESTION,
        )

    @app.get("/state")
    def state() -> dict[str, Any]:
        reads.count(request.remote_addr)
        return _state(run, files)

    @app.get("/views/<int:row>")
    def view(row: int) -> dict[str, Any]:
        reads.count(request.remote_addr)
        try:
            found = files.read(row)
        except UserError as error:
            abort(500, str(error))
        return found if found is not None else abort(404, "No replies were recorded after this row.")

    @app.post("/questions")
    def ask() -> dict[str, Any]:
        changes.count(request.remote_addr)
        content = posted_json()
        try:
            questions = checked_questions(content.get("questions") if isinstance(content, dict) else None)
        except ValueError as error:
            abort(400, f"These questions cannot be asked: {error}.")
        files.ask(questions)
        notes = [note for note in map(note_on, questions) if note is not None]
        return {"questions": questions, "note": notes[0] if notes else None}

    return app


def _state(run: RunFolder, files: LiveFiles) -> dict[str, Any]:
    """Return the state of the run for the page, or only what changes without a new row if its tag is the page's."""
    log = run.path / "log.csv"
    changed = [file.stat().st_mtime_ns for file in (log, files.questions_file) if file.exists()]
    tag = f"{changed}{len(files.rows())}"
    age = time.time() - log.stat().st_mtime if log.exists() else None
    # The bot is written when training ends or is interrupted. A bot older than the log is from before a resumption.
    has_bot = run.bot.exists() and not (log.exists() and run.bot.stat().st_mtime < log.stat().st_mtime)
    if request.args.get("tag") == tag:
        return {"tag": tag, "age": age, "has_bot": has_bot}
    try:
        rows, questions = run.read_log(), files.questions()
    except UserError as error:
        abort(500, str(error))
    package = next((name for name, mark in MARKS.items() if (run.path / mark).exists()), None)
    return {
        "tag": tag,
        "age": age,
        "has_bot": has_bot,
        "rows": [{name: value for name, value in row.items() if _is_json(value)} for row in rows],
        "views": [row for row in files.rows() if row <= len(rows)],
        "questions": questions or [],
        "panels": [panel._asdict() for panel in PANELS.get(package or "", ())],
    }


def _is_json(value: Any) -> bool:
    """Return whether JSON has this value. It has no NaN, which the log contains where a value is undefined."""
    return not isinstance(value, float) or math.isfinite(value)


def prepare(path: Path, listening: socket.socket, questions: list[str] | None = None) -> LocalServer:
    """Make the server for a run's live view without starting it, and print its address.

    Args:
        path: The run folder.
        listening: The socket returned by `take_port`.
        questions: The user's questions, or None to keep the questions of the run. A run without questions gets
            FIRST_QUESTIONS.
    """
    files = LiveFiles(path)
    if questions is not None or files.questions() is None:
        files.ask(questions or FIRST_QUESTIONS)
    server = LocalServer(create_app(path), listening, THREADS)
    print(f"live view: {addresses(HOST, server.port)}", flush=True)
    return server


@contextlib.contextmanager
def showing(path: Path, listening: socket.socket, questions: list[str] | None = None) -> Iterator[LocalServer]:
    """Serve the live view of a run in a separate thread while the block runs; see `prepare` for the arguments.

    Yields:
        The server.
    """
    server = prepare(path, listening, questions)
    thread = threading.Thread(target=server.serve, name="live view", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def take_port(port: int) -> socket.socket:
    """Reserve a port on the loopback address; see `local_server.listen`."""
    return listen(HOST, port)
