"""The measures of the second paper's agents on rated responses."""

import json

import numpy as np
import pytest

from gail_tf import evaluate
from gail_tf.data.dataset import Data
from gail_tf.data.samples import Samples
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.rated_responses import conversations, measures, relevance
from gail_tf.imitation.maximum_likelihood import Perplexity
from glove import cost
from keras_gca.engine import command_line
from keras_gca.evaluation import human_ratings
from keras_gca.evaluation.human_ratings import Rated
from tests.factories import gail_agents, ratings, small_runs
from tests.factories.encoders import write_encoder

SOME = [
    Rated(("I lost my job.", "Oh no!"), "I was so sad.", "s", (1.0, 2.0)),
    Rated(("My dog is ill.", "Poor dog."), "Yes, he is.", "s", (1.0, 2.0)),
    Rated(("My dog is ill.", "Poor dog."), "Thanks", "t", (1.0, 2.0)),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("changes", "by_d"), [({}, ["D"]), ({"discriminator": "token"}, ["D, Eq. 9", "D, Eq. 10"])])
def test_measures_of_single_responses_do_not_depend_on_the_others(changes, by_d, monkeypatch, capsys):
    monkeypatch.setattr(cost, "LONG", 0)
    agent = gail_agents.of_gpt2(small_runs.config(**changes))
    found = measures(agent, SOME, size=2)
    assert capsys.readouterr().out.startswith("estimate: about 0 minutes")
    assert [name for name in found if name.startswith("D")] == by_d
    for i, one in enumerate(SOME):
        for name, values in measures(agent, [one]).items():
            assert values[0] == pytest.approx(found[name][i], abs=1e-4), name
    samples = Samples.encode(
        agent.tokenizer, [Trajectory((one.context[0],), one.context[1], one.response) for one in SOME], 24, 8, True
    )
    expected = -Perplexity(agent.policies["imitation"]).losses(samples.batch)
    np.testing.assert_allclose(found["log p(y|x), imitation"], expected, rtol=1e-5)
    if "D" in found:
        assert np.ptp(found["D"]) > 1e-3
    else:
        tokens = samples.batch.response_lengths
        np.testing.assert_allclose(found["D, Eq. 10"] * tokens, found["D, Eq. 9"], rtol=1e-5)


@pytest.mark.thorough
def test_rated_texts_are_read_as_training_text_is():
    """DailyDialog has spaces around punctuation marks."""
    agent = gail_agents.of_gpt2(small_runs.config())
    spaced = [Rated(("I lost my job .", "Oh  no !"), "I was so sad .", "s", (1.0, 2.0)), *SOME[1:]]
    found = measures(agent, spaced)
    for name, values in measures(agent, SOME).items():
        np.testing.assert_array_equal(found[name], values)


def test_all_parts_of_the_corpus_are_known():
    one, two, three = (Trajectory((f"a{i}",), f"b{i}", f"c{i}") for i in range(3))
    data = Data((one,), (two,), (three,), (("x", "y"),))
    assert set(conversations(data)) == {("x", "y"), *((f"a{i}", f"b{i}", f"c{i}") for i in range(3))}


def test_relevance_compares_with_the_contexts_of_others():
    vectors = {"I lost my job. Oh no!": [1, 0], "My dog is ill. Poor dog.": [0, 1]}
    vectors |= {"I was so sad.": [1, 0], "Yes, he is.": [0, 1], "Thanks": [1, 0]}
    found = relevance(lambda texts: np.array([vectors[text] for text in texts], float), SOME)
    np.testing.assert_allclose(found, [1, 1, -1])


@pytest.mark.thorough
def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(human_ratings, "RESAMPLES", 50)
    gail_agents.write_run(tmp_path / "run")
    made, _ = ratings.rated(8, 0.5)
    file = ratings.write(tmp_path / "people.jsonl", made)
    encoder = write_encoder(tmp_path / "encoder")
    arguments = [str(tmp_path / "run"), "--ratings", str(file), "--encoder", str(encoder), "--json"]
    assert command_line.run(evaluate.main, "evaluate", arguments) == 0, capsys.readouterr().err
    out, err = capsys.readouterr()
    assert "| beats length" in err
    written = json.loads((tmp_path / "run" / "ratings.json").read_text())
    assert {"D", "length", "relevance", "random numbers", "log p(y|x), imitation"} < set(written["results"]["measures"])
    assert written["seeds"] == {"ratings": 0}
    document = json.loads(out)  # nothing else is on standard output
    assert document["results"] == {arguments[0]: written["results"]}
    assert document["written"] == [f"{arguments[0]}/ratings.json"]
