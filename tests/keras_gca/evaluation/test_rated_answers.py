"""The measures of the first paper's agent on rated answers."""

import json

import numpy as np
import pytest

from glove import cost
from keras_gca import evaluate
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.engine import command_line
from keras_gca.evaluation import human_ratings
from keras_gca.evaluation.human_ratings import Rated
from keras_gca.evaluation.rated_answers import measures, unseen
from tests.factories import gca, ratings


def of(context, response="fine."):
    return Rated(context, response, "s", (1.0, 2.0))


SOME = [of(("hello", "how are you?")), of(("hello there", "are you fine?"), "how are you, tom?")]


@pytest.mark.thorough
def test_measures_are_equations_9_and_10_and_the_likelihood(agent, monkeypatch, capsys):
    monkeypatch.setattr(cost, "LONG", 0)
    found = measures(agent, SOME)
    assert capsys.readouterr().out.startswith("estimate: about 0 minutes")
    for i, one in enumerate(SOME):
        contexts = agent.encode_contexts([one.context])
        [tokens] = agent.tokenise([one.response])
        row = np.array([[1, *agent.vocabulary.encode(tokens), 2]], np.int32)
        outputs = np.exp(agent.judge(contexts, row)[0])
        assert found["D, Eq. 9"][i] == pytest.approx(np.log(np.prod(outputs)), abs=1e-5)
        assert found["D, Eq. 10"][i] == pytest.approx(np.log(np.prod(outputs) ** (1 / len(outputs))), abs=1e-5)
        for name in agent.generators:
            title = name.replace("_", " ")
            perplexity = agent.perplexities(Pairs(contexts, row, np.zeros(1, np.int32)))[name]
            assert found[f"log p(y|x) / tokens, {title}"][i] == pytest.approx(-np.log(perplexity), abs=1e-4)
            assert found[f"log p(y|x), {title}"][i] == pytest.approx(-np.log(perplexity) * len(outputs), abs=1e-3)
    assert len(found) == 2 + 2 * len(agent.generators)


def test_contexts_of_the_corpus_are_left_out(agent):
    seen = agent.encode_contexts([("hello", "how are you?")])
    other = agent.encode_contexts([("fine", "tom?")])
    answer = np.zeros((1, seen.shape[1] + 1), np.int32)

    def dataset(training, held_out):
        pairs = [Pairs(contexts, answer, np.zeros(1, np.int32)) for contexts in (training, held_out)]
        return Dataset(agent.vocabulary, *pairs, [], True)

    assert unseen(agent, dataset(seen, other), SOME) == SOME[1:]
    assert unseen(agent, dataset(other, seen), SOME) == SOME[1:]
    assert unseen(agent, dataset(other, other), SOME) == SOME


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(human_ratings, "RESAMPLES", 50)
    gca.write_run(tmp_path / "run")
    made, _ = ratings.rated(12, 0.5)
    file = ratings.write(tmp_path / "people.jsonl", made)
    arguments = [str(tmp_path / "run"), "--ratings", str(file), "--experiment", str(tmp_path / "a.json")]
    assert command_line.run(evaluate.main, "evaluate", arguments) == 0
    out = capsys.readouterr().out
    assert "people.jsonl: agreement with people's ratings of" in out
    written = json.loads((tmp_path / "run" / "ratings.json").read_text())
    assert written["command"] == f"python -m keras_gca.evaluate {' '.join(arguments)}"
    assert {"D, Eq. 9", "D, Eq. 10", "length", "random numbers"} < set(written["results"]["measures"])
    experiment = json.loads((tmp_path / "a.json").read_text())
    assert experiment["results"] == {arguments[0]: written["results"]}
    assert experiment["tables"] == written["tables"]
    assert command_line.run(evaluate.main, "evaluate", [str(tmp_path / "run"), "--ratings", "none"]) == 2
    assert capsys.readouterr().err == "evaluate: none: no such file or folder\n"
    assert command_line.run(evaluate.main, "evaluate", [*arguments, "--summary", "b.json"]) == 2
    assert capsys.readouterr().err.endswith("leave out --summary\n")
