"""seq2BF: answers with a given beginning, the words before a keyword, and an agent that builds answers around keywords.

The references are Eq. 1-5 in NumPy.
"""

import dataclasses
from functools import partial

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.data.keywords import Seq2BF, beginnings
from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK
from keras_gca.errors import UserError
from keras_gca.models.decoding import Decoder
from keras_gca.models.decoding_settings import CHAT, GREEDY, Decoding
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.seq2bf import Beginnings
from tests.factories.gca import (
    LENGTH,
    VOCABULARY,
    make_agent,
    make_keyword_agent,
    random_pairs,
    toy_keywords,
    toy_networks,
)
from tests.oracles.equations import Equations

BEGUN = np.array([[BOS, 7, 9, 5], [BOS, 8, PAD, PAD], [BOS, PAD, PAD, PAD], [21, PAD, PAD, PAD]], np.int32)
KEYWORDS = Decoding(keywords=True)


@pytest.fixture(scope="module", params=[False, True], ids=["gca", "canonical"])
def networks(request):
    return toy_networks(canonical=request.param)


@pytest.fixture(scope="module")
def contexts():
    return random_pairs(12).contexts[[3, 5, 8, 10]]


def continued(equations, x, begun):
    """Continue a beginning greedily, token by token. Return the tokens after the first one, and their probabilities."""
    y, given = [begun[0]], [token for token in begun[1:] if token != PAD]
    probabilities = []
    while y[-1] != EOS and len(y) <= LENGTH:
        p = equations.p(x, y)
        choice = p.copy()
        choice[[PAD, BOS] + ([EOS] if y == [BOS] else [])] = 0
        y.append(given.pop(0) if given else int(np.argmax(choice)))
        probabilities.append(p[y[-1]])
    return y[1:], probabilities


def test_greedy_answers_with_a_beginning_follow_the_equations(networks, contexts):
    decoded, equations = Decoder(networks).greedy(contexts, beginnings=BEGUN), Equations(networks)
    for i, x in enumerate(contexts):
        tokens, probabilities = continued(equations, x, BEGUN[i].tolist())
        assert decoded.answers[i, 1 : len(tokens) + 1].tolist() == tokens
        assert not decoded.answers[i, len(tokens) + 1 :].any()
        np.testing.assert_allclose(decoded.token_probabilities[i, : len(tokens)], probabilities, rtol=1e-3)
        assert decoded.probabilities[i] == pytest.approx(np.prod(probabilities), rel=1e-3)


@pytest.mark.thorough
def test_without_words_a_beginning_changes_nothing(contexts):
    decoder, begun = Decoder(toy_networks()), np.full((len(contexts), 3), PAD, np.int32)
    begun[:, 0] = BOS
    for decode in (
        decoder.greedy,
        partial(decoder.sample, seed=3, top_k=5),
        partial(decoder.n_best, width=4, allow_repeats=False),
    ):
        for plain, other in zip(decode(contexts), decode(contexts, beginnings=begun), strict=True):
            np.testing.assert_array_equal(plain, other)


@pytest.mark.thorough
def test_sampling_and_beam_search_keep_a_beginning(contexts):
    decoder, evaluator = Decoder(toy_networks()), Evaluator(toy_networks())
    greedy = decoder.greedy(contexts, beginnings=BEGUN)
    for decoded in (
        decoder.sample(contexts, 5, beginnings=BEGUN),
        decoder.beam(contexts, 1, beginnings=BEGUN),
        decoder.beam(contexts, 6, beginnings=BEGUN, allow_repeats=False),
    ):
        given = BEGUN[:, 1:] != PAD
        np.testing.assert_array_equal(decoded.answers[:, 1:4][given], BEGUN[:, 1:][given])
        begun = random_pairs(4)
        pairs = dataclasses.replace(begun, contexts=contexts, answers=decoded.answers)
        of_bos = np.nansum(evaluator.token_log_probabilities(pairs), axis=1)[:3]  # the last row begins with a word
        np.testing.assert_allclose(decoded.log_probabilities[:3], of_bos, rtol=1e-4)
    np.testing.assert_array_equal(decoder.beam(contexts, 1, beginnings=BEGUN).answers, greedy.answers)
    assert (decoder.beam(contexts, 6, beginnings=BEGUN).log_probabilities >= greedy.log_probabilities - 1e-4).all()


def test_the_loss_of_beginnings_follows_the_equations(networks):
    pairs = random_pairs(12)
    candidates = np.arange(VOCABULARY) % 3 == 0
    made, equations = beginnings(pairs, candidates, 0), Equations(networks)
    found = Evaluator(networks).token_log_probabilities(made)
    for x, row, logs in zip(made.contexts, made.answers, found, strict=True):
        y = [token for token in row if token != PAD]
        expected = [np.log(equations.p(x, y[:k])[y[k]]) for k in range(1, len(y))]
        np.testing.assert_allclose(logs[: len(expected)], expected, atol=1e-4)
        assert np.isnan(logs[len(expected) :]).all()


