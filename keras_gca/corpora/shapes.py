"""Recognises the formats of text from a sample of a file.

Each function below looks for one kind of format and returns a `Shape`, or None. `recognise` calls them in order, from
the most special formats to the most general ones.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_gca.corpora import convokit, cornell, dailydialog, empathetic, tables
from keras_gca.corpora.conversation import SPEAKER
from keras_gca.corpora.json_text import contained
from keras_gca.corpora.names import ANSWERS, LISTS, QUESTIONS, key_of
from keras_gca.storage import json_files

MOST = 0.8  # a file has a form if at least this share of its lines has the form
TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\.?)?"
DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
STAMP = re.compile(rf"\s*[\[(<]?\u200e?(?:{DATE},?[ T]?\s*(?:at )?(?:{TIME})?|{TIME})Z?[\])>]?(?:\s|,|\t|$)")
SUBTITLE = re.compile(r"^[\d:.,]+ *--> *[\d:.,]+|^Dialogue: \d|^\{\d+\}\{\d+\}", re.MULTILINE)
HEADING = re.compile(r"#{1,6} \w|```")
VECTOR = re.compile(r"\S+(?: -?\d*\.?\d+(?:e-?\d+)?){4,}\s*$")
CODE = re.compile(
    r"\s*(?:import \w|from \S+ import |def \w|class \w+[:(]|return\b|#include|function |var |const |public |[{}])"
    r"|.*[;{}]\s*$|\s*(?:if|for|while|else|elif|try|except|with)\b.*:\s*$"
)
NUMBERED = re.compile(r"(\d{1,9})(?:[.):]|\s|$)")
FIELD = re.compile(r"\s*[-*]?\s*([a-z][\w-]{0,30})\s*[:=]\s")
PERSONA = re.compile(r"\d+ (?:your|partner'?s?) persona:")
PARLAI = re.compile(rf"\d+ .*\t|{PERSONA.pattern}")
SEPARATORS = ("|||", "###", "<sep>", "[SEP]", "</s>", "<eos>", "<EOS>", "<|endoftext|>", "<eou>", "<EOU>", "__eos__",
              "_eos_", "<turn>", "<eot>", "__eot__", "=>", "->", "\\t", "<U>", "[EOS]", "<END>", "[TURN]")  # fmt: skip


class Shape(NamedTuple):
    """What a sample looks like.

    Attributes:
        format: The format as which the file can be read, or None if there is no reader for it.
        looks_like: A description of the file, for messages.
    """

    format: str | None
    looks_like: str = ""


def recognise(text: str, complete: bool, suffix: str) -> Shape:
    """Return what a sample of a file looks like.

    Args:
        text: The sample.
        complete: Whether the sample is the whole file.
        suffix: The suffix of the file's name, in lower case.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return Shape("jsonl" if suffix in (".jsonl", ".ndjson", ".json") else "text")
    if cornell.SEPARATOR.strip() in text:
        return Shape("cornell")
    if "__eot__" in text:
        return Shape(None, "the Ubuntu Dialogue Corpus")
    if dailydialog.MARK in text:
        return Shape("dailydialog")
    if empathetic.header_of(lines[0]):
        return Shape("empathetic")
    if suffix in (".jsonl", ".ndjson", ".json") or lines[0].lstrip().startswith(("{", "[")):
        tagged = _timestamps(lines) or _speakers(lines)  # "[21:41] ...", "[Ann]: ..."
        return _script(text) or tagged or _json(text, lines, complete, suffix)
    checks: tuple[Callable[[list[str]], Shape | None], ...] = (
        _markup, _timestamps, _parlai, _table, _separated, _numbered, _fields, _speakers, _labels,
    )  # fmt: skip
    for shape in (_script(text), _tables_by_suffix(lines, suffix), *(check(lines) for check in checks)):
        if shape is not None:
            return shape
    return Shape("text")


