"""Reads DailyDialog: one conversation on each line, with `__eou__` after each utterance.

Utterances get emotion labels if the emotion file is in the same folder (`dialogues_emotion_train.txt` for
`dialogues_train.txt`). Some copies of the corpus have labels after the last `__eou__` of a line; these labels are
ignored.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from keras_gca.corpora.conversation import Conversation, Reading
from keras_gca.corpora.published import files_of, part_of

MARK = "__eou__"
EMOTIONS = (None, "anger", "disgust", "fear", "happiness", "sadness", "surprise")  # numbered from 0 to 6
LABELS = re.compile(r"[#|]+[\s#|,;\d]*")  # after the last `__eou__`: "# 1 2 # 0 0"
NUMBER = re.compile(r"\d{1,2}")  # after the last `__eou__`, one for each utterance ("0 4") or for the conversation


def read_dailydialog(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read the corpus from a file or its folder, with labels if the emotion file is in the same folder."""
    if not path.is_dir():
        yield from _read(path, reading)
        return
    for file in files_of(path):
        reading.part = part_of(file)
        yield from _read(file, reading)


def _read(path: Path, reading: Reading) -> Iterator[Conversation]:
    bad = reading.bad
    emotions_file = path.with_name(re.sub(r"^dialogues_(text)?", "dialogues_emotion_", path.name).replace("_.", "."))
    labels = dict(reading.lines(emotions_file)) if emotions_file != path and emotions_file.exists() else None
    for number, line in reading.lines(path):
        if not line.strip():
            continue
        if MARK not in line:
            message = (
                "the line has no __eou__; one conversation on each line is expected, with __eou__ after each utterance"
            )
            bad.report(f"{path}:{number}", "without __eou__", message)
            continue
        # The published files have spaces around apostrophes: "don ’ t", "Let ' s".
        line = re.sub(r"(\w) ?[’'] ?(s|t|m|re|ve|ll|d)\b", r"\1'\2", line)
        *parts, tail = line.split(MARK)
        if _is_labels(tail, len(parts)):
            reading.left_out["label list"] += 1
        else:
            parts.append(tail)
        utterances = tuple(part.strip() for part in parts if part.strip())
        emotions: tuple[str | None, ...] = ()
        if labels is not None:
            numbers = labels.get(number, "").split()
            if len(numbers) != len(utterances) or not set(numbers) <= set("0123456"):
                message = (
                    f"the emotions do not match line {number} of {path.name}; {len(utterances)} numbers from 0 to 6 "
                    "are expected, one for each utterance"
                )
                bad.report(f"{emotions_file}:{number}", "without an emotion for each utterance", message)
                continue
            emotions = tuple(EMOTIONS[int(label)] for label in numbers)
        yield Conversation(utterances, emotions=emotions)


def _is_labels(tail: str, utterances: int) -> bool:
    """Return whether the text after the last `__eou__` has only labels.

    Labels in tab-separated columns may also be those of the whole conversation, such as its topic.
    """
    if LABELS.fullmatch(tail.strip()):
        return True
    columns = [column.split() for column in tail.split("\t") if column.strip()]
    lengths = (1, utterances) if "\t" in tail else (utterances,)
    numbers = all(map(NUMBER.fullmatch, itertools.chain.from_iterable(columns)))
    return bool(columns) and numbers and all(len(column) in lengths for column in columns)
