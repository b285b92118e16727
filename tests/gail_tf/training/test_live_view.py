"""Answering a user who watches a training run does not change the training, and D judges as in the algorithm."""

import numpy as np
import pytest
from scipy.special import expit

from gail_tf.data.samples import Samples
from gail_tf.training.live_view import answer
from tests.factories import small_runs

ASKED = ["I lost my job.", "My cat had kittens!"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "changes", [{}, {"discriminator": "token", "level": "token"}, {"discriminator": "contrastive"}]
)
def test_a_watched_training_learns_the_same_bits(changes):
    settings = small_runs.config(**changes)
    watched, alone = small_runs.training(settings), small_runs.training(settings)
    held_out, data = small_runs.trajectories()[1][:3], settings.data
    encoded = Samples.encode(watched.tokenizer, held_out, data.condition_tokens, data.response_tokens, True)
    read_by_d = [text.strip() for text in encoded.response_texts]  # cut at the limit of tokens
    judged = []
    for event in watched:
        if event.row is not None:
            asked, samples = answer(watched, held_out, None, ASKED)
            assert [exchange.context for exchange in asked] == ASKED
            assert [exchange.human.text for exchange in samples] == read_by_d
            judged.append((event.stage.phase, asked[0].reply.score, samples[0].human.score))
    contrastive = changes.get("discriminator") == "contrastive"
    for phase, of_question, of_sample in judged:
        assert (of_question is None) == (phase == "maximum_likelihood" or contrastive)
        assert (of_sample is None) == (phase == "maximum_likelihood")
    for _ in alone:
        pass
    facts, arrays = watched.state()
    expected_facts, expected = alone.state()
    for made in (facts, expected_facts):
        for row in made["history"]:
            row.pop("tokens_per_second", None)
    assert facts == expected_facts
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.thorough
def test_ds_view_is_its_probability_and_the_replies_are_in_the_order_of_the_questions():
    made = small_runs.training(small_runs.config())
    made.history.append({"phase": "discriminator"})
    held_out = small_runs.trajectories()[1][:2]
    asked, samples = answer(made, held_out, None, ["Yes.", "I am very sad, because my dog has died last night."])
    logits = []
    original = made.judge.judge

    def recorded(given, expert):
        logits.append((given, original(given, expert)))
        return logits[-1][1]

    made.judge.judge = recorded
    again, _ = answer(made, held_out, None, ["Yes.", "I am very sad, because my dog has died last night."])
    assert again == asked
    given, judgement = logits[0]
    by_prompt = {
        spoken[-1]: (text.strip(), logit)
        for (spoken, text), logit in zip(given.exchanges, judgement.given, strict=True)
    }
    for exchange in asked:
        text, logit = by_prompt[exchange.context]
        assert (exchange.reply.text, exchange.reply.tokens) == (text, ())
        assert exchange.reply.score == pytest.approx(expit(logit))
    assert 0 < samples[0].human.score < 1
