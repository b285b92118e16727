"""Reads conversations in JSON: one conversation per line, or one list or object that contains all conversations.

A conversation is a list of utterances, an object with such a list (`utterances`, `messages`, `dialog` ...), or an
object with a question and its answer. An utterance is a string, or an object that contains its text (`text`, `content`
...). Each line or item of the list may also be one utterance that names its conversation (`dialog_id`,
`conversation_id` ...).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from keras_gca.corpora import tables
from keras_gca.corpora.conversation import Conversation, Reading, one_line
from keras_gca.corpora.dailydialog import EMOTIONS
from keras_gca.corpora.names import LISTS, SPEAKERS, TEXTS, TURNS, find, pair_columns, turn_columns
from keras_gca.errors import UserError
from keras_gca.storage import json_files

WANTED = 'a list of strings or {"utterances": [...]} is expected'
CONTAINERS = ("data", "conversations", "dialogues", "dialogs", "train", "examples", "rows", "items")
ROW = ("conversation", "turn", "speaker", "text")  # the columns of utterances that name their conversation
PARTS = ("train", "valid", "validation", "test")


def read_jsonl(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read JSON lines: one conversation on each line, or one utterance with the identifier of its conversation."""
    values = json_lines(path, f"{WANTED} (--format text reads plain text)", reading)
    return _conversations(((f"{path}:{number}", value) for number, value in values), reading)


def json_lines(path: Path, wanted: str, reading: Reading) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each line of a file that is JSON, and report all others as bad lines.

    Args:
        path: The file. Its empty lines are left out.
        wanted: What is expected, for messages.
        reading: The reader's settings, and its record of what it has read.
    """
    for number, line in reading.lines(path):
        if not line.strip():
            continue
        try:
            value = json_files.loads(line)
        except ValueError as error:
            report_json(f"{path}:{number}", error, wanted, reading)
        else:
            yield number, value


def _conversations(values: Iterable[tuple[str, Any]], reading: Reading) -> Iterator[Conversation]:
    """Yield the conversations in JSON values, then those whose utterances are values of their own.

    Args:
        values: The position of each value, to be given in messages, and the value.
        reading: The reader's settings, and its record of what it has read.
    """
    rows: list[tuple[str, list[str]]] = []
    for where, value in values:
        if (row := _row(value)) is not None:
            rows.append((where, row))
        else:
            yield from conversations(value, where, reading)
    yield from tables.read_rows(ROW, iter(rows), reading)


def _row(value: Any) -> list[str] | None:
    """Convert an utterance that names its conversation to a row with the columns ROW; return None for other values."""
    columns = turn_columns(list(value)) if isinstance(value, dict) and _turns(value) is None else None
    if columns is None or not isinstance(value[columns[0]], (str, int)) or not isinstance(value[columns[1]], str):
        return None
    others = [name for name in value if name not in columns]
    turn, speaker = find(others, TURNS), find(others, SPEAKERS)
    cells = (value[columns[0]], value.get(turn, ""), value.get(speaker, ""), value[columns[1]])
    return [str(cell) for cell in cells]


def read_json(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read a file that is one JSON value: a list of conversations, or an object that contains them.

    Raises:
        UserError: The file is too large, is not JSON, or does not contain a list of conversations.
    """
    if path.stat().st_size > json_files.LARGEST:
        raise UserError(
            f"{path}: the file is larger than {json_files.LARGEST:,} bytes; use JSON lines (one conversation on each "
            "line) for larger files"
        )
    longest = 4 * json_files.LARGEST  # the whole file may be one line, and a byte may become four bytes in UTF-8
    text = "".join(line for _, line in reading.lines(path, longest=longest))
    try:
        value = json_files.loads(text)
    except json_files.NotJSONError as error:
        raise UserError(f"{path}: the file is not JSON ({error}); a list of conversations is expected") from None
    except ValueError as error:
        raise UserError(f"{path}: the JSON cannot be used ({error}); a list of conversations is expected") from None
    items = value if _is_list_of_conversations(value) else contained(value)
    if items is None:
        wanted = "a list of lists of strings is expected"
        raise UserError(f"{path}: the file is valid JSON, but not a list of conversations; {wanted}{_keys(value)}")
    kind = "utterance" if items and all(_row(item) is not None for item in items) else "conversation"
    values = ((f"{path}: {kind} {number}", item) for number, item in enumerate(items, start=1))
    yield from _conversations(values, reading)


def report_json(where: str, error: ValueError, wanted: str, reading: Reading) -> None:
    """Report a line that `json_files.loads` could not read; `wanted` describes what is expected."""
    if isinstance(error, json_files.NotJSONError):
        reading.bad.report(where, "not JSON", f"the line is not JSON ({error}); {wanted}")
    else:
        reading.bad.report(where, "with other JSON", f"the JSON cannot be used ({error}); {wanted}")


