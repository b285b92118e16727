import collections

import numpy as np
import pytest

import glove
from glove.fit import estimate


def slow_cooccurrences(documents, window):
    """Count co-occurrences word by word, as in Section 3.1 of Pennington et al."""
    counts = collections.Counter()
    for document in documents:
        for i, word in enumerate(document):
            for j in range(max(0, i - window), i):
                counts[word, document[j]] += 1 / (i - j)
                counts[document[j], word] += 1 / (i - j)
    return counts


def test_cooccurrences_equal_a_count_word_by_word():
    random = np.random.default_rng(0)
    documents = [random.integers(0, 9, length).tolist() for length in (1, 2, 30, 0, 17)]
    rows, columns, counts = glove.cooccurrences(documents, 9, window=4)
    expected = slow_cooccurrences(documents, 4)
    found = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), counts, strict=True))
    assert found.keys() == expected.keys()
    for key, count in expected.items():
        assert found[key] == pytest.approx(count)


def test_an_uncounted_word_keeps_its_place():
    rows, columns, counts = glove.cooccurrences([[0, -1, 1]], 2)
    assert (rows.tolist(), columns.tolist(), counts.tolist()) == ([0, 1], [1, 0], [0.5, 0.5])


def documents(count=60):
    random = np.random.default_rng(1)
    animals, tools = ["cat", "dog", "cow", "pig"], ["saw", "nail", "drill", "screw"]
    return [[str(random.choice(group)) for _ in range(12)] for _ in range(count) for group in (animals, tools)]


def test_words_that_stand_together_come_to_lie_together():
    vectors = glove.fit(documents(), dimension=8, x_max=10, epochs=40)
    assert {word for word, _ in vectors.nearest("cat", 3)} == {"dog", "cow", "pig"}
    assert {word for word, _ in vectors.nearest("saw", 3)} == {"nail", "drill", "screw"}


def test_the_objective_falls_and_reaches_what_the_equation_says():
    reported = []
    corpus = documents(5)
    glove.fit(
        corpus, dimension=30, x_max=1, epochs=400, learning_rate=0.1, report=lambda _, error: reported.append(error)
    )
    assert reported[-1] < 1e-3 * reported[0]  # with 8 words and 30 dimensions, log X can be fitted exactly


def test_one_step_equals_the_equations():
    """One batch has all entries. Plain loops compute the gradient of Eq. 8 and the step of AdaGrad."""
    corpus, size, d, rate, x_max, alpha = [["a", "b", "a", "c", "b"]], 3, 4, 0.05, 2.0, 0.75
    vectors = glove.fit(corpus, ["a", "b", "c"], dimension=d, x_max=x_max, epochs=1, learning_rate=rate, seed=3)
    random = np.random.default_rng(3)
    W = (random.random((size, d), np.float32) - 0.5) / d
    b = (random.random(size, np.float32) - 0.5) / d
    V = (random.random((size, d), np.float32) - 0.5) / d
    c = (random.random(size, np.float32) - 0.5) / d
    X = slow_cooccurrences([[0, 1, 0, 2, 1]], 10)
    dW, dV = np.zeros((size, d)), np.zeros((size, d))
    for (i, j), x in X.items():
        error = W[i] @ V[j] + b[i] + c[j] - np.log(x)
        weight = min(1.0, (x / x_max) ** alpha)
        dW[i] += weight * error * V[j]
        dV[j] += weight * error * W[i]
    W = W - rate * dW / np.sqrt(1 + dW**2)
    V = V - rate * dV / np.sqrt(1 + dV**2)
    np.testing.assert_allclose(vectors.matrix, W + V, rtol=1e-4)


def test_the_same_seed_gives_the_same_vectors_and_another_one_does_not():
    first, again, other = (glove.fit(documents(5), dimension=5, epochs=2, seed=seed).matrix for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_words_without_company_get_no_vector_and_an_empty_corpus_is_an_error():
    vectors = glove.fit([["a", "b"], ["alone"]], dimension=3, epochs=1)
    assert sorted(vectors.words) == ["a", "b"]
    with pytest.raises(ValueError, match="no two words"):
        glove.fit([["alone"]])


def test_the_cost_is_counted_from_the_entries():
    # 75 rows of 12 numbers for each of 1,000 entries, in 3 epochs, where 90,000 numbers are copied a second
    made = estimate(500, 1000, 20, 10, 4, 3, rate=90_000)
    assert made.seconds == {"epochs": pytest.approx(30)}
    # 8 bytes for a key, for a weight, and for a copy of each, of 2 * 4 pairs of each token; 24 for an entry of X;
    # vectors and accumulators of both sides
    assert made.memory == 32 * 8 * 500 + 24 * 1000 + 4 * 4 * 20 * 12
    assert made.machine == "copies 0 million numbers a second, row by row"
    assert estimate(500, 1000, 20, 10, 4, 3).total > 0


def test_fitting_begins_with_the_number_of_entries_and_can_be_stopped():
    begun, ended = [], []
    corpus = [["a", "b"], ["b", "c", "b"]]  # the pairs ab, bc and bb, each in both orders; bb is one entry
    stopped = glove.fit(
        corpus, dimension=3, epochs=9, begin=begun.append, report=lambda epoch, _: ended.append(epoch),
        stop=lambda: len(ended) == 2,
    )  # fmt: skip
    assert (begun, ended) == ([5], [1, 2])
    np.testing.assert_array_equal(stopped.matrix, glove.fit(corpus, dimension=3, epochs=2).matrix)
