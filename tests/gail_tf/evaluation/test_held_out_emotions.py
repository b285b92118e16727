"""Classifiers of emotions that learn from held-out conversations: values by hand, and the values of chance."""

import numpy as np
import pytest

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.held_out_emotions import (
    ACCURACY,
    HUMAN,
    LARGEST,
    PROMPT,
    SHUFFLED,
    HeldOutEmotions,
    fit_linear,
    shuffled_agreement,
)

LABELS = ("joy", "grief", "fear")


def test_shuffled_agreement_by_hand():
    # Pairs of different conversations: (0, 2), (1, 2), (2, 0), (2, 1). Equal classes: a-a of (0, 2), and b-b of (2, 1).
    classes, others = ["a", "b", "b"], ["a", "b", "a"]
    assert shuffled_agreement(classes, others, np.array([4, 4, 9])) == 2 / 4
    assert np.isnan(shuffled_agreement(classes, others, np.zeros(3)))


def trajectories(count, first=0, seed=0, labels=LABELS):
    """Trajectories whose prompts and responses name their emotion."""
    draw = np.random.default_rng(seed)
    made = []
    for i in range(first, first + count):
        label = str(draw.choice(labels))
        made.append(Trajectory((), f"{label} {i}", f"so much {label} {i}", label, conversation=i // 2))
    return made


def word_counts(texts):
    return np.array([[text.count(label) for label in LABELS] for text in texts], np.float32)


def fit(texts, labels):
    return fit_linear(word_counts, texts, labels)


def test_emotions_that_the_texts_show_are_classified():
    test = trajectories(60)
    emotions = HeldOutEmotions.learn(fit, test, trajectories(20, first=200), seed=0)
    assert emotions.accuracy == 1
    assert emotions.largest == max([one.emotion for one in test].count(label) for label in LABELS) / 60
    scores = emotions.scores([one.response for one in test], test)
    assert scores[HUMAN].tolist() == scores[PROMPT].tolist() == [1.0] * 60
    beside = emotions.beside([one.response for one in test], test)
    assert set(beside) == {HUMAN + SHUFFLED, PROMPT + SHUFFLED, ACCURACY, LARGEST}
    assert beside[PROMPT + SHUFFLED].value == pytest.approx(1 / 3, abs=0.1)


def test_shuffled_responses_agree_as_the_floor_says():
    test = trajectories(300)
    emotions = HeldOutEmotions.learn(fit, test, [], seed=0)
    shuffled = [test[i].response for i in np.random.default_rng(1).permutation(300)]
    agreed = emotions.scores(shuffled, test)[PROMPT].mean()
    floor = emotions.beside(shuffled, test)[PROMPT + SHUFFLED].value
    assert agreed == pytest.approx(floor, abs=0.09)
    assert agreed < 0.5


def test_permuted_labels_are_learned_no_better_than_chance():
    draw = np.random.default_rng(0)
    test = [Trajectory((), f"{draw.choice(LABELS)}", "", str(draw.choice(LABELS)), conversation=i) for i in range(400)]
    emotions = HeldOutEmotions.learn(fit, test, [], seed=0)
    assert emotions.accuracy == pytest.approx(1 / 3, abs=0.08)


def test_no_classifier_learns_from_a_conversation_that_it_classifies():
    learned, classified = [], []

    def remember(texts, labels):
        learned.append(set(texts))
        number = len(learned) - 1

        def classify(others):
            classified.append((number, list(others)))
            return ["joy"] * len(others)

        return classify

    test, validation = trajectories(41), trajectories(6, first=300)
    HeldOutEmotions.learn(remember, test, validation, seed=3)
    assert all({one.prompt for one in validation} < texts for texts in learned)
    assert {number for number, _ in classified} == {0, 1}
    conversation = {one.prompt: one.conversation for one in test}
    for number, texts in classified:
        read = {conversation[text] for text in learned[number] if text in conversation}
        assert not read & {conversation[text] for text in texts}


def test_too_few_labels():
    assert HeldOutEmotions.learn(fit, trajectories(20, labels=["joy"]), [], 0) is None
    unlabelled = [Trajectory((), "a", "b", conversation=i) for i in range(9)]
    assert HeldOutEmotions.learn(fit, unlabelled, trajectories(20, first=50), 0) is None


def test_a_regression_finds_the_rule_behind_noisy_labels():
    draw = np.random.default_rng(0)
    vectors = {f"t{i}": draw.normal(size=4) for i in range(400)}
    rule = {text: LABELS[int(np.argmax(vector[:3]))] for text, vector in vectors.items()}
    noisy = [label if draw.random() < 0.8 else str(draw.choice(LABELS)) for label in rule.values()]
    texts = list(vectors)
    classify = fit_linear(lambda some: np.array([vectors[text] for text in some]), texts[:300], noisy[:300])
    right = np.mean([a == rule[text] for a, text in zip(classify(texts[300:]), texts[300:], strict=True)])
    assert right > 0.85


def test_human_responses_are_measured_too():
    test = trajectories(60)
    emotions = HeldOutEmotions.learn(fit, test, [], seed=0)
    human = emotions.of_humans(test)
    assert human[PROMPT].value == human[ACCURACY].value == 1
