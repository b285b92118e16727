"""Converts decoded answers to text, and adds their probabilities and the discriminator's scores (Eq. 9 and 10)."""

import numpy as np

from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import EOS, PAD, Vocabulary
from keras_gca.models import scoring
from keras_gca.models.decoding import Decoded
from keras_gca.serving.protocol import Answer


def answer_of(generator: str, decoded: Decoded, log_l: np.ndarray, i: int, vocabulary: Vocabulary) -> Answer:
    """Return the answer to context i of a batch of B contexts.

    Args:
        generator: The name of the generator.
        decoded: The B answers of the generator.
        log_l: The logarithm of the discriminator's output (Eq. 8) for each token of these answers, shape (B, s_s) and
            dtype float32.
        i: The index of the context.
        vocabulary: The vocabulary of the generator.
    """
    row = decoded.answers[i]
    written = [vocabulary.tokens[index] for index in row[1:] if index != PAD]
    words = [index != EOS for index in row[1 : len(written) + 1]]
    return Answer(
        generator=generator,
        text=detokenise(vocabulary.decode(row), vocabulary.surfaces),
        probability=float(decoded.probabilities[i]),
        probability_of_words=float(np.prod(decoded.token_probabilities[i][: len(written)][np.array(words)])),
        human=float(np.exp(scoring.log_human_probability(log_l[i]))),
        score=float(np.exp(scoring.log_score(log_l[i]))),
        token_scores=tuple(zip(written, np.exp(log_l[i, : len(written)]).tolist(), strict=True)),
        token_probabilities=tuple(decoded.token_probabilities[i, : len(written)].tolist()),
        ended=bool((row == EOS).any()),
    )


def chosen_first(answers: list[Answer]) -> list[Answer]:
    """Return the answers to a context, with the discriminator's choice (Eq. 10) first."""
    chosen = scoring.best([answer.score for answer in answers], [answer.probability for answer in answers])
    return [answers[chosen], *answers[:chosen], *answers[chosen + 1 :]]
