from types import SimpleNamespace

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.errors import UserError
from keras_gca.evaluation import judges
from keras_gca.evaluation.judges import CrossFitted, independent_judge, judge
from keras_gca.models.networks import GREEN, WHITE, YELLOW, build
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs


class Judge:
    """A judge that gives every token of an answer the same l: the index of the first word minus ten, in percent."""

    def judge(self, contexts, answers):
        log_l = np.where(answers[:, 1:] > 0, np.log((answers[:, 1:2] - 10) / 100), np.nan)
        return log_l


def rows(*first):
    return np.array([[1, word, 2, 0] for word in first], np.int32)


def test_wins_ties_and_scores_by_hand():
    pairs = Pairs(np.ones((4, 3), np.int32), rows(100, 60, 60, 60), np.arange(4))
    found = judge(Judge(), pairs, {"a": rows(60, 30, 62, 20), "b": rows(40, 50, 60, 20)})
    chosen = found["equations"]["Eq. 10"]
    assert (chosen["wins"], chosen["shares"]) == ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.5})
    assert chosen["ties"] == 2  # 0.52 and 0.50 differ by less than 5 %; two other scores are equal
    assert chosen["human_first"] == pytest.approx(6 / 8)
    assert found["equations"]["Eq. 9"]["wins"] == {"a": 2, "b": 1}  # 0.52^2 and 0.50^2 differ by more
    assert found["scores"] == pytest.approx(
        {"human": 0.60, "a": (50 + 20 + 52 + 10) / 400, "b": (30 + 40 + 50 + 10) / 400}
    )


def test_equation_9_favours_short_answers_and_equation_10_does_not():
    human = np.array([[1, 70, 70, 70, 2]] * 3, np.int32)
    pairs = Pairs(np.ones((3, 3), np.int32), human, np.arange(3))
    short = np.array([[1, 70, 2, 0, 0], [1, 60, 2, 0, 0], [1, 60, 2, 0, 0]], np.int32)
    long = np.array([[1, 80, 80, 80, 2], [1, 80, 80, 80, 2], [1, 61, 2, 0, 0]], np.int32)
    found = judge(Judge(), pairs, {"short": short, "long": long})["equations"]
    # Eq. 9: 0.36 > 0.24, 0.25 > 0.24 (a tie), 0.25 and 0.26; Eq. 10: 0.6 < 0.7, 0.5 < 0.7, 0.50 and 0.51.
    assert (found["Eq. 9"]["wins"], found["Eq. 9"]["ties"]) == ({"short": 1, "long": 0}, 2)
    assert (found["Eq. 10"]["wins"], found["Eq. 10"]["ties"]) == ({"short": 0, "long": 2}, 1)
    assert (found["Eq. 9"]["shorter"], found["Eq. 10"]["shorter"]) == (1, 0)


def test_one_generator_wins_all_without_a_rival():
    pairs = Pairs(np.ones((2, 3), np.int32), rows(60, 60), np.arange(2))
    found = judge(Judge(), pairs, {"a": rows(60, 30)})["equations"]["Eq. 10"]
    assert (found["wins"], found["shorter"]) == ({"a": 2}, 0)


@pytest.fixture
def agent():
    config = Config.preset(
        "tiny",
        sentence_length=LENGTH,
        machine_pairs=150,
        discriminator_learning_rate=0.02,
        word_embedding_size=6,
        sentence_embedding_size=8,
        discriminator_sentence_embedding_size=7,
    )
    words = [f"w{i}" for i in range(VOCABULARY - 4)]
    gca = build(config, VOCABULARY)
    white = [variable.numpy() for variable in gca.variables(*WHITE)]
    generators = {}
    for seed, name in enumerate(("teacher_forcing", "adversarial")):
        random = np.random.default_rng(seed)
        drawn = [random.normal(0, 0.5, variable.shape).astype(np.float32) for variable in gca.variables(*YELLOW)]
        generators[name] = [*white, *drawn]
    green = [variable.numpy() for variable in gca.variables(*GREEN)]
    return Agent(config, Vocabulary(words, [1] * len(words)), generators, [*white, *green])


def answers_of(agent, pairs):
    return {name: agent.decode(name, pairs.contexts).answers for name in agent.generators}


def test_no_judge_begins_like_the_discriminator_of_its_run(agent, monkeypatch):
    """A judge that begins like the D which the generator was trained to deceive would not be independent."""
    built = []

    def remember(config, *arguments, **named):
        built.append(build(config, *arguments, **named))
        return built[-1]

    monkeypatch.setattr(judges, "build", remember)
    pairs = random_pairs(8)
    for seed in (agent.config.seed, agent.config.seed, agent.config.seed + 1):
        independent_judge(agent, pairs, pairs, seed, epochs=0)
    own = build(agent.config, len(agent.vocabulary))
    kernels = [gca.variables(*GREEN)[0].numpy() for gca in (own, *built)]
    assert not np.array_equal(kernels[0], kernels[1])
    assert np.array_equal(kernels[1], kernels[2])
    assert not np.array_equal(kernels[1], kernels[3])


