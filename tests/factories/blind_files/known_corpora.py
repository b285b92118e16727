"""Published corpora in text formats: DailyDialog and EmpatheticDialogues."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import csv

from tests.factories.blind_files.records import add, joined, jsonl, table, take


def daily_line(talk):
    """Return a conversation as one line of DailyDialog."""
    return " ".join(text + " __eou__" for text in talk)


def daily_dialog():
    """DailyDialog: `__eou__` after each utterance, one conversation per line."""
    talks = take(6)
    add(
        "dailydialog.txt",
        "DailyDialog dialogues_text.txt: one conversation per line, __eou__ after each "
        "utterance; __eou__ is not a part of it, and no empty utterance follows the last one",
        "read",
        "".join(daily_line(talk) + "\n" for talk in talks),
        talks,
    )

    talks = take(6)
    add(
        "dailydialog_tight.txt",
        "DailyDialog lines without spaces round __eou__, none after the last utterance",
        "read",
        "".join("__eou__".join(talk) + "\n" for talk in talks),
        talks,
    )

    talks = take(6)
    rows = [
        [daily_line(t), " ".join("3" if x.endswith("?") else "1" for x in t), " ".join("0" for x in t)] for t in talks
    ]
    add(
        "dailydialog_labels.txt",
        "DailyDialog lines with a tail of two tab-separated columns, acts and emotions "
        "(one digit per utterance); the digits must not become an utterance",
        "read",
        joined(rows),
        talks,
    )

    talks = take(6)
    text = "".join(daily_line(t) + " " + " ".join("2" for x in t) + "\n" for t in talks)
    add(
        "dailydialog_labels_space.txt",
        "DailyDialog lines with the act digits after the last __eou__ and a space; "
        "the digits must not become an utterance",
        "either",
        text,
        talks,
    )

    folder, alltalks = {}, []
    for split, count in (("train", 6), ("validation", 2), ("test", 2)):
        talks = take(count)
        alltalks += talks
        digits = "".join(" ".join("1" for x in talk) + " \n" for talk in talks)
        folder[split + f"/dialogues_{split}.txt"] = "".join(daily_line(talk) + "\n" for talk in talks)
        folder[split + f"/dialogues_act_{split}.txt"] = digits
        folder[split + f"/dialogues_emotion_{split}.txt"] = digits.replace("1", "0")
    folder["readme.txt"] = "Each line of dialogues_*.txt is a conversation.\nActs: inform 1, question 2.\n"
    add(
        "dailydialog_official/",
        "DailyDialog in its folder layout train/, validation/, test/ (6+2+2 "
        "conversations), each with act and emotion digits in files of their own, and a readme; only "
        "dialogues_SPLIT.txt hold utterances; reading train alone (6) on purpose is right too",
        "read",
        folder,
        alltalks,
    )

    talks = take(6)
    text = "".join(daily_line(talk) + "\n" for talk in talks)
    add(
        "dailydialog_top/",
        "DailyDialog's top folder: dialogues_text.txt with dialogues_act.txt, "
        "dialogues_emotion.txt, dialogues_topic.txt; only the first holds utterances",
        "read",
        {
            "dialogues_text.txt": text,
            "dialogues_act.txt": "".join(" ".join("1" for x in talk) + "\n" for talk in talks),
            "dialogues_emotion.txt": "".join(" ".join("0" for x in talk) + "\n" for talk in talks),
            "dialogues_topic.txt": "1\n" * len(talks),
        },
        talks,
    )

    add(
        "dialogues_act.txt",
        "the act labels of DailyDialog alone: digits, no utterance",
        "refuse",
        "3 2 1 1\n2 1 2 1 1\n1 1\n3 4 1 1 2 1\n2 1 1\n1 1 1 1\n",
    )

    talks = take(6)
    rows = [
        {
            "fold": "train",
            "topic": "ordinary_life",
            "dialogue": [{"emotion": "no_emotion", "act": "inform", "text": text} for text in talk],
        }
        for talk in talks
    ]
    add(
        "dailydialog_parlai.jsonl",
        "DailyDialog as JSON lines with fold, topic and dialogue (a list of emotion, "
        "act, text); only text is the utterance",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6)
    rows = [{"dialog": talk, "act": [1] * len(talk), "emotion": [0] * len(talk)} for talk in talks]
    add(
        "dailydialog_hub.jsonl",
        "DailyDialog as JSON lines with dialog (list of strings) and the number lists "
        "act and emotion, which are no utterances",
        "read",
        jsonl(rows),
        talks,
    )


ED_HEAD = ["conv_id", "utterance_idx", "context", "prompt", "speaker_idx", "utterance", "selfeval", "tags"]


def _ed_rows(talks, first=0):
    """Return EmpatheticDialogues rows (with real commas) for `talks`."""
    moods = ["hopeful", "annoyed", "proud", "lonely"]
    rows = []
    for number, talk in enumerate(talks, first):
        for index, text in enumerate(talk, 1):
            rows.append(
                [
                    "hit:%d_conv:%d" % (number // 2, number),
                    index,
                    moods[number % 4],
                    "Once, on a long day, something happened to me.",
                    40 + number * 2 + index % 2,
                    text,
                    "5|5|5_4|5|5",
                    "",
                ]
            )
    return rows


def _ed_official(rows):
    """Return rows as in the official files: no quoting, `_comma_` for each comma in a field."""
    return "".join(",".join(str(cell).replace(",", "_comma_") for cell in row) + "\n" for row in rows)


def empathetic():
    """EmpatheticDialogues: official, and as people re-save it."""
    note = "; only the column utterance holds utterances (not prompt, context or tags), grouped by conv_id"

    talks = take(4, comma=True)
    add(
        "empathetic_official.csv",
        "EmpatheticDialogues with the official columns, unquoted, _comma_ for a comma (to be turned back)" + note,
        "read",
        _ed_official([ED_HEAD, *_ed_rows(talks)]),
        talks,
    )

    talks = take(4, comma=True)
    add(
        "empathetic_bom.csv",
        "EmpatheticDialogues, official columns, with a UTF-8 byte order mark before conv_id and CRLF" + note,
        "read",
        _ed_official([ED_HEAD, *_ed_rows(talks)]).replace("\n", "\r\n"),
        talks,
        encoding="utf-8-sig",
    )

    talks = take(4, comma=True)
    rows = [[str(c).replace(",", "_comma_") for c in row] for row in _ed_rows(talks)]
    add(
        "empathetic_quoted.csv",
        "EmpatheticDialogues re-saved by a spreadsheet: every field in quotes, _comma_ "
        "kept, CRLF; quotes and _comma_ must not stay in the utterance" + note,
        "read",
        table([ED_HEAD, *rows], quoting=csv.QUOTE_ALL, end="\r\n"),
        talks,
    )

    talks = [*take(3, comma=True), ['My boss said "well done" today.', 'He said "well done"? That is rare, enjoy it.']]
    add(
        "empathetic_real_commas.csv",
        "EmpatheticDialogues with real commas, fields with commas or quotes are "
        "quoted by CSV rules (doubled quotes)" + note,
        "read",
        table([ED_HEAD, *_ed_rows(talks)]),
        talks,
    )

    talks = take(4, comma=True)
    rows = [[str(c).replace(",", "_comma_") for c in row] for row in _ed_rows(talks)]
    add(
        "empathetic_semicolons.csv",
        "EmpatheticDialogues re-saved with semicolons between the columns, _comma_ kept (to be turned back)" + note,
        "read",
        table([ED_HEAD, *rows], delimiter=";", end="\r\n"),
        talks,
    )

    talks = take(4, comma=True)
    rows = [[i, *row[:4], "en", *row[4:], "checked"] for i, row in enumerate(_ed_rows(talks))]
    head = ["", *ED_HEAD[:4], "lang", *ED_HEAD[4:], "note"]
    add(
        "empathetic_extra_columns.csv",
        "EmpatheticDialogues with three more columns (unnamed index, lang, note): columns are found by name" + note,
        "read",
        _ed_official([head, *rows]),
        talks,
    )

    talks = take(4, comma=True)
    rows = [[*row, "I am so sorry.|What a day!|Did it rain, too?"] for row in _ed_rows(talks)]
    add(
        "empathetic_candidates.csv",
        "EmpatheticDialogues as in valid and test: rows with a ninth field of "
        "candidates separated by | which the header does not name; candidates are no utterances" + note,
        "read",
        _ed_official([ED_HEAD, *rows]),
        talks,
    )

    talks = take(3, comma=True)
    rows = _ed_rows(talks)
    rows = [rows[0], *rows[:0:-1]]
    add(
        "empathetic_shuffled.csv",
        "EmpatheticDialogues with rows out of order: each conversation is ordered by "
        "utterance_idx; refusing such order is fine, reading in file order is not" + note,
        "either",
        _ed_official([ED_HEAD, *rows]),
        talks,
    )

    alltalks, folder = [], {}
    for split in ("train", "valid", "test"):
        talks = take(2, comma=True)
        folder[split + ".csv"] = _ed_official([ED_HEAD, *_ed_rows(talks, first=len(alltalks))])
        alltalks += talks
    add(
        "empathetic_folder/",
        "EmpatheticDialogues folder with train.csv, valid.csv, test.csv (2 conversations "
        "each); the order of files is free, so first texts are those of train; train alone (2) is right too",
        "read",
        folder,
        alltalks,
    )
