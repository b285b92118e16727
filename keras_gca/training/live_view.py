"""Answers questions from users who watch a training run of the first paper, and lets D judge the replies.

D is the discriminator. Replies are decoded greedily (Algorithm 1) without random numbers, so watching a run does not
change the results.
"""

import numpy as np

from keras_gca.data.pairs import Pairs, joined, pad_contexts
from keras_gca.data.text import detokenise, tokenise
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.judgement import log_outputs
from keras_gca.models.scoring import log_score
from keras_gca.storage.live_files import Exchange, Judged
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.schedule import DISCRIMINATOR


def answer(
    training: AdversarialTraining, vocabulary: Vocabulary, samples: Pairs, questions: list[str]
) -> tuple[list[Exchange], list[Exchange]]:
    """Answer questions and held-out contexts.

    Args:
        training: The training run, paused between two steps.
        vocabulary: The vocabulary of the training run.
        samples: Held-out pairs.
        questions: The user's questions.

    Returns:
        The exchanges for the questions, and the exchanges for the samples, which also contain the human replies. There
        are no scores until the discriminator has been trained (line 6).
    """
    config = training.config
    encoded = [vocabulary.encode(tokens) for tokens in tokenise(questions, config.contractions)]
    read = [joined([question], config.sentence_length, config.hierarchical) for question in encoded]
    asked = pad_contexts(read, config.context_columns) if read else samples.contexts[:0]
    contexts = np.concatenate([asked, samples.contexts])
    replies = training.decoder.greedy(contexts, allow_unknown=False).answers
    rows = np.concatenate([replies, samples.answers])
    judged = [Judged(_text(vocabulary, row)) for row in rows]
    if any(row["phase"] == DISCRIMINATOR for row in training.history):
        discriminator = PrefixDiscriminator.of(training.gca)
        judged_contexts = np.concatenate([contexts, samples.contexts])
        log_l = log_outputs(discriminator, judged_contexts, rows, whole_answers=config.algorithm == "reinforce")
        judged = [_judged(vocabulary, row, log) for row, log in zip(rows, log_l, strict=True)]
    mine, human = judged[: len(contexts)], judged[len(contexts) :]
    exchanges = [Exchange(text, reply) for text, reply in zip(questions, mine, strict=False)]
    held_out = zip(samples.contexts, mine[len(questions) :], human, strict=True)
    return exchanges, [Exchange(_context(vocabulary, context), reply, said) for context, reply, said in held_out]


def _judged(vocabulary: Vocabulary, row: np.ndarray, log_l: np.ndarray) -> Judged:
    """Return an answer with the discriminator's score (Eq. 10) and, if it judges tokens, its outputs (Eq. 8)."""
    numbers = np.flatnonzero(~np.isnan(log_l))
    tokens = [(vocabulary.tokens[row[1 + i]], float(np.exp(log_l[i]))) for i in numbers]
    return Judged(_text(vocabulary, row), float(np.exp(log_score(log_l))), tuple(tokens) if len(tokens) > 1 else ())


def _context(vocabulary: Vocabulary, row: np.ndarray) -> str:
    return detokenise(vocabulary.decode_context(row), vocabulary.surfaces)


def _text(vocabulary: Vocabulary, row: np.ndarray) -> str:
    return detokenise(vocabulary.decode(row), vocabulary.surfaces)
