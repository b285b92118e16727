import math

import numpy as np
import pytest

from glove import Vectors, embedding_matrix

VECTORS = Vectors(["b", "x", "a"], np.array([[1, 2], [3, 4], [5, 6]], np.float32))


def test_rows_follow_the_vocabulary_and_missing_words_are_zero():
    embedding = embedding_matrix(["<pad>", "a", "b", "c"], VECTORS, {"a": 6, "b": 3, "c": 1})
    np.testing.assert_array_equal(embedding.matrix, [[0, 0], [5, 6], [1, 2], [0, 0]])
    assert embedding.missing == ["<pad>", "c"]
    assert embedding.word_coverage == 0.5
    assert embedding.token_coverage == pytest.approx(0.9)


def test_the_report_counts_what_is_missing_aloud():
    report = embedding_matrix(["a", "rare", "often"], VECTORS, {"a": 4, "rare": 1, "often": 5}).report()
    assert report == (
        "word vectors: 1 of 3 words (33.3%), 40.0% of the tokens\n"
        "2 words without a vector are rows of zeros: often, rare"
    )
    assert "rows of zeros" not in embedding_matrix(["a"], VECTORS).report()


def test_without_counts_the_coverage_of_the_text_is_unknown():
    assert math.isnan(embedding_matrix(["a"], VECTORS).token_coverage)