def test_words_before_keywords_follow_the_equations_from_right_to_left(networks, contexts):
    model = toy_keywords()
    made = Beginnings(model, Decoder(networks)).of(contexts, KEYWORDS, 0)
    equations, lengths = Equations(networks), set()
    for x, row, keyword in zip(contexts, made, model.keywords_of(contexts), strict=True):
        before = []
        while len(before) < LENGTH and (not before or before[-1] != EOS):
            p = equations.p(x, [keyword, *before])
            p[[PAD, BOS, UNK]] = 0
            before.append(int(np.argmax(p)))
        words = [token for token in before if token != EOS][: LENGTH - 2]
        assert [token for token in row if token != PAD] == [BOS, *words[::-1], keyword]
        lengths.add(len(words))
    assert made.shape[1] <= LENGTH
    assert len(lengths) > 1


@pytest.mark.thorough
def test_contexts_without_a_keyword_are_answered_as_without_keywords():
    agent = make_keyword_agent()
    unknown = np.array([[PAD] * 7 + [UNK], [PAD] * 8], np.int32)
    assert agent.networks.beginnings.of(unknown, KEYWORDS, 0).tolist() == [[BOS], [BOS]]
    for plain, other in zip(
        agent.decode("teacher_forcing", unknown, GREEDY),
        agent.decode("teacher_forcing", unknown, KEYWORDS),
        strict=True,
    ):
        np.testing.assert_array_equal(plain, other)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "decoding", [Decoding(temperature=1.5, keywords=True), dataclasses.replace(CHAT, keywords=True)]
)
def test_every_generator_says_the_keyword(decoding):
    agent = make_keyword_agent()
    histories = [["hello there"], ["how are you ?"], ["zebra"]]
    seeds = [1, 2, 3]
    together = agent.answers_to_all(histories, None, decoding, seeds)
    for history, answers, seed in zip(histories, together, seeds, strict=True):
        keyword = agent.keyword(history)
        assert (keyword is None) == (history == ["zebra"])
        assert {answer.generator for answer in answers} == set(agent.generators)
        if keyword is not None:
            assert all(
                keyword.lower() in answer.text.lower().split(".")[0] or keyword in answer.text for answer in answers
            )
        alone = agent.answers(history, decoding=decoding, seed=seed)
        assert sorted(answer.text for answer in alone) == sorted(answer.text for answer in answers)


@pytest.mark.thorough
def test_the_backward_network_has_the_speakers_and_topics_of_the_run():
    agent = make_keyword_agent(speakers=("Ann", "Tom"), persona_size=3, topics=3, topic_words=4)
    contexts = agent.encode_contexts([["hello there"], ["how are you ?"]])
    keywords = agent.networks.beginnings.keywords.keywords_of(contexts)
    assert (keywords != PAD).all()
    answers = agent.decode("teacher_forcing", contexts, KEYWORDS).answers
    assert (answers == keywords[:, None]).any(axis=1).all()


def test_a_bot_keeps_its_keywords_in_every_weight_format(tmp_path):
    agent = make_keyword_agent()
    assert agent.usual_decoding == dataclasses.replace(CHAT, keywords=True)
    for weight_format, error in (("float32", 0), ("float16", 1e-3), ("int8", 1e-2)):
        agent.save(tmp_path / "bot.h5", weight_format)
        read = Agent.load(tmp_path / "bot.h5")
        assert read.generators == agent.generators
        for before, after in zip(agent.seq2bf.keywords, read.seq2bf.keywords, strict=True):
            np.testing.assert_array_equal(before, after)
        for before, after in zip(agent.seq2bf.network, read.seq2bf.network, strict=True):
            np.testing.assert_allclose(before, after, atol=error)
        assert read.keyword("hello there") == agent.keyword("hello there")


def test_what_does_not_fit_is_refused(tmp_path):
    agent = make_agent()
    assert agent.usual_decoding == CHAT
    assert agent.keyword("hello there") is None
    with pytest.raises(UserError, match="this bot cannot build answers around keywords; train one with"):
        agent.answers("hello", decoding=KEYWORDS)
    with pytest.raises(UserError, match="bidirectional and keywords exclude each other"):
        Decoding(beam=3, length_penalty=0.0, bidirectional=0.5, keywords=True)
    parts = agent.config, agent.vocabulary, agent.weights, agent.discriminator
    weights = agent.weights["adversarial"]
    with pytest.raises(ValueError, match="the keywords and the vocabulary differ"):
        Agent(*parts, seq2bf=Seq2BF(toy_keywords(15).arrays, weights))
    with pytest.raises(ValueError, match="the weights have"):
        Agent(*parts, seq2bf=Seq2BF(toy_keywords(len(agent.vocabulary)).arrays, weights[:-1]))
    make_agent(predict="beginning").save(tmp_path / "bot.h5")
    with pytest.raises(UserError, match="only writes the beginnings of another run's answers"):
        Agent.load(tmp_path / "bot.h5")