def _share(lines: list[str], form: re.Pattern[str]) -> float:
    return sum(form.match(line) is not None for line in lines) / len(lines)


# JSON


def _json(text: str, lines: list[str], complete: bool, suffix: str) -> Shape:
    first = _value(lines[0])
    whole = _value(text) if complete and first is None and len(lines) > 1 else None
    opened = lines[0].strip() in ("[", "{") or (first is None and lines[0].lstrip().startswith(("[[", "[{", '{"')))
    if first is not None:
        if convokit.is_utterance(first):
            return Shape("convokit")
        holds = isinstance(first, list) and first and all(isinstance(item, (list, dict)) for item in first)
        wraps = isinstance(first, dict) and not any(first.get(key) for key in LISTS if key != "conversations")
        if len(lines) == 1 and ((holds and suffix != ".jsonl") or (wraps and contained(first) is not None)):
            return Shape("json")
        return Shape("jsonl")
    if whole is not None or (opened and (suffix not in (".jsonl", ".ndjson") or len(lines[0].strip()) == 1)):
        return Shape("json")
    return Shape("jsonl")


def _value(text: str) -> Any:
    try:
        return json_files.loads(text)
    except ValueError:
        return None


# Formats that are recognised by marks anywhere in the sample


def _script(text: str) -> Shape | None:
    if text.startswith("WEBVTT") or len(SUBTITLE.findall(text)) > 1 or "[Script Info]" in text:
        return Shape(None, "subtitles")
    return None


def _markup(lines: list[str]) -> Shape | None:
    first = lines[0].lstrip()
    if re.match(r"<(\?xml|!DOCTYPE|[A-Za-z][\w:-]*(\s[^>]*)?/?>)", first) and _share(lines, re.compile(r"\s*<")) > 0.5:
        return Shape(None, "XML or HTML")
    yaml = first.startswith(("---", "categories:", "conversations:"))
    if yaml and any(re.match(r"\s*- ", line) for line in lines):
        return Shape(None, "YAML")
    if first.startswith(("|", "+-")) and _share(lines, re.compile(r"\s*[|+].*[|+]\s*$")) >= MOST:
        return Shape(None, "a table of Markdown or of a database's terminal")
    if re.match(r"(CREATE|INSERT|DROP) [A-Z]", first):
        return Shape(None, "SQL")
    if sum(HEADING.match(line) is not None for line in lines) > 1:
        return Shape(None, "Markdown")
    if _share(lines, CODE) >= 0.3:
        return Shape(None, "a program")
    if _share(lines, VECTOR) >= MOST:
        return Shape(None, "word vectors")
    return None


def _timestamps(lines: list[str]) -> Shape | None:
    stamped = _share(lines, STAMP)
    return Shape(None, "the export of a chat, with times at the beginnings of lines") if stamped >= 0.5 else None


def _parlai(lines: list[str]) -> Shape | None:
    counted = _share(lines, PERSONA) > 0 or _share(lines, PARLAI) >= MOST
    if counted or _share(lines, re.compile(r"text:.*\t(eval_)?labels:")) >= MOST:
        return Shape("parlai")
    return None


# Tables


def _tables_by_suffix(lines: list[str], suffix: str) -> Shape | None:
    if tables.header_of(lines[0]) is None and suffix in (".csv", ".tsv", ".psv"):
        names = ", ".join(lines[0].split("\t" if "\t" in lines[0] else ",")[:6])[:80].strip()
        if not _is_pairs(lines):
            return Shape(None, f"a table whose first line, {names!r}, does not name question and answer, or turns")
    return None


