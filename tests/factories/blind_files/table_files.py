"""Tables of pairs and tables of utterances, with tabs, commas or semicolons."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import csv

from tests.factories.blind_files.records import add, as_talks, joined, pairs_of, table, take


def tables():
    """Tables of pairs and tables of utterances."""
    pairs = pairs_of(take(6, even=True))
    add(
        "pairs.tsv",
        "tab-separated pairs context and answer, no header: the first row is a pair too",
        "read",
        joined(pairs),
        as_talks(pairs),
    )

    pairs = pairs_of(take(6, even=True))
    add(
        "pairs_header.tsv",
        "tab-separated pairs with the header context, response, which is no pair",
        "read",
        joined([["context", "response"], *pairs]),
        as_talks(pairs),
    )

    pairs = [('"Stop," he said.', 'And did you "stop"?'), ('The 5" nail or the 3" nail?', "The short one.")]
    pairs += pairs_of(take(3, even=True))
    add(
        "pairs_bare_quotes.tsv",
        "tab-separated pairs, no header, unquoted; quotation marks are part of the text and "
        "must neither vanish nor join rows",
        "read",
        joined(pairs),
        as_talks(pairs),
    )

    pairs = pairs_of(take(6, even=True))
    add(
        "pairs_named.txt",
        "tab-separated pairs without header in a file named .txt; each line is two utterances",
        "read",
        joined(pairs),
        as_talks(pairs),
    )

    pairs = pairs_of(take(5, even=True, comma=True))
    add(
        "pairs_no_header.csv",
        "comma-separated pairs without header, all fields quoted; commas in a field do not divide it",
        "read",
        table(pairs, quoting=csv.QUOTE_ALL),
        as_talks(pairs),
    )

    pairs = pairs_of(take(5, even=True, comma=True))
    add(
        "pairs_header.csv",
        "comma-separated pairs with the header question, answer; fields with commas are quoted",
        "read",
        table([["question", "answer"], *pairs]),
        as_talks(pairs),
    )

    pairs = [
        ('Did she really say "no", twice?', 'She said "no, no" and left.'),
        ("Two things.\nFirst, where is my coat?", "On the hook.\n\nSecond?"),
        ("Why, thank you.", "You are welcome,\nany time."),
        *pairs_of(take(2, even=True)),
    ]
    add(
        "pairs_line_breaks.csv",
        "CSV pairs with header, doubled quotes and line breaks inside quoted fields: the breaks do not end the row",
        "read",
        table([["prompt", "response"], *pairs]),
        as_talks(pairs),
    )

    pairs = pairs_of(take(5, even=True))
    rows = [["", "question", "answer"]] + [[i, a, b] for i, (a, b) in enumerate(pairs)]
    add(
        "pairs_index.csv",
        "CSV of question and answer with an unnamed index column in front; the index is not an utterance",
        "read",
        table(rows),
        as_talks(pairs),
    )

    pairs = pairs_of(take(5, even=True))
    rows = [["answer", "topic", "question"]] + [[b, "home", a] for a, b in pairs]
    add(
        "pairs_swapped.csv",
        "CSV with the columns answer, topic, question in this order: the question is the "
        "context, the topic no utterance",
        "read",
        table(rows),
        as_talks(pairs),
    )

    pairs = pairs_of(take(5, even=True))
    add(
        "pairs_semicolon.csv",
        "semicolon-separated pairs with the header Question;Answer, BOM and CRLF",
        "read",
        table([["Question", "Answer"], *pairs], delimiter=";", end="\r\n"),
        as_talks(pairs),
        encoding="utf-8-sig",
    )

    pairs = pairs_of(take(5, even=True))
    add(
        "pairs_pipe.txt",
        "pairs separated by ' | ' with the header context | response",
        "either",
        joined([["context", "response"], *pairs], " | "),
        as_talks(pairs),
    )

    def numbered(talks, order, names, first=1):
        """Return rows of id, turn, speaker, text in the given column order."""
        return [
            [[n, i, names[i % 2], x][k] for k in order] for n, t in enumerate(talks, first) for i, x in enumerate(t, 1)
        ]

    talks = take(4, comma=True)
    add(
        "conversation_speaker_text.csv",
        "CSV table conversation_id, speaker, text; a new id begins a conversation; "
        "speakers are no part of an utterance",
        "read",
        table([["conversation_id", "speaker", "text"], *numbered(talks, (0, 2, 3), ["Ada", "Jon"])]),
        talks,
    )

    talks = take(4)
    add(
        "dialogue_table.tsv",
        "TSV table dialogue_id, turn_id, role, utterance",
        "read",
        joined(
            [["dialogue_id", "turn_id", "role", "utterance"], *numbered(talks, (0, 1, 2, 3), ["customer", "agent"])]
        ),
        talks,
    )

    talks = take(4)
    add(
        "text_first.csv",
        "semicolon table text;speaker;conversation: columns are found by name, not by place",
        "read",
        table([["text", "speaker", "conversation"], *numbered(talks, (3, 2, 0), ["Ada", "Jon"])], ";"),
        talks,
    )

    talks = take(1) + take(1)
    talk = [talks[0] + talks[1]]
    add(
        "speaker_text.csv",
        "CSV table speaker,text without a conversation column: one conversation; the speakers "
        "are not contexts of the texts",
        "either",
        table([["speaker", "text"]] + [[["Ada", "Jon"][i % 2], x] for i, x in enumerate(talk[0])]),
        talk,
    )

    talks = take(5)
    rows = [["id", "turn1", "turn2", "turn3", "label"]] + [[i, *t[:3], "happy"] for i, t in enumerate(talks)]
    add(
        "emocontext.tsv",
        "EmoContext: TSV with id, turn1, turn2, turn3, label; each row a conversation of three; "
        "the label is not an utterance",
        "either",
        joined(rows),
        [t[:3] for t in talks],
    )

    talks = take(5)
    rows = []
    for talk in talks:
        rows.append([1, *talk[:3]])
        rows.append([0, *talk[:2], "Bananas are on the second shelf."])
    add(
        "douban_labels.txt",
        "response selection (Douban, Ubuntu): label TAB utterances TAB response; rows with label "
        "0 have a false answer and are left out; the labels are no utterances",
        "either",
        joined(rows),
        [t[:3] for t in talks],
    )

    talks = take(6)
    rows = [[f"0.0 {t[0]} EOS 1.0 {t[1]}", "1.0 " + t[2]] for t in talks]
    add(
        "dialogpt.tsv",
        "DialoGPT training rows: weighted context turns joined by ' EOS ', TAB, weighted response; "
        "weights (0.0, 1.0) and EOS are no part of an utterance",
        "either",
        joined(rows),
        [t[:3] for t in talks],
    )

    talks = take(2)
    rows = [
        [
            "2008-03-0%dT10:1%d:00.000Z" % (n + 1, i),
            ["penguin7", "lisa"][i % 2],
            "" if i == 0 else ["lisa", "penguin7"][i % 2],
            x,
        ]
        for n, t in enumerate(talks)
        for i, x in enumerate(t)
    ]
    half = len(talks[0])
    add(
        "ubuntu_dialogs/",
        "Ubuntu Dialogue Corpus folder dialogs/N/*.tsv: time, sender, addressee (empty at first), "
        "text, no header; one file is one conversation; only the last column holds utterances",
        "either",
        {"dialogs/4/1.tsv": joined(rows[:half]), "dialogs/4/2.tsv": joined(rows[half:])},
        talks,
    )

    talk = take(1) + take(1)
    talk = [talk[0] + talk[1]]
    rows = [
        ["2009-11-05T18:2%d:00.000Z" % (i % 10), ["torsten", "mint_fan"][i % 2], ["mint_fan", "torsten"][i % 2], x]
        for i, x in enumerate(talk[0])
    ]
    add(
        "ubuntu_dialogue.tsv",
        "one Ubuntu Dialogue Corpus file: time, sender, addressee, text; only the last column holds utterances",
        "either",
        joined(rows),
        talk,
    )

    talks = take(6)
    rows = [["Context", "Utterance", "Label"]]
    for i, talk in enumerate(talks):
        context = f"{talk[0]} __eou__ __eot__ {talk[1]} __eou__ __eot__ "
        rows.append([context, (talk[2] if i % 2 == 0 else "try to plug it in again") + " __eou__", "01"[i % 2 == 0]])
    add(
        "ubuntu_train.csv",
        "Ubuntu corpus v2 train.csv: Context, Utterance, Label with __eou__ and __eot__; rows "
        "with Label 0 have a false answer and are left out",
        "either",
        table(rows),
        [t[:3] for t in talks[::2]],
    )

    talks = take(6)
    rows = [["Context", "Ground Truth Utterance", "Distractor_0", "Distractor_1"]]
    rows += [
        [
            f"{t[0]} __eou__ __eot__ {t[1]} __eou__ __eot__ ",
            t[2] + " __eou__",
            "no idea __eou__",
            "thanks __eou__ bye __eou__",
        ]
        for t in talks
    ]
    add(
        "ubuntu_valid.csv",
        "Ubuntu corpus v2 valid.csv: Context, Ground Truth Utterance, distractors, which are no utterances",
        "either",
        table(rows),
        [t[:3] for t in talks],
    )

    talks = take(3, even=True)
    rows = [["tweet_id", "author_id", "inbound", "created_at", "text", "response_tweet_id", "in_response_to_tweet_id"]]
    number = 10
    for talk in talks:
        for i, x in enumerate(talk):
            last = i == len(talk) - 1
            rows.append(
                [
                    number,
                    ["115712", "ShopHelp"][i % 2],
                    str(i % 2 == 0),
                    "Tue Oct 31 22:1%d:47 +0000 2017" % i,
                    ["@ShopHelp ", "@115712 "][i % 2] + x,
                    "" if last else number + 1,
                    number - 1 if i else "",
                ]
            )
            number += 1
    rows = rows[:1] + rows[:0:-1]
    add(
        "twcs.csv",
        "Customer Support on Twitter: linked by in_response_to_tweet_id, rows newest first; only text is "
        "the utterance; '@name ' in front may stay or go (first texts given without); the order of "
        "conversations is free, first texts are those of tweets 10 and 11",
        "either",
        table(rows),
        talks,
    )
