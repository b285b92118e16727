"""Recognises text that is not a conversation: settings, programs, letters, parse trees, word lists, prose and verse.

Each function below looks for one kind of text, and returns a description of it for messages, or None.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable

MOST = 0.8  # the share of lines with a given form above which the file is considered to have this form
HEADING = re.compile(r"#{1,6} \w|```")
VECTOR = re.compile(r"\S+(?: -?\d*\.?\d+(?:e-?\d+)?){4,}\s*$")
CODE = re.compile(
    r"\s*(?:import \w|from \S+ import |def \w|class \w+[:(]|return\b|#include|function |var |const |public )"
    r"|\s*(?:\}|\{(?!\w+\}))"
    r"|.*[;{}]\s*$|\s*(?:if|for|while|else|elif|try|except|with)\b.*:\s*$"
)
TREE = re.compile(r"\s*\(")
NESTED = re.compile(r"\([^()]*(?=\()")
COLUMN_TAG = re.compile(r"O|[BIESLU]-\S+|[A-Z]{1,5}\$?|[^\w\s]{1,2}|_")
SETTING = re.compile(r"\s*(?:\[[^\]]+\]\s*$|[#;]|[\w.-]+\s*[:=](?:\s|$))")
YAML = re.compile(r"\s*(?:- |#|(?:- )?[\w.-]+:(?:\s|$))")
YAML_BLOCK = re.compile(r"(\s*)(?:- )?[\w.-]+:(?:\s*[|>])?$")
MAIL = re.compile(
    r"(?:From|To|Cc|Subject|Date|Message-ID|Received|Return-Path|Reply-To|Delivered-To|MIME-Version|Content-Type"
    r"|X-[\w-]+): |From \S+@",
    re.IGNORECASE,
)
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|diff --git ")
ENTRY = re.compile(r"@[A-Za-z]+\s*\{\s*\S+,\s*$")
SCENE = re.compile(r"\s*(?:\d+\s+)?(?:INT|EXT|INT\.?/EXT|EXT\.?/INT|I/E)[. ][^a-z]+$")
CUE = re.compile(r"\s*[A-Z][A-Z .'’-]*[A-Z](?: \d)?(?:\s*\([^)]*\))?\s*$")
CHILDES = re.compile(r"\*[A-Z]{2,4}\d?:\s")
SWITCHBOARD = re.compile(r".{0,20}\b[A-Z]\.\d+ utt\d+:")
ENDS_SENTENCE = re.compile(r".*[.?!…:。？！।؟][\"'”’»)\]*]*\s*$")
WITHIN = re.compile(r"[.?!][\"'”’»)]* +\S")  # the end of a sentence within a line
PAUSES = re.compile(r".*[,;、，；—–-]\s*$")
SPACED = re.compile(
    r"[^\u0E00-\u0FFF\u1000-\u109F\u1780-\u17FF\u2E80-\uABFF\uF900-\uFAFF]*$"
)  # text in which spaces separate the words


def document(lines: list[str]) -> str | None:
    """Return the kind of a sample whose lines are clearly not utterances, or None for any other sample.

    Args:
        lines: The lines of the sample that are not blank.
    """
    checks: tuple[Callable[[list[str]], str | None], ...] = (
        _marked, _columns, _tree, _markup, _yaml, _settings, _transcript,
    )  # fmt: skip
    return next((kind for check in checks if (kind := check(lines)) is not None), None)


def prose(text: str, lines: list[str]) -> str | None:
    """Return the kind of a sample whose lines are single words or parts of sentences, or None for any other sample.

    These kinds are the hardest to recognise, so this function is called after all other formats have been tried.

    Args:
        text: The sample.
        lines: The lines of the sample that are not blank.
    """
    return _screenplay(lines) or _words(lines) or _broken(text) or _verse(lines)


def share(lines: list[str], form: re.Pattern[str]) -> float:
    """Return the fraction of lines whose beginnings match a pattern."""
    return sum(form.match(line) is not None for line in lines) / len(lines)


# Documents with characteristic marks


def _marked(lines: list[str]) -> str | None:
    first = lines[0].lstrip()
    if any(HUNK.match(line) for line in lines):
        return "a patch"
    if re.match(r"BEGIN:V[A-Z]+\s*$", first):
        return "a calendar or a contact card (iCalendar, vCard)"
    if any(ENTRY.match(line) for line in lines):
        return "BibTeX"
    if MAIL.match(first) and sum(MAIL.match(line) is not None for line in lines[:12]) >= 3:
        return "an e-mail"
    if re.match(r"(CREATE|INSERT|DROP) [A-Z]", first):
        return "SQL"
    return None


def _columns(lines: list[str]) -> str | None:
    """Recognise the columns of a treebank: one word on each line, followed by its tags."""
    rows = [line.split() for line in lines if not line.startswith("#")]
    if len(rows) < 3:
        return None
    if sum(line.count("\t") >= 7 and line[0].isdigit() for line in lines) >= MOST * len(rows):
        return "the columns of a treebank (CoNLL)"
    width, often = Counter(map(len, rows)).most_common(1)[0]
    tagged = sum(len(row) == width and all(map(COLUMN_TAG.fullmatch, row[1:])) for row in rows)
    plain = any(row[0].islower() for row in rows)  # a text in capitals is not a column of tags
    if 2 <= width <= 10 and often >= MOST * len(rows) and tagged >= MOST * len(rows) and plain:
        return "the columns of a treebank (CoNLL)"
    return None


def _tree(lines: list[str]) -> str | None:
    nested = sum(len(NESTED.findall(line)) for line in lines)
    if share(lines, TREE) >= MOST and nested >= len(lines) / 2:
        return "the trees of a treebank"
    return None


def _markup(lines: list[str]) -> str | None:
    first = lines[0].lstrip()
    if re.match(r"<(\?xml|!DOCTYPE|[A-Za-z][\w:-]*(\s[^>]*)?/?>)", first) and share(lines, re.compile(r"\s*<")) > 0.5:
        return "XML or HTML"
    if first.startswith(("|", "+-")) and share(lines, re.compile(r"\s*[|+].*[|+]\s*$")) >= MOST:
        return "a Markdown table, or a table printed by a database client"
    if sum(HEADING.match(line) is not None for line in lines) > 1:
        return "Markdown"
    if share(lines, CODE) >= 0.3:
        return "a program"
    if share(lines, VECTOR) >= MOST:
        return "word vectors"
    return None


def _yaml(lines: list[str]) -> str | None:
    first = lines[0].lstrip()
    if first.startswith(("---", "categories:", "conversations:")) and any(re.match(r"\s*- ", line) for line in lines):
        return "YAML"
    if share(lines, YAML) < MOST:
        return None
    for line, following in itertools.pairwise(lines):
        block = YAML_BLOCK.match(line.rstrip())
        indented = len(following) - len(following.lstrip())
        if block and (indented > len(block[1]) or following.lstrip().startswith("- ")):
            return "YAML"
    return None


def _settings(lines: list[str]) -> str | None:
    sections = share(lines, re.compile(r"\s*\[\[?[\w .:/\"-]+\]\]?\s*$"))
    if 0 < sections < 0.6 and share(lines, SETTING) >= 0.9:
        return "settings in sections"
    return None


def _transcript(lines: list[str]) -> str | None:
    """Recognise transcripts in the notation of CHILDES or Switchboard."""
    if sum(CHILDES.match(line) is not None for line in lines) > 1 and any(line[0] in "@%" for line in lines):
        return "a transcript of CHILDES"
    if sum(SWITCHBOARD.match(line) is not None for line in lines) > 1:
        return "a transcript of the Switchboard Dialogue Act corpus"
    return None


# Lines that are parts of a text


def _screenplay(lines: list[str]) -> str | None:
    """Recognise a screenplay or a play: names in capitals on separate lines above the speeches."""
    cues = Counter(line.strip() for line in lines if CUE.match(line))
    scenes = sum(SCENE.match(line) is not None for line in lines)
    repeated = sum(count for count in cues.values() if count > 1)
    named = repeated >= 4 and repeated >= 0.2 * len(lines) and cues.total() <= 0.6 * len(lines)  # not all in capitals
    if named or (scenes and repeated >= 2):
        return "a screenplay or a play"
    return None


def _words(lines: list[str]) -> str | None:
    """Recognise a list of words: hardly any line has more than two words, ends like a sentence, or is repeated."""
    single = sum(len(line.split()) == 1 for line in lines)
    few = sum(len(line.split()) <= 2 and not ENDS_SENTENCE.match(line) and len(line) < 50 for line in lines)
    different = len({line.strip() for line in lines})
    listed = min(few, different) >= 0.95 * len(lines) and (single >= 0.7 * len(lines) or len(lines) >= 20)
    return "a list of words" if listed and len(lines) >= 8 and share(lines, SPACED) >= MOST else None


def _broken(text: str) -> str | None:
    """Recognise prose wrapped at a fixed width: each line ends where the next word would not fit."""
    lines = [line.rstrip() for line in text.splitlines()]
    written = [line for line in lines if line]
    if len(written) < 4:
        return None
    width = sorted(map(len, written))[int(0.95 * (len(written) - 1))]
    together = [(line, after) for line, after in itertools.pairwise(lines) if line and after]
    cut = [(line, after.split()[0]) for line, after in together
           if not ENDS_SENTENCE.match(line) and after.lstrip()[0].islower()]  # fmt: skip
    full = sum(len(line) + 1 + len(word) > width for line, word in cut)
    sentences = any(WITHIN.search(line) for line in written)  # a chat without punctuation has none
    if sentences and width >= 40 and len(cut) >= max(4, len(together) / 2) and full >= 0.6 * len(cut):
        return "prose broken into lines"
    return None


def _verse(lines: list[str]) -> str | None:
    """Recognise verse: many lines end with a comma or a similar mark, and few lines end a sentence."""
    pausing, ending = share(lines, PAUSES), share(lines, ENDS_SENTENCE)
    if len(lines) >= 4 and pausing >= 0.3 and ending <= 0.5:
        return "verse, or sentences broken into lines"
    return None
