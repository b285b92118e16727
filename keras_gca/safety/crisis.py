"""Recognises messages about suicide, self-harm, or danger, and contains the note that a chat shows in reply.

A message is compared with the patterns in crisis_patterns.txt, which are English only; no model is involved. The
patterns err on the side of caution: even a message about a film whose subject is suicide gets the note. The patterns
recognise most messages that speak of a crisis directly, but not messages that only hint at one (see the numbers in
docs/fidelity.md). Chats therefore also show FIRST_USE_NOTICE.
"""

import itertools
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

NOTE = (
    "This is a research program. It does not understand what you wrote, and it cannot help you. If you or somebody "
    "else may be in danger, please call your local emergency number or a crisis line now. If you can, go to a person "
    "you trust and do not stay alone."
)

FIRST_USE_NOTICE = (
    "This is a research program that imitates conversations. It is not a person, a counsellor or a doctor; what it "
    "says may be wrong or hurtful, and what it says about itself is made up. It cannot help in a crisis: if you or "
    "somebody else may be in danger, call your local emergency number or a crisis line."
)


def note_on(message: str, lines: Sequence[str] = ()) -> str | None:
    """Return the note that a chat shows instead of a reply, or None if the message does not speak of a crisis.

    Args:
        message: The message to check.
        lines: Local crisis lines, for example "Samaritans (UK): 116 123", each shown on a separate line below the note.
    """
    return "\n".join([NOTE, *lines]) if speaks_of_crisis(message) else None


def speaks_of_crisis(message: str) -> bool:
    """Return whether a message speaks of suicide, self-harm, or danger to someone, ignoring case and apostrophes."""
    patterns = _patterns()
    text = _plain(message)
    if any(pattern.search(text) for pattern in patterns["certain"]):
        return True
    for pattern in patterns["harmless"]:
        text = pattern.sub("_", text)
    return any(pattern.search(text) for pattern in patterns["alarming"])


def _plain(message: str) -> str:
    """Reduce a text to lower-case words and digits separated by single spaces, with " . " around each sentence."""
    text = re.sub(r"[’'ʼ`´](ll\b)?", lambda match: " will" if match[1] else "", message.casefold())
    text = re.sub(r"(?<![a-z])[a-z](?:([ .-])[a-z](?:\1[a-z]){2,})(?![a-z])", lambda m: m[0].replace(m[1], ""), text)
    text = re.sub(r"(?<=[a-z])[*@013$!](?=[a-z])", lambda match: "_aoiesi"["*@013$!".index(match[0])], text)  # su1cide
    text = re.sub(r"([a-z])\1{2,}", r"\1", text)  # diiie
    words = re.findall(r"[a-z0-9_]+|[.]", re.sub(r"[.!?;:]+", " . ", text))
    return f" . {' '.join(words)} . "


@cache
def _patterns() -> dict[str, list[re.Pattern]]:
    """Compile the certain, harmless and alarming patterns of crisis_patterns.txt."""
    text = (resources.files("keras_gca.safety") / "crisis_patterns.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    begins = [i for i, line in enumerate(lines) if re.fullmatch(r"\[\w+\]", line)]
    sections = {lines[i][1:-1]: lines[i + 1 : end] for i, end in itertools.pairwise([*begins, len(lines)])}
    names = dict(line.split(" = ", 1) for line in sections.pop("names"))

    def expanded(pattern: str) -> str:
        return re.sub(r"<(\w+)>", alternatives, pattern)

    def alternatives(name: re.Match) -> str:
        if name[1].isdecimal():
            return rf"(?: (?!\.)\S+){{0,{name[1]}}}"
        return f"(?:{expanded(names[name[1]])})"

    def compiled(patterns: list[str]) -> list[re.Pattern]:
        return [re.compile(rf"(?<![a-z0-9_])(?:{expanded(pattern)})(?![a-z0-9_])") for pattern in patterns]

    return {name: compiled(patterns) for name, patterns in sections.items()}
