"""Reads ConvoKit's `utterances.jsonl`: on each line, an utterance and the identifier of the one it replies to."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_gca.corpora.conversation import Conversation, Reading, one_line
from keras_gca.corpora.json_text import json_lines
from keras_gca.corpora.published import UTTERANCES

WANTED = "an object with id, conversation_id, text and reply-to is expected"


class Utterance(NamedTuple):
    """An utterance, and the identifier of the utterance it replies to (None if it begins a conversation)."""

    identifier: str
    reply_to: str | None
    text: str


def is_utterance(value: object) -> bool:
    """Return whether a JSON value has the form of a ConvoKit utterance."""
    return isinstance(value, dict) and isinstance(value.get("text"), str) and _conversation(value) is not None


def _conversation(value: dict[str, object]) -> str | None:
    return next((name for key in ("conversation_id", "root") if isinstance(name := value.get(key), str)), None)


def read_convokit(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read a corpus from its folder or file. If the replies form a tree, only the longest thread is read."""
    file = path / UTTERANCES if path.is_dir() else path
    found: defaultdict[str, list[Utterance]] = defaultdict(list)
    for number, value in json_lines(file, WANTED, reading):
        where = f"{file}:{number}"
        conversation = _conversation(value) if is_utterance(value) else None
        if conversation is None:
            reading.bad.report(where, "with other JSON", f"not an utterance; {WANTED}")
            continue
        reply_to = value.get("reply-to", value.get("reply_to"))
        speaker = value.get("speaker", value.get("user"))
        if isinstance(speaker, str):
            reading.speakers[speaker] += 1
        identifier = str(value.get("id", number))
        found[conversation].append(Utterance(identifier, None if reply_to is None else str(reply_to), value["text"]))
    for utterances in found.values():
        thread = _thread(utterances)
        reading.left_out["side utterance"] += len(utterances) - len(thread)
        texts = tuple(text for utterance in thread if (text := one_line(utterance.text)))
        if texts:
            yield Conversation(texts)


def _thread(utterances: list[Utterance]) -> list[Utterance]:
    """Return the longest chain of replies in order, or all utterances if there are no replies."""
    by_name = {utterance.identifier: utterance for utterance in utterances}
    if not any(utterance.reply_to in by_name for utterance in utterances):
        return utterances
    length: dict[str, int] = {}
    for start in by_name:
        chain: list[str] = []
        name: str | None = start
        while name in by_name and name not in length and name not in chain[-1:]:
            assert name is not None
            length[name] = 0  # so that the search ends even if replies form a circle
            chain.append(name)
            name = by_name[name].reply_to
        before = length.get(name, 0) if name is not None else 0
        for name in reversed(chain):
            before += 1
            length[name] = before
    last: str | None = max(length, key=lambda name: length[name])
    thread: list[Utterance] = []
    seen: set[str] = set()
    while last in by_name and last not in seen:
        assert last is not None
        seen.add(last)
        thread.append(by_name[last])
        last = by_name[last].reply_to
    return thread[::-1]
