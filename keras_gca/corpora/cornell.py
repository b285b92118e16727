"""Reads the Cornell Movie-Dialogs Corpus, a folder with a file of lines and a file of conversations.

The files are `movie_lines.txt` and `movie_conversations.txt`. Their fields are separated by ` +++$+++ `. The published
files are encoded in Windows-1252, with a few bytes that this encoding does not define; these are read as ISO-8859-1.
Files that were saved as UTF-8 can also be read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from glove.text_files import counted
from keras_gca.corpora.conversation import WRONG_FIELDS, Conversation, Reading
from keras_gca.errors import UserError

SEPARATOR = " +++$+++ "
LINES, CONVERSATIONS = "movie_lines.txt", "movie_conversations.txt"


def read_cornell(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read the corpus from its folder, or from either of its two files if the other is in the same folder."""
    bad = reading.bad
    folder = path if path.is_dir() else path.parent
    lines_file, conversations_file = folder / LINES, folder / CONVERSATIONS
    for file in (lines_file, conversations_file):
        if not file.exists():
            raise UserError(f"{file}: the file is missing; the Cornell layout needs {LINES} and {CONVERSATIONS}")
    texts, names = {}, {}
    for number, line in reading.lines(lines_file, "cp1252"):
        fields = line.split(SEPARATOR)
        if len(fields) < 4:
            message = f"{counted(len(fields), 'field')}; 5 are expected, separated by +++$+++"
            bad.report(f"{lines_file}:{number}", WRONG_FIELDS, message)
            continue
        texts[fields[0].strip()] = fields[4].strip() if len(fields) > 4 else ""
        names[fields[0].strip()] = f"{fields[3].strip()} ({fields[2].strip()})"  # the same name occurs in many films
    for number, line in reading.lines(conversations_file, "cp1252"):
        where = f"{conversations_file}:{number}"
        identifiers = re.findall(r"'([^']+)'", line.split(SEPARATOR)[-1])
        missing = [identifier for identifier in identifiers if identifier not in texts]
        if not identifiers:
            message = "no line identifiers; a list of identifiers such as ['L194', 'L195'] is expected"
            bad.report(where, "without line identifiers", message)
        elif missing:
            bad.report(where, "with missing turns", f"the utterance {missing[0]} is not in {lines_file.name}")
        else:
            said = [identifier for identifier in identifiers if texts[identifier]]
            speakers = tuple(names[identifier] for identifier in said)
            yield Conversation(tuple(texts[identifier] for identifier in said), speakers=speakers)