def _table(lines: list[str]) -> Shape | None:
    found = tables.header_of(lines[0])
    if found is not None and len(lines) > 1:
        separator, names = found
        counts = [fields is not None and len(fields) == len(names) for line in lines[1:]
                  for fields in [tables.split_line(line, separator)]]  # fmt: skip
        quoted = separator != "\t" and any('"' in line for line in lines)  # a field may have several lines
        if quoted or sum(counts) >= len(counts) / 2:
            return Shape("table")
    if _share(lines, re.compile(r".*\t")) >= MOST:
        if _is_pairs(lines):
            return Shape("table")
        return Shape(None, "a table with tabs, whose first line does not name question and answer, or turns")
    for separator in ",;|":
        counted = Counter(line.count(separator) for line in lines)
        count, often = counted.most_common(1)[0]
        fields = [field.strip().strip('"') for field in lines[0].split(separator)]
        named = all(re.fullmatch(r"[^\W\d][\w .#/-]{0,30}", field) for field in fields) and len(set(fields)) == len(
            fields
        )
        tight = sum(
            re.search(rf"{re.escape(separator)}[^\s{re.escape(separator)}]", line) is not None for line in lines
        )
        if count and len(lines) > 2 and often >= 0.9 * len(lines) and named and tight >= 0.9 * len(lines):
            return Shape(None, "a table whose first line does not name question and answer, or turns")
        in_quotes = re.compile(rf'\s*"[^"]*"(\s*{re.escape(separator)}\s*("[^"]*"|[\d.]*))+\s*$')
        if len(lines) > 1 and _share(lines, in_quotes) >= MOST:
            return Shape(None, "a table without a first line that names its columns")
    return None


def _is_pairs(lines: list[str]) -> bool:
    """Whether all lines have two columns of words with a tab between them, in which few values are repeated."""
    rows = [line.split("\t") for line in lines]
    if not all(len(row) == 2 for row in rows):
        return False
    for column in zip(*rows, strict=True):
        words = [cell for cell in column if re.search(r"[^\W\d_]", cell)]
        if len(words) < MOST * len(rows) or (len(rows) > 5 and len(set(column)) < len(rows) / 4):
            return False
        if len(rows) > 2 and sum(" " not in cell.strip() and cell.islower() for cell in column) > MOST * len(rows):
            return False  # labels or identifiers
    return True


# Lines of one form


def _separated(lines: list[str]) -> Shape | None:
    for separator in SEPARATORS:
        if sum(separator in line for line in lines) >= MOST * len(lines) and len(lines) > 1:
            return Shape(None, f"text with the separator {separator}")
    return None


def _numbered(lines: list[str]) -> Shape | None:
    numbers = [int(match[1]) for line in lines if (match := NUMBERED.match(line.lstrip()))]
    if len(numbers) < max(0.9 * len(lines), 3):
        return None
    steps = sum(b in (a, a + 1, 0, 1) for a, b in itertools.pairwise(numbers))
    return (
        Shape(None, "text with a number at the beginning of each line") if steps >= MOST * (len(numbers) - 1) else None
    )


def _labels(lines: list[str]) -> Shape | None:
    if len(lines) > 2 and _share(lines, re.compile(r"[\d\s.,;#|-]*$")) >= MOST:
        return Shape(None, "numbers or labels without text")
    return None


def _fields(lines: list[str]) -> Shape | None:
    names = Counter(key_of(match[1]) for line in lines if (match := FIELD.match(line)))
    if len(lines) > 1 and names.total() >= MOST * len(lines) and not _are_speakers(names):
        return Shape(None, f"fields with names, such as {next(iter(names))}:")
    return None


def _are_speakers(names: Counter[str]) -> bool:
    asking = all(name in QUESTIONS or name in ANSWERS for name in names) and len(names) == 2
    numbered = all(
        re.fullmatch(r"(speaker|person|user|agent|bot|human|system|assistant|[a-z])_?\w{0,2}", name) for name in names
    )
    return asking or numbered


def _speakers(lines: list[str]) -> Shape | None:
    names = Counter(match[1] for line in lines if (match := SPEAKER.match(line)))
    if len(lines) > 1 and names.total() >= MOST * len(lines) and len(names) <= max(2, names.total() / 2):
        return Shape("speakers")
    return None
