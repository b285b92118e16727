"""JSON arrays and JSON objects of conversations."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import json

from tests.factories.blind_files.records import add, as_talks, dump, pairs_of, take


def roles(talk, who, what, names):
    """Return a conversation as objects with a speaker key and a text key."""
    return [{who: names[i % len(names)], what: text} for i, text in enumerate(talk)]


def json_arrays():
    """JSON arrays and objects of conversations."""
    talks = take(4)
    add(
        "array_pretty.json",
        "JSON array of conversations, each an array of strings, pretty-printed",
        "read",
        dump(talks, indent=2),
        talks,
    )

    talks = take(4)
    add(
        "array_one_line.json",
        "JSON array of conversations, each an array of strings, on a single line",
        "read",
        dump(talks),
        talks,
    )

    talks = take(4)
    add(
        "array_escaped.json",
        "JSON array of conversations with \\u escapes, which are to be decoded",
        "read",
        json.dumps([["Fancy a crêpe, Zoë?", "Always – with jam, “if you please”."], *talks]) + "\n",
        [["Fancy a crêpe, Zoë?", "Always – with jam, “if you please”."], *talks],
    )

    talks = take(2)
    add(
        "array_of_objects.json",
        "pretty JSON array of conversations, each an array of objects speaker and text; "
        "the speaker is not a part of the utterance",
        "read",
        dump([roles(t, "speaker", "text", ["Ida", "Ben"]) for t in talks], indent=1),
        talks,
    )

    talks = take(2, even=True)
    rows = [
        {"id": "chat_%d" % i, "conversations": roles(t, "from", "value", ["human", "gpt"])} for i, t in enumerate(talks)
    ]
    add(
        "sharegpt.json",
        "ShareGPT: JSON array of objects with id and conversations (from, value)",
        "read",
        dump(rows, indent=1),
        talks,
    )

    talks = as_talks(pairs_of(take(3, even=True)))
    rows = [{"instruction": a, "input": "", "output": b} for a, b in talks]
    rows.append(
        {
            "instruction": "Make this sentence polite.",
            "input": "Give me the salt.",
            "output": "Could you pass me the salt, please?",
        }
    )
    add(
        "alpaca.json",
        "Alpaca: JSON array of instruction, input, output; an empty input adds nothing; for the last "
        "one the context is instruction and input together",
        "read",
        dump(rows, indent=1),
        [*talks, ["Make this sentence polite.\nGive me the salt.", "Could you pass me the salt, please?"]],
    )

    talks = take(3)
    add(
        "object_by_id.json",
        "JSON object from conversation id to an array of utterances; ids are no utterances",
        "either",
        dump({"talk-%d" % (i + 1): talk for i, talk in enumerate(talks)}, indent=2),
        talks,
    )

    talks = take(2)
    add(
        "object_wrapped.json",
        "JSON object with version, licence and a list 'dialogues' of objects with 'turns' "
        "(speaker, text); version and licence are no utterances",
        "read",
        dump(
            {
                "version": "1.2",
                "licence": "free to use",
                "dialogues": [{"id": i, "turns": roles(t, "speaker", "text", ["A", "B"])} for i, t in enumerate(talks)],
            },
            indent=1,
        ),
        talks,
    )

    talks = take(2, even=True)
    add(
        "pretty_objects_in_a_row.json",
        "several pretty-printed JSON objects one after another (neither one array "
        "nor one object a line), each with messages (role, content)",
        "either",
        "".join(dump({"messages": roles(t, "role", "content", ["user", "assistant"])}, indent=1) for t in talks),
        talks,
    )

    nodes, talk, parent = {}, take(1, even=True)[0], "root"
    nodes["root"] = {"id": "root", "message": None, "parent": None, "children": ["n0"]}
    for i, text in enumerate(talk):
        nodes["n%d" % i] = {
            "id": "n%d" % i,
            "parent": parent,
            "children": ["n%d" % (i + 1)] if i + 1 < len(talk) else [],
            "message": {
                "author": {"role": ["user", "assistant"][i % 2]},
                "create_time": 1700000000 + i,
                "content": {"content_type": "text", "parts": [text]},
            },
        }
        parent = "n%d" % i
    add(
        "chatgpt_export.json",
        "ChatGPT export (conversations.json): array with title and mapping, a tree of nodes "
        "with message.content.parts; the title and ids are no utterances",
        "either",
        dump([{"title": "Small talk", "create_time": 1700000000, "mapping": nodes, "current_node": parent}]),
        [talk],
    )

    add(
        "broken.json",
        "JSON array of conversations cut off in the middle (a damaged download)",
        "refuse",
        dump(take(3), indent=1)[:-90],
    )
