"""The model card has the expected contents, and the Hub's own library can read it."""

import json

import pytest
from huggingface_hub import ModelCard

from keras_gca.sharing.card import Card, facts_of
from keras_gca.sharing.hub import CARD

SOURCE = {"data": "/home/ann/private/diary.txt", "model": "owner/small", "glove": None}


def card(**changes):
    values = {
        "title": "A bot", "library": "keras", "summary": "It replies.", "usage": "reply()", "files": {"bot.h5": "it"},
        "source": SOURCE, "embedded": "the embedded corpus", "settings": {"seed": 7, "padding": "masked", "rate": 0.1},
        "metrics": {"perplexity": {"adversarial": 48.55071}, "words": ["a", "b"], "vectors": "own",
                    "test": {"bleu": [0.25, 0.1, 0.4], "dist": [1.0, None, None]}},
    }  # fmt: skip
    return Card(**(values | changes))


def test_it_says_data_seed_settings_metrics_limits_and_that_the_check_is_missing(tmp_path):
    card().write(tmp_path)
    read = ModelCard.load(tmp_path / CARD)
    assert read.data.to_dict() == {
        "language": "en",
        "library_name": "keras",
        "pipeline_tag": "text-generation",
        "tags": ["conversational", "dialogue"],
    }
    for line in (
        "# A bot",
        "| data | diary.txt |",
        "| model | owner/small |",
        "Seed 7. All settings:",
        "| padding | masked |",
        "| rate | 0.1 |",
        "| perplexity, adversarial | 48.55 |",
        "| test, bleu | 0.25 [0.1, 0.4] |",
        "| test, dist | 1 |",
    ):
        assert line in read.text.splitlines()
    assert "**The crisis check is not part of this model.**" in read.text
    assert "Do not use it for advice or in an emergency." in read.text
    assert "- The metrics above were measured on held-out conversations" in read.text
    assert "ann" not in read.text.replace("cannot", "")


def test_what_is_not_known_is_said():
    text = card(source=None, metrics={}).text()
    assert "Unknown: the model was exported from a bot file" in text
    assert "The run was not evaluated before the export." in text
    assert "metrics above" not in text
    assert "| data | the embedded corpus |" in card(source={"data": [], "tweets": []}).text()


def test_the_facts_of_a_run(tmp_path):
    assert facts_of(tmp_path / "bot.h5") == (None, {})
    (tmp_path / "config.json").write_text(json.dumps({"source": {"data": "x"}, "config": {}}))
    assert facts_of(tmp_path) == ({"data": "x"}, {})
    (tmp_path / "evaluation.json").write_text('{"tokens": 5}')
    assert facts_of(tmp_path) == ({"data": "x"}, {"tokens": 5})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("from /home/ann/my diary/tokens", "from tokens"),
        ("from ~/diary/tokens/", "from tokens"),
        ("from ../ann/tokens", "from tokens"),
        (r"from C:\Users\ann\tokens", "from tokens"),
        (r"\\server\ann\tokens", "tokens"),
        ("file:///home/ann/tokens", "tokens"),
        (["/home/ann/one.txt", "ann.txt"], "one.txt, ann.txt"),
        ({"/home/ann/one.txt": 3}, "one.txt: 3"),
        ("runs/first/tokens", "runs/first/tokens"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("yes/no", "yes/no"),
    ],
)
def test_only_the_last_part_of_a_path_outside_the_working_folder_is_shown(value, shown):
    assert f"| vocabulary | {shown} |" in card(source={"data": "a", "vocabulary": value}).text()
    assert f"| layout | {shown} |" in card(settings={"seed": 7, "layout": value}).text()
