"""Empty files, binary files, compressed files and archives."""

import gzip
import io
import tarfile
import zipfile

from tests.factories.blind_files.known_corpora import daily_line
from tests.factories.blind_files.linked_corpora import convokit_folder
from tests.factories.blind_files.records import add, jsonl, paragraphs, take


def bytes_and_archives():
    """Empty and binary files, compressed files and archives."""
    add("empty.txt", "an empty file", "refuse", b"")
    add("only_blank_lines.txt", "only blank lines, some with spaces and tabs", "refuse", "\n\n   \n\t\n\n \r\n\n")
    add(
        "one_utterance.txt",
        "a single short line: an utterance without an answer gives no pair",
        "refuse",
        "Good morning, is anybody there?\n",
    )
    add("bom_only.txt", "a file of nothing but a UTF-8 byte order mark", "refuse", b"\xef\xbb\xbf")
    add(
        "binary_nul.txt",
        "binary data with NUL bytes and a few readable words",
        "refuse",
        bytes(range(32)) * 4
        + b"\x00\x00hello\x00\x00how are you\n\x00\xfe\xff\x00fine\n\x00"
        + bytes(range(255, 0, -3)),
    )
    add(
        "photo_named.txt",
        "the beginning of a PNG image in a file named .txt",
        "refuse",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x02\x00\x00\x00\x90\x91h6\x00",
    )
    add(
        "document.pdf",
        "a PDF document",
        "refuse",
        b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\ntrailer\n"
        b"<< /Root 1 0 R >>\n%%EOF\n",
    )
    add(
        "data.parquet",
        "the magic bytes of a Parquet file round a few bytes",
        "refuse",
        b"PAR1\x15\x04\x15\x1e\x00\x00dialog\x00\x00\x10\x00\x00\x00PAR1",
    )
    add(
        "pickle_named.txt",
        "a Python pickle in a file named .txt, which must not be loaded",
        "refuse",
        b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x05hello\x94\x8c\x0cgood evening\x94e.",
    )

    talks = take(3)
    packed = gzip.compress(paragraphs(talks).encode(), mtime=0)
    add("gzip_named.txt", "a gzip file named .txt; inside plain text in paragraphs", "either", packed, talks)

    talks = take(4)
    packed = gzip.compress(jsonl({"dialog": t} for t in talks).encode(), mtime=0)
    add("dialogs.jsonl.gz", "gzip file of JSON lines with dialog (list of strings)", "either", packed, talks)

    def zipped(parts):
        """Return a zip archive with fixed times."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in parts:
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
        return out.getvalue()

    talks = take(3)
    add(
        "one_text.zip",
        "zip archive with one text file in paragraphs",
        "either",
        zipped([("talks.txt", paragraphs(talks))]),
        talks,
    )

    talks = take(3)
    add(
        "convokit.zip",
        "zip archive of a ConvoKit corpus folder",
        "either",
        zipped([("kitchen-talk/" + n, x) for n, x in convokit_folder(talks).items()]),
        talks,
    )

    add(
        "letter.docx",
        "a word processor document (zip with XML inside): no conversation file",
        "refuse",
        zipped(
            [
                ("[Content_Types].xml", '<?xml version="1.0"?><Types/>'),
                (
                    "word/document.xml",
                    '<?xml version="1.0"?><w:document><w:body><w:p><w:r><w:t>Dear Lou,</w:t></w:r></w:p>'
                    "</w:body></w:document>",
                ),
            ]
        ),
    )

    talks = take(5)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in (
            ("corpus/README", "Five invented conversations.\n"),
            ("corpus/data/train/dialogues_train.txt", "".join(daily_line(t) + "\n" for t in talks)),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    add(
        "nested.tar.gz",
        "tar.gz with corpus/README and corpus/data/train/dialogues_train.txt (DailyDialog lines); "
        "the README holds no utterances",
        "either",
        gzip.compress(out.getvalue(), mtime=0),
        talks,
    )

    add(
        "no_text_folder/",
        "a folder with nothing but an image and an empty file",
        "refuse",
        {"photo.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "notes.txt": b""},
    )
