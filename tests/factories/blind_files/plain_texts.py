"""Plain text: its line ends and encodings, and lines that only look like markup."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.records import add, paragraphs, take


def plain_text():
    """Plain text with several line ends and encodings, and with lines that only look like markup."""
    talks = take(4)
    add(
        "paragraphs.txt",
        "plain text, one conversation per paragraph, one utterance per line",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = take(1) + take(1)
    talk = [talks[0] + talks[1]]
    add(
        "no_blank_lines.txt",
        "plain text without blank lines: one conversation of all lines",
        "plain",
        paragraphs(talk),
        talk,
    )

    talks = take(3)
    text = "\n\n\n" + "\n \t \n\n".join("\n".join(talk) for talk in talks) + "\n\n\n"
    add(
        "many_blank_lines.txt",
        "plain text; several blank lines, some of spaces and tabs, are one gap; blank "
        "lines at the start and the end hold no conversation",
        "plain",
        text,
        talks,
    )

    talks = take(3)
    add(
        "no_final_newline.txt",
        "plain text whose last line has no line end; the last utterance counts",
        "plain",
        paragraphs(talks).rstrip("\n"),
        talks,
    )

    talks = take(3)
    add(
        "utf8_bom.txt",
        "plain text in UTF-8 with a byte order mark, which is not a part of the first utterance",
        "plain",
        paragraphs(talks),
        talks,
        encoding="utf-8-sig",
    )

    talks = take(3)
    add(
        "crlf.txt",
        "plain text in paragraphs with CRLF line ends; no utterance ends with CR",
        "plain",
        paragraphs(talks, "\r\n"),
        talks,
    )

    talks = take(3)
    add(
        "cr_only.txt",
        "plain text in paragraphs with CR line ends (old Macintosh); not one giant line",
        "plain",
        paragraphs(talks, "\r"),
        talks,
    )

    talks = take(3)
    add(
        "nel.txt",
        "plain text in paragraphs whose line ends are NEL (U+0085, UTF-8) only; splitting there or "
        "refusing is right, one giant utterance is not",
        "either",
        paragraphs(talks, "\u0085"),
        talks,
    )

    talks = [
        ["Is the café on the corner still open?", "Yes, and the crème brûlée is as good as ever."],
        [
            "Do you know Zoë from the third floor?",
            "The one with the naïve little dog? Of course.",
            "She has invited us to her fête on Sunday.",
        ],
    ]
    add(
        "utf16le_bom.txt",
        "plain text in UTF-16 little endian with a byte order mark",
        "either",
        b"\xff\xfe" + paragraphs(talks, "\r\n").encode("utf-16-le"),
        talks,
    )

    talks = take(3)
    add(
        "utf16be_bom.txt",
        "plain text in UTF-16 big endian with a byte order mark",
        "either",
        b"\xfe\xff" + paragraphs(talks).encode("utf-16-be"),
        talks,
    )

    talks = take(2)
    add(
        "utf16le_no_bom.txt",
        "plain text in UTF-16 little endian without a byte order mark: every second byte "
        "is NUL; no utterance may hold NUL",
        "either",
        paragraphs(talks).encode("utf-16-le"),
        talks,
    )

    talks = [
        ["That’s a “bargain”, isn’t it?", "Only €5 – I bought two.", "You always say that…"],
        ["The soufflé fell again.", "Don’t worry, we’ll call it a crêpe."],
    ]
    add(
        "windows1252.txt",
        "plain text in Windows-1252 (curly quotes, euro sign, accents); replacement "
        "characters or control characters in an utterance are a misreading",
        "either",
        paragraphs(talks, "\r\n"),
        talks,
        encoding="cp1252",
    )

    talks = [
        [
            "おはよう、よく眠れましたか。",
            "はい、とてもよく眠れました。",
            "朝ごはんはパンでいいですか。",
            "はい、お願いします。",
        ],
        ["駅まで歩きますか。", "雨なので、バスで行きましょう。"],
    ]
    add(
        "shift_jis.txt",
        "plain Japanese text in Shift-JIS; garbled characters are a misreading",
        "either",
        paragraphs(talks),
        talks,
        encoding="shift_jis",
    )

    talks = [
        [
            "I have one rule: never cook fish on a Monday.",
            "Why not: is the market closed?",
            "Exactly: the boats stay in on Sunday.",
        ],
        ["Listen: somebody is at the door.", "It is only the wind."],
        ["We meet at 8:30, not at 9:15.", "Good, I will set two alarms."],
    ]
    add(
        "colons_in_text.txt",
        "plain text with colons inside the sentences; 'I have one rule:' and 'Listen:' are "
        "no speaker tags and stay in the utterance",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = [
        ["2 coffees and a bun, please.", "That makes 7 altogether.", "3 people told me it was cheaper."],
        ["10 minutes until the doors open.", "1 more song and then I am ready.", "2 more songs, you mean."],
    ]
    add(
        "numbers_in_front.txt",
        "plain text, some lines begin with a number; these are no ParlAI turn counters and stay in the utterance",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = [
        [
            "Red, blue, green, which one do you want?",
            "Blue, or green, or both, I never can decide.",
            "Both, then, wrapped, and with a ribbon, yes?",
        ],
        ["Milk, eggs, flour, what else, tell me?", "Sugar, butter, salt, and a little patience, please."],
    ]
    add(
        "commas_in_text.txt",
        "plain text with many commas; not a CSV table, no utterance is cut at a comma",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = [
        ["[sighs] Not this song again.", "{laughs} You chose it, you know.", "<3 you anyway."],
        ["# is the key I press most.", "* is mine, I write many footnotes.", "> is for the shop assistants."],
    ]
    add(
        "brackets_in_text.txt",
        "plain text, lines begin with [ { < # * >; neither JSON, XML nor Markdown",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = [
        ['"Never again," said my aunt.', 'And what did you say to "never again"?', 'I said "see you tomorrow".'],
        ["'Twas a fine party.", "'Twas indeed."],
    ]
    add(
        "quotes_in_text.txt",
        "plain text with quotation marks at the start, inside and at the end, which all belong to the utterances",
        "plain",
        paragraphs(talks),
        talks,
    )

    talks = take(3)
    add(
        "dash_dialogue.txt",
        "plain text in paragraphs, each utterance after '- '; the dash is best taken away "
        "but keeping it is no misreading",
        "plain",
        paragraphs([["- " + text for text in t] for t in talks]),
        talks,
    )

    talks = take(3)
    add(
        "plain_folder/",
        "folder of three plain text files, one conversation in each, read in name order",
        "plain",
        {"talk%d.txt" % (i + 1): paragraphs([talk]) for i, talk in enumerate(talks)},
        talks,
    )

    talks = take(2)
    add(
        "mixed_folder/",
        "folder with two plain conversations (a.txt, b.txt) beside a Python file, an image and "
        "a hidden file; only the two text files hold utterances",
        "either",
        {
            "a.txt": paragraphs(talks[:1]),
            "b.txt": paragraphs(talks[1:]),
            "tool.py": "import sys\n\n\ndef main():\n    print(sys.argv)\n\n\nmain()\n",
            "photo.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01",
            ".DS_Store": b"\x00\x00\x00\x01Bud1\x00\x00\x10\x00",
        },
        talks,
    )
