r"""Reads PersonaChat and other corpora in the two text formats of ParlAI; each episode is a conversation.

One format has numbered lines: `NUMBER text<TAB>answer`, optionally followed by a reward and candidates. The number 1
begins an episode. The other format has named fields: `text:...<TAB>labels:...<TAB>episode_done:True`. The field
`episode_done` marks the end of an episode.

Personas ("your persona: ...") and candidates are left out. `\n` separates lines within a text.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from keras_gca.corpora.conversation import Conversation, Reading, one_line

NUMBERED = re.compile(r"(\d+)\s(.*)", re.DOTALL)
PERSONA = re.compile(r"\s*(?:your|partner'?s?) persona:")
SILENCE = "__SILENCE__"  # stands for a missing text: the answer begins the conversation


def read_parlai(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read the episodes of a file in one of the two formats."""
    utterances: list[str] = []
    last = 0
    for number, line in reading.lines(path):
        line = line.rstrip("\r\n")
        if not line.strip():
            continue
        where = f"{path}:{number}"
        if numbered := NUMBERED.match(line):
            place, text, (answer, *others) = int(numbered[1][:9]), *_numbered(numbered[2])
            if place <= last and utterances:
                yield Conversation(tuple(utterances))
                utterances = []
            last = place
            ends = False
            if PERSONA.match(text) and not answer:
                reading.left_out["persona line"] += 1
                continue
        elif "\t" in line or line.startswith("text:"):
            fields = dict(name.partition(":")[::2] for name in line.split("\t"))
            text, answer = fields.get("text", ""), fields.get("labels", fields.get("eval_labels", ""))
            ends, others = fields.get("episode_done", "").strip() == "True", []
            if "label_candidates" in fields:
                others = [fields["label_candidates"]]
        else:
            text, answer, ends, others = "", "", False, []
        said = _without_persona(text, reading)
        answer = one_line(answer.split("|")[0].replace("\\n", " "))
        if not answer:
            message = "no answer; `NUMBER text<TAB>answer` or `text:...<TAB>labels:...` is expected"
            reading.bad.report(where, "without an answer", message)
            continue
        reading.left_out["candidate list"] += bool(others)
        utterances += [part for part in (said, answer) if part]
        if ends:
            yield Conversation(tuple(utterances))
            utterances = []
    if utterances:
        yield Conversation(tuple(utterances))


def _numbered(content: str) -> tuple[str, list[str]]:
    text, *fields = content.split("\t")
    answer = fields[0] if fields else ""
    return text, [answer, *(field for field in fields[1:] if field.strip())]


def _without_persona(text: str, reading: Reading) -> str:
    parts = text.split("\\n")
    kept = [part for part in parts if not PERSONA.match(part)]
    if len(kept) < len(parts):
        reading.left_out["persona line"] += len(parts) - len(kept)
    said = one_line(" ".join(kept))
    return "" if said == SILENCE else said
