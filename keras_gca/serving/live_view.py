"""Records the bot's replies to the user's questions after each training stage that can change the replies.

`live_page.py` shows these replies.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from keras_gca.engine import devices
from keras_gca.errors import UserError
from keras_gca.safety.crisis import note_on
from keras_gca.storage.live_files import Exchange, LiveFiles


def record(
    run: Path, row: int, stage: str, answer: Callable[[list[str]], tuple[list[Exchange], list[Exchange]]]
) -> None:
    """Write the replies to the user's questions after a training stage, if there are any questions.

    A question about self-harm or danger does not reach the network; the crisis note replaces the reply. If the file of
    questions is damaged, a warning is printed to standard error, and training continues.

    Args:
        run: The run folder.
        row: The number of the stage's row in the log, starting from 1.
        stage: The name of the stage.
        answer: A function that takes questions, and returns an exchange for each question and the exchanges for
            held-out samples. The function must not use the random number generators of the training run.

    Raises:
        OSError: The file cannot be written.
    """
    if devices.workers() > 1:  # the other workers do not read the questions, so they would not take part in decoding
        return
    files = LiveFiles(run)
    try:
        questions = files.questions()
    except UserError as error:
        print(f"warning: the live view is not updated: {error}", file=sys.stderr)
        return
    if questions is None:
        return
    notes = {question: note_on(question) for question in questions}
    asked, samples = answer([question for question in questions if notes[question] is None])
    replies = iter(asked)
    exchanges = [
        next(replies) if notes[question] is None else Exchange(question, None, note=notes[question])
        for question in questions
    ]
    files.write(row, stage, exchanges, samples)
