import numpy as np
import pytest

from keras_gca.agent import Agent, Decoding
from keras_gca.data.pairs import Pairs, backward, frame_answers, pad_contexts, unconditional
from keras_gca.data.vocabulary import PAD
from keras_gca.evaluation import reranking
from tests.oracles.equations import Equations

NAN = np.nan


def test_pairs_the_other_way_round_and_alone():
    pairs = Pairs(pad_contexts([[7, 8, 9], []], 4), frame_answers([[5, 6], [4, 5, 6, 7, 8]], 4), np.array([0, 3]))
    assert pairs.answers.tolist() == [[1, 5, 6, 2, 0], [1, 4, 5, 6, 7]]
    turned = backward(pairs)
    assert turned.contexts.tolist() == [[0, 0, 5, 6], [4, 5, 6, 7]]
    assert turned.answers.tolist() == [[1, 7, 8, 9, 2], [1, 2, 0, 0, 0]]
    assert turned.conversation.tolist() == [0, 3]
    alone = unconditional(pairs)
    assert not alone.contexts.any()
    assert alone.answers is pairs.answers


CHOICES = {
    "forward": np.log([[0.4, 0.1]]),
    "backward": np.log([[0.01, 0.3]]),
    "alone": np.log([[[0.5, 0.8, NAN], [0.1, 0.2, 0.5]]]),
}


def test_both_forms_by_hand():
    found = reranking.anti_language_model(CHOICES, 0.5, words=2, length_bonus=0.0)
    np.testing.assert_allclose(np.exp(found), [[0.4 / 0.4**0.5, 0.1 / 0.02**0.5]])
    found = reranking.anti_language_model(CHOICES, 1.0, words=1, length_bonus=1.0)
    np.testing.assert_allclose(found, [[np.log(0.4 / 0.5) + 2, np.log(0.1 / 0.1) + 3]])
    found = reranking.bidirectional(CHOICES, 0.25, length_bonus=0.5)
    np.testing.assert_allclose(
        found, [[0.75 * np.log(0.4) + 0.25 * np.log(0.01) + 1, 0.75 * np.log(0.1) + 0.25 * np.log(0.3) + 1.5]]
    )


def test_lambda_0_ranks_by_the_likelihood_and_gamma_alone():
    choices = CHOICES | {"answers": np.array([[[1, 5, 2, 0], [1, 6, 7, 2]]])}
    for bonus, best in ((0.0, [1, 5, 2, 0]), (2.0, [1, 6, 7, 2])):  # log 0.4 + 2 gamma, and log 0.1 + 3 gamma
        found = reranking.choose(choices, 0.0, 5, bonus)
        assert {name: answers.tolist() for name, answers in found.items()} == {"likelihood, lambda 0": [best]}
    assert list(reranking.choose(choices, 0.5, 5, 0.0)) == [
        "anti-language model, lambda 0.5",
        "bidirectional, lambda 0.5",
    ]


def test_gamma_is_the_one_of_the_highest_bleu(agent):
    """The long answers are the human ones. The likelihoods are 0.4 (3 tokens) and 0.1 (6 tokens)."""
    pairs = Pairs(pad_contexts([[4]] * 2, 8), frame_answers([[4, 5, 6, 7, 8]] * 2, 8), np.arange(2, dtype=np.int32))
    alone = np.full((2, 2, 8), NAN)
    alone[:, 0, :3] = alone[:, 1, :6] = 0.0  # log 1
    choices = {
        "answers": np.stack([frame_answers([[9, 10]] * 2, 8), pairs.answers], axis=1),
        "forward": np.log([[0.4, 0.1]] * 2),
        "backward": np.zeros((2, 2)),
        "alone": alone,
    }
    bonuses = reranking.best_bonuses(agent, choices, pairs, (0.0, 0.5), 5)
    assert bonuses == {
        "likelihood, lambda 0": 0.5,  # above log(4) / 3 = 0.46
        "anti-language model, lambda 0.5": 0.5,
        "bidirectional, lambda 0.5": 0.25,  # above half of it
    }
    figures = reranking.measure(agent, choices, pairs, (0.0, 0.5), 5, bonuses)
    assert figures["bidirectional, lambda 0.5"]["gamma"] == 0.25
    assert figures["likelihood, lambda 0"]["BLEU"] == pytest.approx(100)
    assert "gamma" not in figures["beam search"]
    header, beam = (reranking.table(figures).header, reranking.table(figures).rows[1])
    assert dict(zip(header, beam, strict=True))["gamma"] is None


@pytest.mark.thorough
def test_candidates_carry_the_probabilities_of_all_three_networks(agent):
    pairs = Pairs(
        pad_contexts([[4, 5], [6], [7, 8, 9]], 8), frame_answers([[4], [5, 6], [7]], 8), np.arange(3, dtype=np.int32)
    )
    networks = dict(agent.weights)
    language_model = Agent(agent.config, agent.vocabulary, {"a": networks["adversarial"]}, agent.discriminator)
    reverse = Agent(agent.config, agent.vocabulary, {"b": networks["teacher_forcing"]}, agent.discriminator)
    found = reranking.candidates(agent, "teacher_forcing", language_model, reverse, pairs, width=4)
    assert found["answers"].shape == (3, 4, 9)
    forward, alone, turned = (Equations(each.networks.decoders[name].gca) for each, name in
                              ((agent, "teacher_forcing"), (language_model, "a"), (reverse, "b")))  # fmt: skip
    best = agent.decode("teacher_forcing", pairs.contexts, Decoding(beam=4)).answers
    np.testing.assert_array_equal(found["answers"][:, 0], best)

    def log_p(equations, x, tokens):
        return np.array([np.log(equations.p(x, tokens[:k])[tokens[k]]) for k in range(1, len(tokens))])

    for i, x in enumerate(pairs.contexts):
        assert len({tuple(row) for row in found["answers"][i]}) == 4
        for j in range(4):
            y = [token for token in found["answers"][i, j] if token != PAD]
            assert found["forward"][i, j] == pytest.approx(log_p(forward, x, y).sum(), rel=1e-4)
            np.testing.assert_allclose(found["alone"][i, j, : len(y) - 1], log_p(alone, [], y), rtol=1e-4)
            assert np.isnan(found["alone"][i, j, len(y) - 1 :]).all()
            words = [token for token in y[1:] if token != 2]
            back = [1, *(token for token in x if token != PAD), 2]
            assert found["backward"][i, j] == pytest.approx(log_p(turned, words, back).sum(), rel=1e-4)
    figures = reranking.measure(agent, found, pairs, (0.5,), 5, 0.0)
    assert set(figures) == {"human", "beam search", "anti-language model, lambda 0.5", "bidirectional, lambda 0.5"}
    assert figures["human"]["BLEU"] == pytest.approx(100) or figures["human"]["tokens"] == pytest.approx(4 / 3)