def _keys(value: Any) -> str:
    """List the keys of an object that is not a conversation, so that the user can identify the object."""
    keys = list(value)[:8] if isinstance(value, dict) else []
    return f"; the keys of this object are {', '.join(keys)}" if keys else ""


def contained(value: Any) -> list[Any] | None:
    """Return the conversations in an object (a list under a usual key, or one under each key), or None."""
    if not isinstance(value, dict):
        return None
    parts = [item for key in value if key in PARTS and isinstance(value[key], list) for item in value[key]]
    if parts:
        return parts
    for key in CONTAINERS:
        if isinstance(value.get(key), list) and all(isinstance(item, (list, dict)) for item in value[key]):
            is_one = _is_turns(value[key]) and any(_row(item) is None for item in value[key])
            return None if is_one else value[key]
    if value and all((isinstance(item, dict) and _turns(item)) or _is_list(item) for item in value.values()):
        return list(value.values())
    return None


def conversations(value: Any, where: str, reading: Reading) -> Iterator[Conversation]:
    """Yield the conversation that a JSON value contains, or report a bad line.

    Args:
        value: The JSON value.
        where: The position of the value, to be given in messages.
        reading: The reader's settings, and its record of what it has read.
    """
    bad = reading.bad
    emotion: Any = value.get("emotion") if isinstance(value, dict) else None
    turns = _turns(value) if isinstance(value, dict) else value
    if not isinstance(turns, list):
        bad.report(where, "with other JSON", f"no list of utterances; {WANTED}{_keys(value)}")
        return
    turns = _unwrapped(turns)
    emotions: tuple[str | None, ...] = ()
    if isinstance(emotion, list) and len(emotion) == len(turns) and set(map(repr, emotion)) <= set("0123456"):
        # DailyDialog as a Hugging Face data set
        emotion, emotions = None, tuple(EMOTIONS[number] for number in emotion)
    texts: list[Any] = [_text(turn) for turn in turns]
    if not all(isinstance(text, str) for text in texts):
        bad.report(where, "with other JSON", f"an utterance is not text; {WANTED}")
    elif not isinstance(emotion, str | None):
        bad.report(where, "with other JSON", "the emotion is not text; a string or null is expected")
    else:
        kept = [number for number, turn in enumerate(turns) if texts[number].strip() and not _is_instruction(turn)]
        reading.left_out["system instruction"] += sum(map(_is_instruction, turns))
        reading.speakers.update(name for number in kept if (name := _speaker(turns[number])))
        utterances = tuple(one_line(texts[number]) for number in kept)
        yield Conversation(utterances, emotion, tuple(emotions[number] for number in kept) if emotions else ())


def _turns(value: dict[str, Any]) -> Any:
    """Return the list of utterances in an object, or None if it does not have such a list."""
    if isinstance(value.get("utterances"), list):
        return value["utterances"]
    for key in LISTS:
        if isinstance(value.get(key), list) and value[key]:
            return value[key]
    pair = pair_columns(list(value))
    if pair is None or not all(isinstance(value[key], str) for key in pair):
        return None
    question, answer = (value[key] for key in pair)
    if pair[0] == "input" and isinstance(value.get("instruction"), str):
        question = f"{value['instruction']} {question}"
    return [question, answer]


def _unwrapped(turns: list[Any]) -> list[Any]:
    """Return the utterances of a PersonaChat dialogue: the last history, and the last candidate as its answer."""
    last = turns[-1] if turns else None
    if isinstance(last, dict) and isinstance(last.get("history"), list) and isinstance(last.get("candidates"), list):
        return [*last["history"], *last["candidates"][-1:]]
    return turns


def _text(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    name = find(list(turn), TEXTS)
    return None if name is None else turn[name]


def _speaker(turn: Any) -> str:
    name = find(list(turn), SPEAKERS) if isinstance(turn, dict) else None
    return str(turn[name])[:80] if name is not None and isinstance(turn[name], (str, int)) else ""


def _is_instruction(turn: Any) -> bool:
    return isinstance(turn, dict) and "system" in (turn.get("role"), turn.get("from"))


def _is_turns(value: list[Any]) -> bool:
    """Return whether a list is one conversation whose utterances are objects that contain their text."""
    return bool(value) and all(isinstance(item, dict) and isinstance(_text(item), str) for item in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_list_of_conversations(value: Any) -> bool:
    return isinstance(value, list) and not (value and all(isinstance(item, str) for item in value))
