"""Recognises the formats of text from a sample of a file.

Each function below looks for one kind of format and returns a `Shape` or None. `recognise` calls them in order, from
the most specific format to the most general.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_gca.corpora import convokit, cornell, dailydialog, empathetic, tables
from keras_gca.corpora.conversation import CHATML, SPEAKER
from keras_gca.corpora.documents import MOST, document, prose, share
from keras_gca.corpora.json_text import contained
from keras_gca.corpora.names import ANSWERS, LISTS, QUESTIONS, key_of
from keras_gca.storage import json_files

TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\.?)?"
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    rf"|\d{{1,2}}[- ]{MONTH}[- ]\d{{2,4}}|{MONTH} \d{{1,2}}, \d{{4}})"
)
STAMP = re.compile(rf"\s*[\[(<]?\u200e?(?:{DATE},?[ T]?\s*(?:at )?(?:{TIME})?|{TIME})Z?[\])>]?(?:\s|,|\t|$)")
FULL_STAMP = re.compile(rf"\s*[\[(<]?\u200e?{DATE},?[ T]?\s*(?:at )?{TIME}")
SUBTITLE = re.compile(r"^[\d:.,]+ *--> *[\d:.,]+|^Dialogue: \d|^\{\d+\}\{\d+\}", re.MULTILINE)
NUMBERED = re.compile(r"(\d{1,9})(?:[.):]|\s|$)")
FIELD = re.compile(r"\s*[-*]?\s*([a-z][\w-]{0,30})\s*[:=](?:\s|$)")
WEIGHTED = re.compile(r"\d\.\d+ [^\t]*\t\d\.\d+ ")  # DialoGPT: "0.0 Hi. EOS 1.0 Hello.<TAB>1.0 Bye."
JSON = re.compile(r"\s*(?:[{\[]\s*$|[{\[]\s*[\[{\"'\d\]}-]|\[\s*(?:true|false|null)\b)")
TEMPLATE = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|<(?:start|end)_of_turn>")
BRACKETED = re.compile(r"\s*([\[(<][^\W\d_][\w .'’-]{0,30}[\])>])\s")
PERSONA = re.compile(r"\d+ (?:your|partner'?s?) persona:")
PARLAI = re.compile(rf"\d+ .*\t|{PERSONA.pattern}")
SEPARATORS = ("|||", "###", "<sep>", "[SEP]", "</s>", "<eos>", "<EOS>", "<|endoftext|>", "<eou>", "<EOU>", "__eos__",
              "_eos_", "<turn>", "<eot>", "__eot__", "=>", "->", "\\t", "<U>", "[EOS]", "<END>", "[TURN]")  # fmt: skip


class Shape(NamedTuple):
    """The recognised format of a sample.

    Attributes:
        format: The name of the format, or None if no reader supports it.
        looks_like: A description of the file for use in messages.
    """

    format: str | None
    looks_like: str = ""


def recognise(text: str, complete: bool, suffix: str) -> Shape:
    """Recognise the format of a file from a sample.

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
    if suffix in (".jsonl", ".ndjson", ".json") or JSON.match(lines[0]):
        tagged = _timestamps(lines) or _speakers(lines)  # "[21:41] ...", "[Ann]: ..."
        return _script(text) or tagged or _json(text, lines, complete, suffix)
    checks: tuple[Callable[[list[str]], Shape | None], ...] = (
        _chat_template, _timestamps, _parlai, _table, _separated, _numbered, _fields, _speakers, _labels, _bracketed,
    )  # fmt: skip
    marked = document(lines)
    shapes = (
        _script(text),
        _tables_by_suffix(lines, suffix),
        Shape(None, marked) if marked else None,
        *(check(lines) for check in checks),
    )
    if (shape := next((shape for shape in shapes if shape is not None), None)) is not None:
        return shape
    parts = prose(text, lines)
    return Shape(None, parts) if parts else Shape("text")


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


def _timestamps(lines: list[str]) -> Shape | None:
    """Recognise lines that begin with a time. If the times include dates, a message may span several lines."""
    if share(lines, STAMP) >= 0.5 or (share(lines, FULL_STAMP) >= 0.2 and len(lines) > 1):
        return Shape(None, "a chat export or a log, whose lines begin with times")
    return None


def _parlai(lines: list[str]) -> Shape | None:
    counted = share(lines, PERSONA) > 0 or share(lines, PARLAI) >= MOST
    if counted or share(lines, re.compile(r"text:.*\t(eval_)?labels:")) >= MOST:
        return Shape("parlai")
    return None


# Tables


