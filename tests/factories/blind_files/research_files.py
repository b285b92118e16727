"""Corpora of research in JSON, and JSON that holds no conversations."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.records import add, dump, jsonl, take


def research_json():
    """MultiWOZ and other corpora of research in JSON."""
    talks = take(2, even=True)
    data = {
        "SNG%04d.json" % i: {
            "goal": {"message": ["You need a room."], "hotel": {}},
            "log": [{"text": x, "metadata": {}, "dialog_act": {"Hotel-Inform": [["Area", "north"]]}} for x in talk],
        }
        for i, talk in enumerate(talks)
    }
    add(
        "multiwoz_data.json",
        "MultiWOZ 2.0/2.1 data.json: object from dialogue name to goal and log; only log[].text are utterances",
        "either",
        dump(data, indent=None),
        talks,
    )

    talks = take(2, even=True)
    data = [
        {
            "dialogue_id": "PMUL%04d.json" % n,
            "services": ["hotel"],
            "turns": [
                {"frames": [], "speaker": ["USER", "SYSTEM"][i % 2], "turn_id": str(i), "utterance": x}
                for i, x in enumerate(talk)
            ],
        }
        for n, talk in enumerate(talks)
    ]
    add(
        "multiwoz22.json",
        "MultiWOZ 2.2 and Schema-Guided Dialogue: array with dialogue_id, services, turns (speaker, utterance, frames)",
        "either",
        dump(data, indent=1),
        talks,
    )

    talks = take(2)
    data = [
        {
            "conversation_id": "dlg-%d" % n,
            "instruction_id": "pizza-1",
            "utterances": [
                {"index": i, "speaker": ["USER", "ASSISTANT"][i % 2], "text": x, "segments": []}
                for i, x in enumerate(talk)
            ],
        }
        for n, talk in enumerate(talks)
    ]
    add(
        "taskmaster.json",
        "Taskmaster: array with conversation_id, instruction_id, utterances (index, speaker, text)",
        "either",
        dump(data),
        talks,
    )

    talks = take(2)
    data = {
        "t_%d" % n: {
            "article_url": "none",
            "config": "A",
            "content": [
                {"message": x, "agent": "agent_%d" % (1 + i % 2), "sentiment": "Neutral", "knowledge_source": ["FS1"]}
                for i, x in enumerate(talk)
            ],
            "conversation_rating": {"agent_1": "Good"},
        }
        for n, talk in enumerate(talks)
    }
    add(
        "topical_chat.json",
        "Topical-Chat: object from id to content (message, agent, sentiment); only message is the utterance",
        "either",
        dump(data, indent=None),
        talks,
    )

    talks = take(2)
    data = [
        {
            "chosen_topic": "Bees",
            "persona": "i keep bees",
            "wizard_eval": 5,
            "dialog": [
                {
                    "speaker": "%d_%s" % (i % 2, ["Apprentice", "Wizard"][i % 2]),
                    "text": x,
                    "retrieved_topics": ["Honey"],
                }
                for i, x in enumerate(talk)
            ],
        }
        for talk in talks
    ]
    add(
        "wizard_of_wikipedia.json",
        "Wizard of Wikipedia: array with chosen_topic, persona and dialog (speaker, "
        "text); topics and persona are no utterances",
        "either",
        dump(data),
        talks,
    )

    talk = ["Who baked the cake?", "Nina", "What colour was it?", "green", "Did anyone eat it?", "nobody"]
    data = {
        "version": "1.0",
        "data": [
            {
                "source": "invented",
                "id": "s1",
                "story": "Nina baked a green cake. Nobody ate it.",
                "questions": [{"input_text": x, "turn_id": i + 1} for i, x in enumerate(talk[::2])],
                "answers": [{"input_text": x, "span_text": "cake", "turn_id": i + 1} for i, x in enumerate(talk[1::2])],
            }
        ],
    }
    add(
        "coqa.json",
        "CoQA: data with story, questions and answers (input_text, turn_id), which alternate; the story "
        "is not an utterance",
        "either",
        dump(data, indent=1),
        [talk],
    )

    data = {
        "version": "1.1",
        "data": [
            {
                "title": "Tea",
                "paragraphs": [
                    {
                        "context": "Tea is made from leaves. It came to the village in 1870.",
                        "qas": [
                            {
                                "id": "1",
                                "question": "What is tea made from?",
                                "answers": [{"text": "leaves", "answer_start": 17}],
                            },
                            {
                                "id": "2",
                                "question": "When did it come?",
                                "answers": [{"text": "1870", "answer_start": 50}],
                            },
                        ],
                    }
                ],
            }
        ],
    }
    add(
        "squad.json",
        "SQuAD: reading comprehension, paragraphs with questions and answer spans, no conversation; the "
        "key context is a paragraph and not an utterance",
        "refuse",
        dump(data, indent=1),
    )

    rows = [
        {"gold_label": g, "sentence1": a, "sentence2": b, "pairID": str(i)}
        for i, (g, a, b) in enumerate(
            [
                ("entailment", "A boy runs over a field.", "A child is outside."),
                ("contradiction", "A woman sleeps.", "A woman is swimming."),
                ("neutral", "Two dogs play.", "The dogs are brothers."),
                ("entailment", "A man eats an apple.", "Someone eats fruit."),
                ("contradiction", "The street is empty.", "A crowd fills the street."),
                ("neutral", "A girl sings.", "A girl sings at her school."),
            ]
        )
    ]
    add(
        "nli.jsonl",
        "natural language inference (sentence1, sentence2, gold_label): pairs of sentences, but no "
        "contexts and answers",
        "refuse",
        jsonl(rows),
    )

    add(
        "package.json",
        "a package description of a JavaScript project",
        "refuse",
        dump(
            {
                "name": "garden-planner",
                "version": "0.3.1",
                "description": "Plan your garden",
                "main": "index.js",
                "scripts": {"start": "node index.js", "test": "node test.js"},
                "dependencies": {"left-leaf": "^1.2.0"},
            },
            indent=2,
        ),
    )

    add(
        "places.geojson",
        "GeoJSON: places on a map",
        "refuse",
        dump(
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "properties": {"name": "Old mill"},
                        "geometry": {"type": "Point", "coordinates": [7.1, 50.7]},
                    }
                ],
            },
            indent=1,
        ),
    )

    rows = [
        {"time": "2024-01-05T10:00:0%dZ" % i, "level": "info", "event": e, "pid": 411}
        for i, e in enumerate(["start", "listen", "request", "request", "timeout", "request", "stop"])
    ]
    add("events.jsonl", "JSON lines of a server's event log: no conversations", "refuse", jsonl(rows))

    add(
        "notebook.ipynb",
        "Jupyter notebook: JSON with code cells",
        "refuse",
        dump(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "execution_count": 1,
                        "metadata": {},
                        "outputs": [],
                        "source": ["import math\n", "print(math.pi)"],
                    },
                    {"cell_type": "markdown", "metadata": {}, "source": ["# Circles"]},
                ],
                "metadata": {"language_info": {"name": "python"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            },
            indent=1,
        ),
    )
