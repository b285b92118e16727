"""Classifies the emotions of utterances for the baseline RL-Seq2Seq (Fung et al. 2018).

RL-Seq2Seq uses emotions twice: the policy reads the emotion class of the prompt, and the reward is high if the response
has the same class as the prompt. Section 2 of the second paper says about Fung et al.: "They classify each prompt into
an emotion class by the words and emoticons used in each utterance". Neither paper says how utterances are classified or
how the reward is computed. This project makes the following choices:

- The classifier is the paper's network (two layers of 100 tanh units) with a softmax over the labels of the corpus. Its
  inputs are the mean GloVe vector of the words in an utterance, the classes of the emoticons, and the compound
  sentiment score of VADER, which takes negation and emphasis into account.
- The reward is `emotion_agreement`.

Shapes: B is the number of utterances, K the number of labels, and d the size of the word vectors.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf

import glove
from gail_tf.data.sentiment import sentiment
from gail_tf.models.tanh_network import TanhNetwork
from glove.vectors import Vectors
from keras_gca.data.text import tokenise
from keras_gca.engine import replicas
from keras_gca.engine.learner import AdamWLearner
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError

# Emoticons and emoji, grouped by what they show. The network learns which labels of a corpus belong to each group.
EMOTICONS = {
    "smile": (":)", ":-)", "=)", ":]", "^^", "^_^", "☺", "🙂", "😊", "😀", "😃", "😄", "😁", "😌"),
    "laughter": (":D", ":-D", "=D", "XD", "xD", "😂", "🤣", "😆", "😅"),
    "love": ("<3", ":*", ":-*", "❤", "♥", "💕", "💖", "💙", "😍", "🥰", "😘", "🤗"),
    "play": (";)", ";-)", ":P", ":p", ":-P", ":-p", ";P", ";p", "😉", "😜", "😛", "😝", "😎"),
    "celebration": ("\\o/", "🎉", "🎊", "🥳", "🙌", "👏"),
    "thanks": ("🙏",),
    "sadness": (":(", ":-(", "=(", ":[", "</3", "☹", "🙁", "😞", "😔", "😟", "💔"),
    "tears": (":'(", ":'-(", "T_T", ";_;", "😢", "😭", "🥺"),
    "anger": (">:(", ">:-(", ":@", "😠", "😡", "🤬", "😤"),
    "fear": ("D-:", "😨", "😰", "😱", "😧"),
    "surprise": (":O", ":o", ":-O", ":-o", "O_O", "O_o", "o_O", "o_o", "😮", "😲", "😯", "🤯", "😳"),
    "disgust": ("🤢", "🤮"),
    "doubt": (":/", ":-/", ":\\", ":-\\", ":|", ":-|", "-_-", "😐", "😑", "😒", "🙄", "🤔", "😕"),
}

DIMENSION = 100  # the size of word vectors that are fitted here
X_MAX = 10.0  # GloVe's x_max; lower than the usual 100, because in these corpora few words co-occur 100 times


def emotion_agreement(prompt_probabilities: np.ndarray, response_probabilities: np.ndarray) -> np.ndarray:
    """Compute the reward of RL-Seq2Seq: the probability that a response has the emotion class of its prompt.

        reward = p(k* | response),  k* = argmax_k p(k | prompt)

    As in Fung et al., the prompt is assigned to its likeliest class. The response, however, is scored by a probability,
    so responses of the same class can still have different rewards.

    The reward captures only a small part of empathy. A comforting response need not sound as sad as its prompt, and
    repeating the prompt earns the highest reward. The reward ignores meaning and fluency, which are preserved only by
    PPO's KL penalty.

    Args:
        prompt_probabilities: The classifier's probabilities for the prompts, shape (B, K) and dtype float32.
        response_probabilities: The classifier's probabilities for the responses, shape (B, K) and dtype float32.

    Returns:
        The rewards, a float32 array of shape (B,) with values in [0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    if prompt_probabilities.shape != response_probabilities.shape:
        raise ValueError(f"shapes {prompt_probabilities.shape} and {response_probabilities.shape} differ")
    classes = prompt_probabilities.argmax(axis=1)
    return np.take_along_axis(response_probabilities, classes[:, None], axis=1)[:, 0].astype(np.float32)


class EmotionClassifier:
    """A classifier for the emotions of utterances, based on words, emoticons and sentiment.

    Args:
        labels: The names of the K emotions.
        vectors: The word vectors by lower-case word, each of shape (d,).
        seed: The random seed for the initial weights. Before training, all probabilities are 1 / K.

    Raises:
        UserError: There are fewer than two labels, or there are no word vectors.
    """

    def __init__(self, labels: Sequence[str], vectors: Mapping[str, np.ndarray], seed: int = 0):
        if len(labels) < 2:
            raise UserError(
                f"emotions: the labels are {list(labels)}; trajectories with at least two labels are expected"
            )
        if not vectors:
            raise UserError("emotions: no word has a vector; vectors for the words of the corpus are expected")
        self.labels = tuple(labels)
        self._position = {word: i for i, word in enumerate(vectors)}
        self._vectors = np.array(list(vectors.values()), np.float32)
        dimension = self._vectors.shape[1]
        self.network = TanhNetwork(dimension, len(self.labels), seed, "emotion", beside=len(EMOTICONS) + 1)

    @property
    def vectors(self) -> Vectors:
        """The word vectors."""
        return Vectors(list(self._position), self._vectors)

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: Sequence[str | None],
        vectors: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        dimension: int = DIMENSION,
    ) -> Self:
        """Train a classifier on labelled utterances with cross-entropy.

        The same arguments always give the same classifier.

        Args:
            texts: The utterances.
            labels: The label of each utterance, or None. Utterances without a label are used only to fit word vectors.
            vectors: The word vectors by word, or None to fit them to the texts. All vectors are stored with the
                classifier, so pass only vectors of words that occur in the corpus.
            seed: The random seed for the initial weights, the order of the utterances, and fitted word vectors.
            epochs: The number of passes over the utterances.
            batch_size: The number of utterances in a batch.
            learning_rate: The learning rate of AdamW.
            weight_decay: The weight decay of AdamW.
            dimension: The size of fitted word vectors.

        Returns:
            The trained classifier.

        Raises:
            UserError: There are fewer than two labels, `vectors` is empty, or word vectors cannot be fitted.
        """
        if vectors is None:
            vectors = _fitted(texts, dimension, seed)
        known = [(text, label) for text, label in zip(texts, labels, strict=True) if label is not None]
        classifier = cls(sorted({label for _, label in known}), vectors, seed)
        number = {label: i for i, label in enumerate(classifier.labels)}
        means, beside = classifier._features([text for text, _ in known])
        targets = np.array([number[label] for _, label in known], np.int32)
        learner = EmotionLearner(classifier.network, learning_rate, weight_decay)
        draw = np.random.default_rng(seed)
        for _ in range(epochs):
            order = draw.permutation(len(known))
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                learner.train_step(means[rows], beside[rows], targets[rows])
        return classifier

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Compute the probability of each label for each text.

        Args:
            texts: The B utterances. An utterance without known words or emoticons is classified by its other features.

        Returns:
            The probabilities, a float32 array of shape (B, K).
        """
        return tf.nn.softmax(self.network(*self._features(texts))).numpy()

    def classify(self, texts: Sequence[str]) -> list[str]:
        """Return the likeliest label of each text."""
        return [self.labels[i] for i in self.probabilities(texts).argmax(axis=1)]

    def accuracy(self, texts: Sequence[str], labels: Sequence[str | None]) -> float:
        """Compute the share of labelled texts that are classified correctly.

        Args:
            texts: The utterances.
            labels: The label of each utterance, or None to leave the utterance out. Labels unknown to the classifier
                count as errors.

        Returns:
            The share, or NaN if no utterance has a label.
        """
        pairs = zip(self.classify(texts), labels, strict=True)
        right = [classified == label for classified, label in pairs if label is not None]
        return float(np.mean(right)) if right else float("nan")

    def state(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Return the whole classifier as JSON-serialisable facts and arrays; `from_state` restores it."""
        weights = [variable.numpy() for variable in self.network.trainable_variables]
        return {"labels": list(self.labels), "words": list(self._position)}, [self._vectors, *weights]

    @classmethod
    def from_state(cls, facts: dict[str, Any], arrays: Sequence[np.ndarray]) -> Self:
        """Restore a classifier from the facts and arrays returned by `state`.

        Args:
            facts: The labels and the words.
            arrays: The word vectors and the weights of the network.

        Returns:
            The classifier.

        Raises:
            KeyError: The labels or the words are missing.
            ValueError: The facts do not match the arrays.
        """
        vectors, *weights = arrays
        classifier = cls(facts["labels"], dict(zip(facts["words"], vectors, strict=True)))
        assign(classifier.network.trainable_variables, weights)
        return classifier

    def _features(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the features of texts: mean word vectors, and emoticon classes with the compound score as the last
        column.

        The mean word vector of a text without known words is 0.
        """
        means = np.zeros((len(texts), self._vectors.shape[1]), np.float32)
        beside = np.zeros((len(texts), len(EMOTICONS) + 1), np.float32)
        for row, words in zip(means, _words(texts), strict=True):
            known = [self._position[word] for word in words if word in self._position]
            if known:
                row[:] = self._vectors[known].mean(axis=0)
        for row, text in zip(beside, texts, strict=True):
            row[:-1] = emoticon_classes(text)
            row[-1] = sentiment(text).compound
        return means, beside


class EmotionLearner(AdamWLearner):
    """A learner that trains the network of a classifier on labelled utterances with cross-entropy.

    Args:
        network: The network to train.
        learning_rate: The learning rate of AdamW.
        weight_decay: The weight decay of AdamW.
    """

    def __init__(self, network: TanhNetwork, learning_rate: float, weight_decay: float):
        super().__init__(network.trainable_variables, learning_rate, weight_decay)
        self.network = network

    def loss(self, means: tf.Tensor, beside: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tuple[()]]:
        """Compute the mean of -log p(label | utterance).

        Args:
            means: The mean word vectors, shape (B, d) and dtype float32.
            beside: The emoticon classes and the compound score, shape (B, len(EMOTICONS) + 1) and dtype float32.
            targets: The indices of the labels, shape (B,) and dtype int32.

        Returns:
            The mean loss, and an empty tuple, because no metrics are reported.
        """
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.network(means, beside))
        return replicas.mean(losses), ()


def emoticon_classes(text: str) -> np.ndarray:
    """Return which classes of EMOTICONS occur in a text, as a bool array of shape (len(EMOTICONS),)."""
    matched = (match.lastindex for match in _EMOTICON.finditer(text))  # the number of the emoticon, counted from 1
    classes = {_CLASSES[number - 1] for number in matched if number is not None}
    return np.array([name in classes for name in EMOTICONS])


def _words(texts: Sequence[str]) -> list[list[str]]:
    """Remove the emoticons from each text, and return the remaining words in lower case."""
    return tokenise([_EMOTICON.sub(" ", text) for text in texts])


def _fitted(texts: Sequence[str], dimension: int, seed: int) -> dict[str, np.ndarray]:
    try:
        fitted = glove.fit(_words(texts), dimension=dimension, x_max=X_MAX, seed=seed)
    except ValueError:
        raise UserError("emotions: no two words occur together in the text, so word vectors cannot be fitted") from None
    return dict(zip(fitted.words, fitted.matrix, strict=True))


def _pattern(emoticon: str) -> str:
    """Return a regular expression that matches an emoticon as a group.

    An emoticon of ASCII characters may repeat its last character. To keep "http://" from matching, the emoticon must
    not be followed by a letter or a slash. An emoticon that begins with a letter must not begin inside a word.
    """
    if not emoticon.isascii():
        return f"({emoticon})"
    begin = r"(?<!\w)" if emoticon[0].isalnum() else ""
    return f"({begin}{re.escape(emoticon)}{re.escape(emoticon[-1])}*(?![\\w/]))"


# Longer emoticons come first, because ">:(" contains ":(".
_BY_LENGTH = sorted(
    ((emoticon, name) for name, emoticons in EMOTICONS.items() for emoticon in emoticons),
    key=lambda pair: -len(pair[0]),
)
_CLASSES = [name for _, name in _BY_LENGTH]
_EMOTICON = re.compile("|".join(_pattern(emoticon) for emoticon, _ in _BY_LENGTH))
