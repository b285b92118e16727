"""Corpora whose utterances are linked by identifiers: ConvoKit and the Cornell movie dialogues."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.records import add, dump, jsonl, take


def _convokit_rows(talks, old=False, back=False):
    """Return ConvoKit utterance objects; `old` uses the earlier key names, `back` reverses the file order."""
    rows = []
    for number, talk in enumerate(talks):
        for i, text in enumerate(talk):
            row = {"id": "u%d_%d" % (number, i), "text": text}
            row["root" if old else "conversation_id"] = "u%d_0" % number
            row["user" if old else "speaker"] = ["mara", "felix"][i % 2]
            row["reply_to" if old else "reply-to"] = "u%d_%d" % (number, i - 1) if i else None
            row["timestamp"] = 1000 + number * 100 + i
            row["meta"] = {"score": 3}
            rows.append(row)
    if back:
        rows.reverse()
    return rows


def convokit_folder(talks):
    """Return the files of a ConvoKit corpus folder."""
    ids = {"u%d_0" % i: {"meta": {"title": "talk"}, "vectors": []} for i in range(len(talks))}
    return {
        "utterances.jsonl": jsonl(_convokit_rows(talks)),
        "speakers.json": dump({"mara": {"meta": {}, "vectors": []}, "felix": {"meta": {}, "vectors": []}}),
        "conversations.json": dump(ids),
        "corpus.json": dump({"name": "kitchen-talk"}),
        "index.json": dump({"utterances-index": {}, "version": 1, "vectors": []}),
    }


CORNELL = " +++$+++ "


def _cornell(talks):
    """Return the texts of movie_lines.txt (in reverse, as published) and movie_conversations.txt."""
    lines, conversations, number = [], [], 100
    for talk in talks:
        ids = []
        for i, text in enumerate(talk):
            ids.append("L%d" % number)
            lines.append(CORNELL.join([ids[-1], "u%d" % (i % 2), "m0", ["MARTHA", "JOE"][i % 2], text]))
            number += 1
        number += 7
        conversations.append(CORNELL.join(["u0", "u1", "m0", str(ids)]))
    return "\n".join(reversed(lines)) + "\n", "\n".join(conversations) + "\n"


def convokit_and_cornell():
    """ConvoKit corpora and the Cornell movie dialogues."""
    talks = take(4)
    add(
        "convokit_utterances.jsonl",
        "ConvoKit utterances.jsonl (id, conversation_id, text, speaker, reply-to, "
        "timestamp, meta); grouped by conversation_id; only text is the utterance",
        "read",
        jsonl(_convokit_rows(talks)),
        talks,
    )

    talks = take(4)
    add(
        "convokit_old_keys.jsonl",
        "ConvoKit utterances.jsonl with the earlier keys root, user, reply_to",
        "either",
        jsonl(_convokit_rows(talks, old=True)),
        talks,
    )

    talks = take(3)
    add(
        "convokit_reversed.jsonl",
        "ConvoKit utterances.jsonl with answers before what they answer (as in its movie "
        "corpus): order by reply-to; file order is a misreading; the order of conversations is free, first texts "
        "are those of u0_0",
        "either",
        jsonl(_convokit_rows(talks, back=True)),
        talks,
    )

    talks = take(4)
    add(
        "convokit_folder/",
        "ConvoKit corpus folder: utterances.jsonl with speakers.json, conversations.json, "
        "corpus.json, index.json; only the first holds utterances",
        "read",
        convokit_folder(talks),
        talks,
    )

    titles = "m0 +++$+++ a quiet café +++$+++ 1998 +++$+++ 6.40 +++$+++ 1203 +++$+++ ['comedy']\n"
    people = "u0 +++$+++ MARTHA +++$+++ m0 +++$+++ a quiet café +++$+++ f +++$+++ 1\n"
    talks = [["You call this a café, Joe?", "It has crème and it has sugar, what more do you want?"], *take(3)]
    lines, conversations = _cornell(talks)
    what = (
        "Cornell movie dialogues folder in %s, columns separated by ' +++$+++ ': conversations list line ids, "
        "movie_lines.txt is in reverse order; ids, names and titles are no utterances"
    )
    for name, label, encoding in (("cornell_latin1/", "ISO-8859-1", "latin-1"), ("cornell_utf8/", "UTF-8", "utf-8")):
        add(
            name,
            what % label,
            "read",
            {
                "movie_lines.txt": lines,
                "movie_conversations.txt": conversations,
                "movie_titles_metadata.txt": titles,
                "movie_characters_metadata.txt": people,
                "README.txt": "Lines and conversations of invented films.\nFields are separated by +++$+++\n",
            },
            talks,
            encoding=encoding,
        )

    lines, conversations = _cornell(take(3))
    add(
        "movie_lines_alone.txt",
        "Cornell movie_lines.txt without movie_conversations.txt, reversed: which lines belong together is not said",
        "refuse",
        lines,
    )
    add(
        "movie_conversations_alone.txt",
        "Cornell movie_conversations.txt without the lines: only ids, no texts",
        "refuse",
        conversations,
    )
