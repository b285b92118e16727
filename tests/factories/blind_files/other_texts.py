"""Text files that hold no conversations: settings, programs, letters and the like."""

from tests.factories.blind_files.records import add, joined


def other_texts():
    """Settings, programs, letters and other text that holds no conversations."""

    def refuse(name, what, text, encoding="utf-8"):
        """Register a file that should be refused."""
        add(name, what, "refuse", text, encoding=encoding)

    refuse(
        "feed.xml",
        "XML of a news feed",
        """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0">
  <channel>
    <title>Village news</title>
    <link>https://example.org/</link>
    <item>
      <title>New bench by the pond</title>
      <pubDate>Mon, 06 Mar 2023 10:00:00 GMT</pubDate>
      <description>The council has put up a bench.</description>
    </item>
  </channel>
</rss>
""",
    )
    refuse(
        "workflow.yaml",
        "YAML settings; 'key: value' is no speaker and utterance",
        """name: build
on: push
jobs:
  test:
    runs-on: linux
    steps:
      - name: Get the sources
        uses: checkout
      - name: Test
        run: make test
""",
    )
    refuse(
        "settings.toml",
        "TOML settings",
        """[package]
name = "pond"
version = "0.4.2"
authors = ["Nobody <nobody@example.org>"]

[dependencies]
water = "1.0"
ducks = { version = "2", features = ["umbrella"] }
""",
    )
    refuse(
        "settings.ini",
        "INI file with 'key: value' lines under [sections]; keys are no speakers",
        """[display]
width: 1280
height: 800
theme: dark

[sound]
volume: 70
device: headphones

[paths]
home: /srv/garden
""",
    )
    refuse(
        "key_value.txt",
        "'key: value' settings without sections in a file named .txt; each key occurs once, so keys are no speakers",
        """Model: Kettle 3000
Voltage: 230
Colour: steel
Weight: 1.2 kg
Warranty: 24 months
Country: Portugal
Manual: yes
""",
    )
    refuse(
        "page.html",
        "HTML page of a bakery; tags and navigation are no utterances",
        """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The corner bakery</title>
<style>body { font-family: serif; }</style>
</head>
<body>
<nav><a href="/">Home</a> <a href="/bread">Bread</a></nav>
<h1>Fresh every morning</h1>
<p>We bake from four o'clock &amp; open at six.</p>
<script>console.log("hello");</script>
</body>
</html>
""",
    )
    refuse(
        "readme.md",
        "Markdown description of a tool",
        """# Pond

A small tool that counts ducks.

## Install

```sh
make install
```

## Use

- `pond count` counts them
- `pond list` lists them

See [the manual](manual.md) for more.
""",
    )
    refuse(
        "paper.tex",
        "LaTeX source",
        r"""\documentclass{article}
\usepackage{graphicx}
\begin{document}
\title{On the Weight of Ducks}
\maketitle
\section{Introduction}
Ducks differ in weight~\cite{duck}. We weigh them, see Figure~\ref{fig:scale}.
\begin{equation}
  w = m \cdot g
\end{equation}
\end{document}
""",
    )
    code = """import sys


def count(path):
    \"\"\"Return the number of ducks in a file.\"\"\"
    total = 0
    with open(path) as handle:
        for line in handle:
            if "duck" in line:
                total += 1
    return total


if __name__ == "__main__":
    print(count(sys.argv[1]))
"""
    refuse("ducks.py", "Python source code", code)
    refuse("code_named.txt", "Python source code in a file named .txt", code.replace("duck", "swan"))
    refuse(
        "server.log",
        "log file of a server; times and levels, no conversation",
        """2024-01-05 10:00:01,201 INFO server: starting
2024-01-05 10:00:01,380 INFO server: listening on port 8080
2024-01-05 10:00:07,002 WARNING pool: 3 workers busy
2024-01-05 10:00:09,541 ERROR handler: timeout after 2.0 s
2024-01-05 10:00:09,542 INFO handler: retrying
2024-01-05 10:00:12,077 INFO server: request done in 0.3 s
2024-01-05 10:01:00,000 INFO server: stopping
""",
    )
    refuse(
        "treebank.mrg",
        "Penn-Treebank-like parse trees",
        """
( (S
    (NP-SBJ (DT The) (NN baker) )
    (VP (VBD opened)
      (NP (DT the) (NN shop) )
      (PP-TMP (IN at) (NP (CD six) )))
    (. .) ))
( (SQ (VBZ Is)
    (NP-SBJ (PRP it) )
    (ADJP-PRD (JJ fresh) )
    (. ?) ))
""",
    )
    refuse(
        "tokens.conllu",
        "CoNLL-U columns of a treebank",
        "# sent_id = 1\n# text = The duck sleeps.\n"
        + joined(
            [
                [1, "The", "the", "DET", "DT", "_", 2, "det", "_", "_"],
                [2, "duck", "duck", "NOUN", "NN", "_", 3, "nsubj", "_", "_"],
                [3, "sleeps", "sleep", "VERB", "VBZ", "_", 0, "root", "_", "SpaceAfter=No"],
                [4, ".", ".", "PUNCT", ".", "_", 3, "punct", "_", "_"],
            ]
        )
        + "\n# sent_id = 2\n# text = Wake it!\n"
        + joined(
            [
                [1, "Wake", "wake", "VERB", "VB", "_", 0, "root", "_", "_"],
                [2, "it", "it", "PRON", "PRP", "_", 1, "obj", "_", "SpaceAfter=No"],
                [3, "!", "!", "PUNCT", ".", "_", 1, "punct", "_", "_"],
            ]
        ),
    )
    refuse(
        "entities.conll",
        "CoNLL-2003-like columns: one word per line with its tags",
        """-DOCSTART- -X- O O

Nora NNP B-NP B-PER
lives VBZ B-VP O
in IN B-PP O
Oldbridge NNP B-NP B-LOC
. . O O

She PRP B-NP O
sings VBZ B-VP O
. . O O
""",
    )
    refuse(
        "dump.sql",
        "SQL dump",
        """CREATE TABLE duck (id INTEGER PRIMARY KEY, name TEXT, weight REAL);
INSERT INTO duck VALUES (1, 'Emma', 1.2);
INSERT INTO duck VALUES (2, 'Karl', 1.4);
INSERT INTO duck VALUES (3, 'Bo', 0.9);
CREATE INDEX by_name ON duck (name);
COMMIT;
""",
    )
    refuse(
        "letter.rtf",
        "RTF document",
        r"""{\rtf1\ansi\deff0
{\fonttbl{\f0 Times New Roman;}}
\f0\fs24 Dear neighbour,\par
\par
thank you for the \b ladder\b0 .\par
Yours, Kim\par
}
""",
    )
    refuse(
        "mail.eml",
        "an e-mail with headers; 'From:' and 'Subject:' are no speakers",
        """From: Kim <kim@example.org>
To: Lou <lou@example.org>
Subject: The ladder
Date: Mon, 06 Mar 2023 10:00:00 +0000
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Dear Lou,

thank you for the ladder. I will bring it back on Friday.

Kim
""",
    )
    refuse(
        "change.diff",
        "a patch",
        """--- a/ducks.py
+++ b/ducks.py
@@ -1,4 +1,4 @@
 import sys
-total = 0
+total = 1
 print(total)
""",
    )
    refuse(
        "event.ics",
        "iCalendar file",
        """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1@example.org
DTSTART:20230306T100000Z
SUMMARY:Choir
END:VEVENT
END:VCALENDAR
""",
    )
    refuse(
        "sources.bib",
        "BibTeX file",
        """@article{duck,
  author = {Nobody, Nora},
  title = {On Ducks},
  year = {2001},
}
@book{pond,
  author = {Somebody, Sam},
  title = {Ponds},
}
""",
    )
    refuse(
        "rasa_nlu.yml",
        "Rasa training examples: intents with single user sentences, no answers",
        """version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello there
    - good morning
- intent: order_bread
  examples: |
    - one dark loaf please
    - two rolls
""",
    )
