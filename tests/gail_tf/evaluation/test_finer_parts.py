"""Test trajectories are divided by corpus, by turn, and by whether their response occurs in training: by hand."""

import numpy as np

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.finer_parts import KNOWN, NEW, finer_parts, known_responses

HUMAN = ["I am so sorry to hear that.", "That's great, well done!", "How did it go?", "Oh no!"]


def trajectories(turns, sources):
    rows = zip(HUMAN, turns, sources, strict=True)
    return [Trajectory((), "My dog died.", human, source=source, turn=turn) for human, turn, source in rows]


def test_finer_parts_by_corpus_turn_and_known_response():
    asked = trajectories((1, 2, 3, 1), ("dailydialog", "dailydialog", "dailydialog", "empathetic"))
    training = [Trajectory((), "x", "how DID it go"), Trajectory((), "y", "Oh yes!")]
    known = known_responses(asked, training)
    assert known.tolist() == [False, False, True, False]
    found = {part: rows.tolist() for part, rows in finer_parts(asked, known).items()}
    assert found == {
        "dailydialog, 1 turn": [0],
        "dailydialog, 2 turns": [1],
        "dailydialog, 3+ turns": [2],
        "empathetic, 1 turn": [3],
        NEW: [0, 1, 3],
        KNOWN: [2],
    }
    # Tweets are in no part, and one corpus alone is not divided by turns again.
    tweets = trajectories((1, 2, 1, 1), ("empathetic", "empathetic", "tweets", "tweets"))
    found = finer_parts(tweets, np.zeros(4, bool))
    assert {part: rows.tolist() for part, rows in found.items()} == {NEW: [0, 1]}
