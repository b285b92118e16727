"""When a simulated conversation ends, by hand; what is measured; the study by seeds."""

import math

import numpy as np
import pytest

from glove.cost import TimeLimit
from keras_gca import evaluate
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.errors import UserError
from keras_gca.evaluation import simulated_conversations, system_studies
from keras_gca.evaluation.provenance import read_experiment
from keras_gca.evaluation.simulated_conversations import ends_of, is_dull, measure, overlap, table
from keras_gca.training.simulation import Simulated
from tests.factories.gca import make_agent, random_pairs

ME, DO, NOT, KNOW, YOU, STOP = range(4, 10)
PHRASES = [[ME, DO, NOT, KNOW]]
WORDS = ["i", "do", "n't", "know", "you", ".", "hello", "fine"]


def conversation(*utterances, begun=1):
    """Make one simulated conversation; the first utterances are human."""
    said = pad_contexts(list(utterances), 6)[None]
    count = len(utterances) - begun
    return Simulated(random_pairs(count), said, count)


def test_words_in_common():
    assert overlap([5, 6, 7], [7, 6, 5]) == 1
    assert overlap([5, 5, 6], [5, 6]) == pytest.approx(2 / 3)
    assert overlap([5], [5, 6, 7, 8]) == 0.25
    assert overlap([], []) == 0
    assert is_dull([YOU, ME, DO, NOT, KNOW, STOP], PHRASES)
    assert not is_dull([ME, DO, KNOW, NOT], PHRASES)


@pytest.mark.parametrize(
    ("utterances", "begun", "expected"),
    [
        ([[10], [11], [12], [13]], 1, (3, "limit")),
        ([[10], [11], [ME, DO, NOT, KNOW], [13]], 1, (1, "dull")),
        ([[ME, DO, NOT, KNOW], [11], [12]], 1, (2, "limit")),  # the message itself ends nothing
        ([[10], [11], [10], [11]], 1, (1, "repeated")),  # the second agent repeats the message
        ([[10], [11], [11], [13]], 1, (3, "limit")),  # an agent may repeat the other one
        ([[10, 11], [12], [10, 11]], 2, (0, "repeated")),  # the first agent spoke before the message
        ([[4, 5, 6, 7, 10], [8], [4, 5, 6, 10, 11]], 1, (2, "limit")),  # 80 percent are not more than 80 percent
        ([[], [8], [9]], 1, (2, "limit")),
    ],
)
def test_the_end_of_a_conversation(utterances, begun, expected):
    assert ends_of(conversation(*utterances, begun=begun), PHRASES) == [expected]


def dataset(agent):
    answers = frame_answers([[10, 11], [10, 11], [5, 6]], 8)
    pairs = Pairs(pad_contexts([[10], [10, 5], [11]], 8), answers, np.arange(3, dtype=np.int32))
    return Dataset(agent.vocabulary, pairs, pairs, [], True)


@pytest.mark.thorough
def test_generators_are_measured_with_their_greedy_answers(monkeypatch):
    agent = make_agent(WORDS, context_utterances=1)
    plain, decoding = agent.decode, []

    def decode(name, contexts, how):
        decoding.append(how)
        made = plain(name, contexts, how)
        if name == "teacher_forcing":
            return made._replace(answers=frame_answers([[10, ME, DO, NOT, KNOW]] * len(contexts), 8))
        return made._replace(answers=frame_answers([[len(decoding) % 3 + 9]] * len(contexts), 8))

    monkeypatch.setattr(agent, "decode", decode)
    found = measure(agent, dataset(agent))
    dull, other, human = (found["systems"][name] for name in ("teacher_forcing", "adversarial", "human"))
    assert (dull["turns"], dull["dull"]) == (0, 1)
    assert dull["distinct-1"] == pytest.approx(5 / 15)
    assert dull["perplexity"] == agent.perplexities(dataset(agent).held_out)["teacher_forcing"]
    assert (other["turns"], other["limit"]) == (7, 1)
    assert human["distinct-1"] == pytest.approx(4 / 6)
    assert "perplexity" not in human
    assert "teacher forcing" in table({"run": found}).to_text()
    with pytest.raises(UserError, match="every dull response contains a word"):
        measure(make_agent(["hello", "there"]), dataset(agent))


def test_the_command_writes_what_was_measured(tmp_path, monkeypatch, said):
    both = "run", "--personas", "--simulated-conversations"
    assert "--personas and --simulated-conversations are separate measurements" in said(
        evaluate.main, "evaluate", *both
    )
    (tmp_path / "run").mkdir()
    asked = []
    systems = {"teacher_forcing": {"turns": 2.5, "distinct-1": 0.25}}

    def evaluated(run, seed):
        asked.append((run, seed))
        return {"messages": 3, "systems": systems}

    monkeypatch.setattr(simulated_conversations, "evaluate_conversations", evaluated)
    assert evaluate.main([str(tmp_path / "run"), "--simulated-conversations", "--seed", "4"]) == 0
    assert asked == [(tmp_path / "run", 4)]
    written = read_experiment(tmp_path / "run" / simulated_conversations.FILE)
    assert (written["results"]["systems"], written["seeds"]) == (systems, {"evaluation": 4})


def test_the_study_compares_a_run_with_its_start(tmp_path, monkeypatch):
    folders = {
        name: [tmp_path / name / f"seed_{seed}" for seed in range(2)] for name in ("backward", "dialogue_rewards")
    }
    for run in [run for runs in folders.values() for run in runs]:
        run.mkdir(parents=True)
        (run / "bot.h5").touch()
    asked = []

    def evaluated(run):
        asked.append(run)
        base = dict.fromkeys(("dull", "repeated", "limit", *system_studies.TESTED), 0.5)
        start = base | {"turns": 2.0 + int(run.name[-1]), "perplexity": 10.0}
        human = {"distinct-1": 0.9}
        return {
            "messages": 3,
            "systems": {"teacher_forcing": start, "adversarial": start | {"turns": 4.0}, "human": human},
        }

    monkeypatch.setattr(simulated_conversations, "evaluate_conversations", evaluated)
    tables, facts = system_studies.of_conversations(folders, TimeLimit())
    assert asked == folders["dialogue_rewards"]
    turns = next(test for test in facts["tests"] if test["figure"] == "turns")
    assert turns["systems"] == ["dialogue_rewards, teacher_forcing", "dialogue_rewards, adversarial"]
    assert turns["difference"] == pytest.approx(np.mean([2 - 4, 3 - 4]))
    perplexity = next(test for test in facts["tests"] if test["figure"] == "log perplexity")
    assert math.isclose(perplexity["difference"], 0)
    assert "2.5" in tables[0].to_text()
    assert system_studies.of_conversations(folders, TimeLimit(0)) is None
