"""Joins held-out conversations by hand, and compares contexts and perplexities with the agent's own methods."""

import numpy as np
import pytest

from keras_gca import evaluate
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import make_pairs
from keras_gca.errors import UserError
from keras_gca.evaluation import subject_changes
from tests.factories.gca import make_agent, write_run
from tests.keras_gca.models.test_context_changes import detecting_agent

CONVERSATIONS = [[["hello"], ["there"], ["tom", "tom"], ["fine"]], [["how", "are", "you"], ["fine"]]]


def of(agent):
    pairs = make_pairs(CONVERSATIONS, agent.vocabulary, agent.config.context_utterances, agent.config.sentence_length)
    return Dataset(agent.vocabulary, pairs, pairs, [], True)


def test_the_utterances_of_conversations_are_recovered_from_their_pairs():
    agent = make_agent()
    found = subject_changes.conversations_of(of(agent).held_out, len(agent.vocabulary))
    words = [[agent.vocabulary.decode(utterance) for utterance in conversation] for conversation in found]
    assert words == CONVERSATIONS


@pytest.mark.thorough
def test_contexts_reach_back_over_the_joint_and_perplexities_are_those_of_the_agent():
    agent = make_agent(context_utterances=2)
    figures = subject_changes.measure(agent, of(agent))
    assert figures["pairs"] == {"1 utterance": 2, "2 utterances": 1, "3+ utterances": 1}
    assert "detector" not in figures
    # With N_u = 2, only the context of the first answer reaches back into the other conversation.
    of_joined = [["fine", "hello"], ["fine", "how are you"]]
    of_alone = [["hello"], ["how are you"]]
    answers = ["there", "fine"]
    for name, by_kind in figures["perplexity"].items():
        for kind, histories in (("joined", of_joined), ("alone", of_alone)):
            rows = subject_changes.frame_answers(
                [agent.vocabulary.encode([answer]) for answer in answers], agent.longest
            )
            pairs = subject_changes.Pairs(agent.encode_contexts(histories), rows, np.arange(2))
            logs = agent.token_log_probabilities(pairs, name)
            np.testing.assert_allclose(by_kind[kind]["1 utterance"], np.exp(-np.nanmean(logs)), rtol=1e-5)
        for distance in ("2 utterances", "3+ utterances"):
            np.testing.assert_allclose(by_kind["joined"][distance], by_kind["alone"][distance], rtol=1e-5)
        assert by_kind["joined"]["1 utterance"] != by_kind["alone"]["1 utterance"]
    rows = subject_changes.table({"run": figures}).to_text()
    assert rows.count("joined") == rows.count("alone") == len(agent.generators)


@pytest.mark.thorough
def test_a_detector_is_measured_at_joints_and_elsewhere():
    agent = detecting_agent()
    figures = subject_changes.measure(agent, of(make_agent()))
    # By `of_first_words`: fine|how, fine|hello; hello there|tom|fine and how are you|fine
    seen = agent.detector.probabilities
    utterances = [[agent.vocabulary.encode(utterance) for utterance in words] for words in CONVERSATIONS]
    joints = seen([utterances[0][-1], utterances[1][-1]], [utterances[1][0], utterances[0][0]], 8)
    inside = seen([*utterances[0][:-1], utterances[1][0]], [*utterances[0][1:], utterances[1][1]], 8)
    assert figures["detector"] == {"joints": np.mean(joints > 0.5), "elsewhere": np.mean(inside > 0.5)}
    assert figures["detector"]["elsewhere"] > 0


def test_runs_without_conversations_to_join_are_one_clear_line(tmp_path):
    agent = make_agent()
    pairs = make_pairs(CONVERSATIONS[:1], agent.vocabulary, 2, agent.longest)
    with pytest.raises(UserError, match="1 conversation is held out; at least 2 are needed"):
        subject_changes.measure(agent, Dataset(agent.vocabulary, pairs, pairs, [], True))
    options = [str(tmp_path), "--subject-changes", "--ratings", __file__]
    with pytest.raises(UserError, match="--ratings and --subject-changes are separate measurements; give only one"):
        evaluate.main(options)


@pytest.mark.thorough
def test_the_command_writes_the_results(tmp_path, capsys):
    write_run(tmp_path / "run")
    assert evaluate.main([str(tmp_path / "run"), "--subject-changes"]) == 0
    assert "change seen" in capsys.readouterr().out
    assert (tmp_path / "run" / subject_changes.FILE).exists()