@pytest.mark.thorough
def test_an_independent_judge_tells_human_answers_from_those_of_all_generators(agent):
    training, held_out = random_pairs(200, seed=1), random_pairs(60, seed=2)
    answers = answers_of(agent, held_out)
    machine = Pairs.concatenate(
        [Pairs(half.contexts, agent.decode(name, half.contexts).answers, half.conversation)
         for name, half in zip(agent.generators, (training[:100], training[100:]), strict=True)]
    )  # fmt: skip
    independent = independent_judge(agent, training, machine, seed=3, epochs=8)
    again, other = (independent_judge(agent, training, machine, seed, epochs=1) for seed in (3, 4))
    scores = judge(independent, held_out, answers)["scores"]
    before = judge(agent, held_out, answers)["scores"]
    for name in answers:
        assert scores["human"] - scores[name] > 0.2 > abs(before["human"] - before[name])
    assert independent.generators == agent.generators
    # The word vectors do not change.
    np.testing.assert_array_equal(independent.discriminator[0], agent.discriminator[0])
    assert not np.array_equal(again.discriminator[1], other.discriminator[1])
    repeated = independent_judge(agent, training, machine, seed=3, epochs=1)
    for one, two in zip(again.discriminator, repeated.discriminator, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.thorough
def test_cross_fitted_judges_tell_human_answers_in_conversations_that_they_have_not_read(agent):
    pairs = random_pairs(240, seed=1)
    answers = answers_of(agent, pairs)
    scores = judge(CrossFitted(agent, pairs, answers, seed=0, epochs=8), pairs, answers)["scores"]
    assert min(scores["human"] - scores[name] for name in answers) > 0.2


@pytest.mark.thorough
def test_answers_with_permuted_labels_are_judged_at_chance(agent):
    """The control: the "machine" answers are random words, as the human ones are, and of the same lengths."""
    pairs = random_pairs(240, seed=1)
    draw = np.random.default_rng(0)
    others = {name: np.where(pairs.answers > 3, rows_like(pairs.answers, draw), pairs.answers) for name in ("a", "b")}
    results = judge(CrossFitted(agent, pairs, others, seed=0, epochs=8), pairs, others)
    assert results["equations"]["Eq. 10"]["human_first"] == pytest.approx(0.5, abs=0.1)
    assert all(abs(results["scores"]["human"] - results["scores"][name]) < 0.05 for name in others)


def rows_like(answers, draw):
    return draw.integers(4, VOCABULARY, answers.shape).astype(np.int32)


def test_no_discriminator_judges_a_pair_that_it_was_trained_on(agent, monkeypatch):
    trained = []

    def remember(of, human, machine, seed, epochs):
        trained.append((human, machine))
        return agent

    monkeypatch.setattr(judges, "independent_judge", remember)
    pairs = random_pairs(41)
    pairs = Pairs(pairs.contexts, pairs.answers, pairs.conversation // 4)  # 11 conversations
    answers = {"a": rows_like(pairs.answers, np.random.default_rng(0)), "b": np.ones_like(pairs.answers)}
    fitted = CrossFitted(agent, pairs, answers, seed=5)
    parts = judges.folds(pairs.conversation, 5)
    for fold, (human, machine) in enumerate(trained):
        assert set(human.conversation) == set(pairs.conversation) - set(pairs.conversation[parts == fold])
        np.testing.assert_array_equal(machine.contexts, human.contexts)
        of_a, of_b = ((machine.answers == rows[parts != fold]).all(axis=1) for rows in (answers["a"], answers["b"]))
        assert (of_a ^ of_b).all()  # each context has the answer of one generator
        assert abs(int(of_a.sum()) - int(of_b.sum())) <= 1
    np.testing.assert_allclose(
        fitted.judge(pairs.contexts, pairs.answers), agent.judge(pairs.contexts, pairs.answers), atol=1e-5
    )
    with pytest.raises(ValueError, match="can judge only answers to the contexts of its own pairs"):
        fitted.judge(pairs.contexts[::-1], pairs.answers)


def test_parts_are_whole_conversations():
    conversation = np.repeat(np.arange(9), 5)
    parts = judges.folds(conversation, 1)
    assert all(len(set(parts[conversation == number])) == 1 for number in range(9))
    assert sorted(np.bincount(parts)) == [20, 25]
    assert sorted(np.bincount(judges.folds(np.zeros(7, int), 1))) == [3, 4]  # one conversation: single pairs
    with pytest.raises(UserError, match="1 held-out pair; at least 2 are needed"):
        judges.folds(np.zeros(1, int), 1)


def test_choices_and_claims_have_different_conversations():
    pairs = random_pairs(20)
    pairs = Pairs(pairs.contexts, pairs.answers, np.arange(20, dtype=np.int32) // 4)
    first, second = judges.parts(SimpleNamespace(validation=pairs, test=None), seed=3)
    assert len(first) + len(second) == 20
    assert not set(first.conversation) & set(second.conversation)
    test = random_pairs(3)
    assert judges.parts(SimpleNamespace(validation=pairs, test=test), seed=3) == (pairs, test)


@pytest.mark.parametrize(("rate", "expected"), [(1e-6, 1e-3), (1e-2, 1e-2)])
def test_a_judge_learns_even_if_the_discriminator_of_the_run_hardly_does(agent, monkeypatch, rate, expected):
    asked = []

    def learner(gca, rate):
        asked.append(rate)
        return SimpleNamespace(train_step=None)

    monkeypatch.setattr(judges, "DiscriminatorTraining", learner)
    slow = Agent(
        agent.config.changed(discriminator_learning_rate=rate), agent.vocabulary, agent.weights, agent.discriminator
    )
    independent_judge(slow, random_pairs(4), random_pairs(4), seed=1, epochs=0)
    assert asked == [expected]
