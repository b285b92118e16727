"""The method of the first paper's own program, in current Keras: the baseline of the benchmark.

The program calls `train_on_batch` with a separate sample for each token of an answer. A sample has 50 unmasked time
steps and a one-hot target. To decode an answer, the program calls `predict` 49 times, once per token, even after the
answer has ended.
"""

from typing import NamedTuple

import keras
import numpy as np

from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import BOS, PAD
from keras_gca.models.networks import GREEN, WHITE, YELLOW, GenerativeConversationalAgent, Sizes


class Samples(NamedTuple):
    """Training samples, one per token of an answer.

    The contexts and the partial answers are int32 arrays of shape (n, s_s). The next tokens are a one-hot array of
    shape (n, s_v).
    """

    contexts: np.ndarray
    partial_answers: np.ndarray
    tokens: np.ndarray


def per_token_samples(pairs: Pairs, padding: int = PAD) -> tuple[np.ndarray, ...]:
    """Make the samples of Figures 1 and 2, one for each token of each answer.

    Returns:
        For each sample: the context, the partial answer before the token, the token, and the number of the answer.
    """
    contexts, partial_answers, tokens, owner = [], [], [], []
    length = pairs.answers.shape[1] - 1
    for number, (context, answer) in enumerate(zip(pairs.contexts, pairs.answers, strict=True)):
        for k in range(1, np.count_nonzero(answer)):
            partial = np.full(length, padding, np.int32)
            partial[length - k :] = answer[:k]
            contexts.append(np.where(context == PAD, padding, context))
            partial_answers.append(partial)
            tokens.append(answer[k])
            owner.append(number)
    return np.array(contexts), np.array(partial_answers), np.array(tokens), np.array(owner)


def samples_of(pairs: Pairs, vocabulary: int, padding: int) -> Samples:
    """Make the samples of the given pairs, one for each token of an answer, with one-hot targets."""
    contexts, partial_answers, tokens, _ = per_token_samples(pairs, padding)
    one_hot = np.zeros((len(tokens), vocabulary), np.float32)
    one_hot[np.arange(len(tokens)), tokens] = 1
    return Samples(contexts, partial_answers, one_hot)


class OriginalMethod:
    """The models of Figures 1 and 2, with training and decoding as in the author's programs."""

    def __init__(self, sizes: Sizes):
        self.gca = GenerativeConversationalAgent(sizes, original_padding=True)

    def compile(self, phase: str) -> None:
        """Prepare the models for one phase: "teacher forcing", "discriminator" or "generator"."""
        model, names, loss = {
            "teacher forcing": (self.gca.generator, (*WHITE, *YELLOW), "categorical_crossentropy"),
            "discriminator": (self.gca.discriminator, GREEN, "binary_crossentropy"),
            "generator": (self.gca.adversarial, YELLOW, "mean_squared_error"),
        }[phase]
        self.gca.select_trainable(*names)
        model.compile(optimizer=keras.optimizers.Adam(5e-5), loss=loss)

    def teacher_forcing(self, samples: Samples) -> int:
        """Run one training step and return the number of tokens in it."""
        self.gca.generator.train_on_batch([samples.contexts, samples.partial_answers], samples.tokens)
        return len(samples.tokens)

    def discriminator(self, samples: Samples) -> int:
        labels = (np.arange(len(samples.tokens)) % 2).astype(np.float32)[:, None]
        self.gca.discriminator.train_on_batch(list(samples), labels)
        return len(labels)

    def generator(self, samples: Samples) -> int:
        ones = np.ones((len(samples.tokens), 1), np.float32)
        self.gca.adversarial.train_on_batch([samples.contexts, samples.partial_answers], ones)
        return len(ones)

    def reply(self, context: np.ndarray) -> np.ndarray:
        """Decode by Algorithm 1 as the author's program does: each token shifts the partial answer left by one.

        Returns:
            The answer, an array of shape (s_s,).
        """
        length = self.gca.sizes.sentence_length
        context = np.where(context == PAD, self.gca.padding, context)[None]
        answer = np.full((1, length), self.gca.padding, np.int32)
        answer[0, -1] = BOS
        for _ in range(length - 1):
            p = self.gca.generator.predict([context, answer], verbose=0)
            answer = np.concatenate([answer[:, 1:], [[np.argmax(p)]]], axis=1).astype(np.int32)
        return answer[0]