def _tables_by_suffix(lines: list[str], suffix: str) -> Shape | None:
    if tables.header_of(lines[0]) is None and suffix in (".csv", ".tsv", ".psv"):
        names = ", ".join(lines[0].split("\t" if "\t" in lines[0] else ",")[:6])[:80].strip()
        if not _is_pairs(lines):
            return Shape(
                None,
                f"a table whose first line, {names!r}, does not name the columns of question/answer pairs or turns",
            )
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
    if share(lines, WEIGHTED) >= MOST:
        return Shape(None, "the training rows of DialoGPT, in which each text has a weight")
    if _is_pairs(lines):
        return Shape("table")
    if share(lines, re.compile(r".*\t")) >= MOST:
        return Shape(
            None, "a tab-separated table whose first line does not name the columns of question/answer pairs or turns"
        )
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
            return Shape(None, "a table whose first line does not name the columns of question/answer pairs or turns")
        in_quotes = re.compile(rf'\s*"[^"]*"(\s*{re.escape(separator)}\s*("[^"]*"|[\d.]*))+\s*$')
        if len(lines) > 1 and share(lines, in_quotes) >= MOST:
            return Shape(None, "a table without a line of column names")
    return None


def _is_pairs(lines: list[str]) -> bool:
    """Return whether lines form a table of pairs without a header: two columns of words, with few repeated values."""
    separators = {tables.separator_of_pair(line) for line in lines}
    separator = separators.pop()
    if separator is None or separators:
        return False
    rows = [tables.split_line(line, separator) or [] for line in lines]
    if not all(len(row) == 2 for row in rows):
        return False
    for column in zip(*rows, strict=True):
        words = [cell for cell in column if re.search(r"[^\W\d_]", cell)]
        if len(words) < MOST * len(rows) or (len(rows) > 5 and len(set(column)) < len(rows) / 4):
            return False
        if len(rows) > 2 and sum(" " not in cell.strip() and cell.islower() for cell in column) > MOST * len(rows):
            return False  # labels or identifiers
    return True


# Formats that are recognised by the form of each line


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
    if len(lines) > 2 and share(lines, re.compile(r"[\d\s.,;#|-]*$")) >= MOST:
        return Shape(None, "numbers or labels without text")
    return None


def _fields(lines: list[str]) -> Shape | None:
    names = Counter(key_of(match[1]) for line in lines if (match := FIELD.match(line)))
    if len(lines) > 1 and names.total() >= MOST * len(lines) and not _are_speakers(names):
        return Shape(None, f"named fields, such as {next(iter(names))}:")
    return None


def _are_speakers(names: Counter[str]) -> bool:
    asking = all(name in QUESTIONS or name in ANSWERS for name in names) and len(names) == 2
    numbered = all(
        re.fullmatch(r"(speaker|person|user|agent|bot|human|system|assistant|[a-z])_?\w{0,2}", name) for name in names
    )
    return asking or numbered


def _speakers(lines: list[str]) -> Shape | None:
    """Recognise lines that begin with speaker tags, which recur, or with field names, which do not.

    Lines without a tag continue an utterance.
    """
    names = Counter(match[1] for line in lines if (match := SPEAKER.match(line)))
    if len(lines) > 1 and names.total() >= MOST * len(lines):
        if len(names) <= max(2, names.total() / 2):
            return Shape("speakers")
        return Shape(None, f"named fields, such as {next(iter(names))}:")
    repeated = [count for count in names.values() if count > 1]
    if sum(repeated) < max(3, MOST * names.total()):
        return None
    if len(repeated) > 1 and SPEAKER.match(lines[0]) and sum(repeated) >= 0.1 * len(lines):
        return Shape("speakers")
    if sum(repeated) >= 0.25 * len(lines):
        return Shape(None, "a transcript in which only some lines name a speaker")
    return None


def _bracketed(lines: list[str]) -> Shape | None:
    names = Counter(match[1] for line in lines if (match := BRACKETED.match(line)))
    if len(lines) > 1 and names.total() >= MOST * len(lines) and len(names) <= max(2, names.total() / 2):
        return Shape(None, f"text with tags in brackets, such as {next(iter(names))}")
    return None


def _chat_template(lines: list[str]) -> Shape | None:
    """Recognise the marks that separate turns in the input of chat models. Only ChatML has a reader."""
    if sum(CHATML.match(line) is not None for line in lines) > 1:
        return Shape("speakers")
    marked = sum(TEMPLATE.search(line) is not None for line in lines)
    return Shape(None, "the chat template of a language model") if marked >= 0.3 * len(lines) else None
