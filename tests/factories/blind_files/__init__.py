"""Small files in 213 shapes, and how a reader of conversations should treat each.

All conversations are invented for these tests. The files follow the public descriptions of the corpora and programs
that their records name, and not the rules by which the project recognises formats.

`write(folder)` writes every file, folder and archive below a folder. `EXPECTED` has one record for each, with the keys
in `COLUMNS`. These are the verdicts:

read    a reader of ordinary quality should read exactly these conversations and utterances
refuse  the file is clearly something else, or has a format that nobody needs to support: the message names it
either  reading it rightly, as described, and refusing it are both right; reading it as plain lines is a misreading
plain   plain text: each line that is not blank is an utterance

Counts and first texts are empty where the right value is unclear. An utterance's text is given as in the file, without
its markup (tags, times, escapes, quotation marks). `first_context` is the first utterance of the first conversation,
and `first_answer` is the second one.
"""

from pathlib import Path

from tests.factories.blind_files.archives import bytes_and_archives
from tests.factories.blind_files.chat_exports import chats
from tests.factories.blind_files.episodes import persona
from tests.factories.blind_files.json_files import json_arrays
from tests.factories.blind_files.json_lines_files import json_lines
from tests.factories.blind_files.known_corpora import daily_dialog, empathetic
from tests.factories.blind_files.linked_corpora import convokit_and_cornell
from tests.factories.blind_files.lists_and_prose import lists_and_prose
from tests.factories.blind_files.other_texts import other_texts
from tests.factories.blind_files.plain_texts import plain_text
from tests.factories.blind_files.records import COLUMNS, EXPECTED, FILES
from tests.factories.blind_files.research_files import research_json
from tests.factories.blind_files.subtitle_files import subtitles
from tests.factories.blind_files.table_files import tables
from tests.factories.blind_files.transcripts import transcripts

__all__ = ["COLUMNS", "EXPECTED", "write"]

# The order matters: each part takes the next conversations of the pool.
for _part in (
    plain_text, daily_dialog, empathetic, persona, convokit_and_cornell, json_arrays, json_lines, tables, subtitles,
    chats, research_json, transcripts, other_texts, lists_and_prose, bytes_and_archives,
):  # fmt: skip
    _part()


def write(folder: Path) -> None:
    """Write all files, folders and archives below a folder, which is made if it is missing."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
