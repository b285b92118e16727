"""JSON lines of conversations, pairs and utterances."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.json_files import roles
from tests.factories.blind_files.records import add, as_talks, dump, jsonl, pairs_of, take


def json_lines():
    """JSON lines under several key names."""
    talks = take(6, even=True)
    rows = [{"messages": roles(t, "role", "content", ["user", "assistant"])} for t in talks]
    add(
        "messages.jsonl",
        "JSON lines with messages (role, content), user and assistant in turn",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6, even=True)
    rows = [
        {
            "messages": [
                {"role": "system", "content": "You are a friendly neighbour."},
                *roles(t, "role", "content", ["user", "assistant"]),
            ]
        }
        for t in talks
    ]
    add(
        "openai_finetuning.jsonl",
        "OpenAI fine-tuning: messages with a system message first, which is not an utterance of the conversation",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6, even=True)
    rows = [
        {
            "messages": [
                {"role": ["user", "assistant"][i % 2], "content": [{"type": "text", "text": x}]}
                for i, x in enumerate(t)
            ]
        }
        for t in talks
    ]
    add(
        "messages_parts.jsonl",
        "JSON lines with messages whose content is a list of parts {type: text, text}",
        "either",
        jsonl(rows),
        talks,
    )

    talks = take(6, even=True)
    rows = [{"conversations": roles(t, "from", "value", ["human", "gpt"]), "source": "invented"} for t in talks]
    add(
        "conversations_from_value.jsonl",
        "JSON lines with conversations (from, value) and a source, which is not an utterance",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6)
    rows = [{"dialog": [{"id": i % 2, "text": x} for i, x in enumerate(t)]} for t in talks]
    add("dialog_text.jsonl", "JSON lines with dialog, a list of objects id and text", "read", jsonl(rows), talks)

    talks = take(6)
    rows = [
        {"dialogue_id": "d%d" % n, "turns": roles(t, "speaker", "utterance", ["USER", "SYSTEM"])}
        for n, t in enumerate(talks)
    ]
    add(
        "turns_utterance.jsonl",
        "JSON lines with dialogue_id and turns (speaker, utterance)",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6)
    add(
        "turns_strings.jsonl",
        "JSON lines with turns, a list of strings",
        "read",
        jsonl({"turns": t} for t in talks),
        talks,
    )

    talks = take(6)
    add("bare_arrays.jsonl", "JSON lines, each a bare array of strings: one conversation", "read", jsonl(talks), talks)

    for first, second in (
        ("prompt", "response"),
        ("input", "output"),
        ("question", "answer"),
        ("context", "response"),
        ("prompt", "completion"),
    ):
        talks = as_talks(pairs_of(take(4, even=True)))
        add(
            f"{first}_{second}.jsonl",
            f"JSON lines with {first} and {second}, each line a pair",
            "read",
            jsonl({first: a, second: b} for a, b in talks),
            talks,
        )

    talks = as_talks(pairs_of(take(4, even=True)))
    add(
        "answer_before_question.jsonl",
        "JSON lines with the key answer before the key question: the question is the context all the same",
        "read",
        jsonl({"answer": b, "question": a, "id": 7} for a, b in talks),
        talks,
    )

    talks = as_talks(pairs_of(take(4, even=True)))
    rows = [{"instruction": a, "context": "", "response": b, "category": "open_qa"} for a, b in talks]
    add(
        "dolly.jsonl",
        "Dolly: JSON lines with instruction, context (here empty), response, category; the answer is "
        "response, the category no utterance",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(6, even=True)
    add(
        "ultrachat.jsonl",
        "UltraChat: JSON lines with id and data, a list of strings",
        "either",
        jsonl({"id": str(i), "data": t} for i, t in enumerate(talks)),
        talks,
    )

    talks = take(6, even=True)
    rows = []
    for talk in talks:
        text = "".join("\n\n{}: {}".format(["Human", "Assistant"][i % 2], x) for i, x in enumerate(talk))
        rows.append({"chosen": text, "rejected": text[: text.rindex("\n\n")] + "\n\nAssistant: I do not care."})
    add(
        "hh_rlhf.jsonl",
        "HH-RLHF: JSON lines with chosen and rejected, each a whole conversation with 'Human:' and "
        "'Assistant:' after two line breaks; only chosen counts, tags are no part of an utterance; chosen and "
        "rejected are not context and answer",
        "either",
        jsonl(rows),
        talks,
    )

    talks = take(4)
    rows = [
        {"dialog_id": n, "turn": i, "speaker": "AB"[i % 2], "text": x}
        for n, t in enumerate(talks)
        for i, x in enumerate(t)
    ]
    add(
        "one_utterance_a_line.jsonl",
        "JSON lines with one utterance each: dialog_id, turn, speaker, text; grouped by dialog_id",
        "read",
        jsonl(rows),
        talks,
    )

    talks = take(4)
    text = "\n".join(dump({"turns": t}) for t in talks)
    add(
        "blank_between.jsonl",
        "JSON lines with blank lines between them and CRLF; blank lines mean nothing",
        "read",
        text.replace("\n", "\r\n"),
        talks,
    )

    talks = take(4)
    add(
        "jsonl_named.txt",
        "JSON lines (dialog, list of strings) in a file named .txt; reading the lines as plain "
        "utterances is a misreading",
        "read",
        jsonl({"dialog": t} for t in talks),
        talks,
    )

    def tree(talk, start=0):
        """Return a linear OpenAssistant message tree."""
        node = {
            "message_id": "m%d" % start,
            "text": talk[0],
            "role": ["prompter", "assistant"][start % 2],
            "lang": "en",
            "review_result": True,
            "replies": [],
        }
        if len(talk) > 1:
            node["replies"].append(tree(talk[1:], start + 1))
        return node

    talks = take(6, even=True)
    rows = [
        {"message_tree_id": "t%d" % i, "tree_state": "ready_for_export", "prompt": tree(t)} for i, t in enumerate(talks)
    ]
    add(
        "oasst_trees.jsonl",
        "OpenAssistant message trees: prompt with nested replies (role prompter, assistant), "
        "here each without branches",
        "either",
        jsonl(rows),
        talks,
    )

    talks = take(6, even=True)
    rows = [
        {"message_tree_id": "t%d" % i, "tree_state": "ready_for_export", "prompt": tree(t)} for i, t in enumerate(talks)
    ]
    for row in rows:
        row["prompt"]["replies"].append(
            {"message_id": "x", "role": "assistant", "lang": "en", "replies": [], "text": "Ask me again after lunch."}
        )
    add(
        "oasst_branches.jsonl",
        "OpenAssistant trees where each prompt has a second, shorter reply: paths from the "
        "root (12) or the first path only (6); two replies to the same prompt must not follow each other",
        "either",
        jsonl(rows),
    )

    talks = take(4, even=True)
    rows = [
        {
            "message_id": "t%d-%d" % (n, i),
            "parent_id": "t%d-%d" % (n, i - 1) if i else None,
            "message_tree_id": "t%d-0" % n,
            "text": x,
            "role": ["prompter", "assistant"][i % 2],
            "rank": 0,
        }
        for n, t in enumerate(talks)
        for i, x in enumerate(t)
    ]
    add(
        "oasst_flat.jsonl",
        "OpenAssistant flat messages: message_id, parent_id, message_tree_id, text, role",
        "either",
        jsonl(rows),
        talks,
    )
