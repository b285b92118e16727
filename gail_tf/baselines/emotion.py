"""The emotion of an utterance, and how far a response agrees with it: what RL-Seq2Seq is conditioned on and learns by.

"They classify each prompt into an emotion class by the words and emoticons used in each utterance" (Section 2, of Fung
et al. 2018), and the policy learns by PPO. Neither says how the classes are told or what the reward is; here:

- What is known of an utterance is the mean of its words' GloVe vectors, which classes of emoticons it holds, and
  VADER's compound score, which sees negation and emphasis. The paper's network (two layers of 100 tanh units) and a
  softmax over the corpus' own labels follow.
- The reward is `emotion_agreement`.

Shapes: B utterances, K labels.
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

# Emoticons and emoji by what they show, not by the labels of a corpus: the network learns what each class means there.
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

DIMENSION = 100  # of word vectors that are fitted
X_MAX = 10.0  # GloVe's, for corpora where few words co-occur 100 times


def emotion_agreement(prompt_probabilities: np.ndarray, response_probabilities: np.ndarray) -> np.ndarray:
    """The reward: the probability that a response is of its prompt's emotion class.

    prompt_probabilities, response_probabilities: (B, K) float32, the classifier's. Returns (B,) float32, in [0, 1].

    The prompt's class is its likeliest, as Fung et al. put each prompt into one class. Of the response the probability
    is taken, not the class, so that the reward tells responses apart before and after the class changes. It leaves out
    much of empathy: comfort need not sound as sad as what it answers, a repetition of the prompt agrees best, and
    neither meaning nor fluency counts; PPO's penalty on the KL is what keeps these.

    Raises ValueError where the shapes differ.
    """
    if prompt_probabilities.shape != response_probabilities.shape:
        raise ValueError(f"prompts of shape {prompt_probabilities.shape}, responses {response_probabilities.shape}")
    classes = prompt_probabilities.argmax(axis=1)
    return np.take_along_axis(response_probabilities, classes[:, None], axis=1)[:, 0].astype(np.float32)


class EmotionClassifier:
    """Tells the emotion of utterances by their words and emoticons.

    labels: K names. vectors: {word: (d,)}, words in lower case. seed: of the network, which says 1 / K at first.
    Raises UserError where there are fewer than two labels, or no vector.
    """

    def __init__(self, labels: Sequence[str], vectors: Mapping[str, np.ndarray], seed: int = 0):
        if len(labels) < 2:
            raise UserError(f"emotions: the labels are {list(labels)}; trajectories of two or more are expected")
        if not vectors:
            raise UserError("emotions: no word has a vector; those of the corpus' words are expected")
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
        """Learn from labelled utterances by cross-entropy.

        texts, labels: n each. Those labelled None only serve to fit word vectors. vectors: {word: (d,)}; all of them
        are stored with the classifier, so those of the corpus' words are enough. None fits vectors of `dimension`
        numbers to the texts. The same arguments give the same classifier.

        Raises UserError where there are fewer than two labels, no vector is given, or none can be fitted.
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
        """(B, K) float32. Of a text without a known word or emoticon: what is left to say without any."""
        return tf.nn.softmax(self.network(*self._features(texts))).numpy()

    def classify(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text."""
        return [self.labels[i] for i in self.probabilities(texts).argmax(axis=1)]

    def accuracy(self, texts: Sequence[str], labels: Sequence[str | None]) -> float:
        """The share of labelled texts that are classified right; NaN where none has a label.

        A label that the training had not is never right.
        """
        found = zip(self.classify(texts), labels, strict=True)
        right = [classified == label for classified, label in found if label is not None]
        return float(np.mean(right)) if right else float("nan")

    def state(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """All of it, as facts for JSON and arrays; see `run_folder.write_bot`."""
        weights = [variable.numpy() for variable in self.network.trainable_variables]
        return {"labels": list(self.labels), "words": list(self._position)}, [self._vectors, *weights]

    @classmethod
    def from_state(cls, facts: dict[str, Any], arrays: Sequence[np.ndarray]) -> Self:
        """What `state` gave. Raises KeyError or ValueError where it did not give that."""
        vectors, *weights = arrays
        classifier = cls(facts["labels"], dict(zip(facts["words"], vectors, strict=True)))
        assign(classifier.network.trainable_variables, weights)
        return classifier

    def _features(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The words' mean vectors (B, d), zeros where none is known; emoticon classes and compound score (B, _)."""
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
    """The classifier's network learns the labels of utterances by cross-entropy."""

    def __init__(self, network: TanhNetwork, learning_rate: float, weight_decay: float):
        super().__init__(network.trainable_variables, learning_rate, weight_decay)
        self.network = network

    def loss(
        self, means: tf.Tensor, beside: tf.Tensor, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """The mean of -log p(label | utterance).

        Args:
            means: (B, d) float32, of the words' vectors.
            beside: (B, _) float32, emoticon classes and compound score.
            targets: (B,) int32, the numbers of the labels.

        Returns:
            The mean; the sum of the losses, and the number of utterances.
        """
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.network(means, beside))
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))


def emoticon_classes(text: str) -> np.ndarray:
    """Which classes of EMOTICONS a text holds: (len(EMOTICONS),) bool."""
    matched = (match.lastindex for match in _EMOTICON.finditer(text))  # the number of the emoticon, from 1
    found = {_CLASSES[number - 1] for number in matched if number is not None}
    return np.array([name in found for name in EMOTICONS])


def _words(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text as GloVe knows them; the letters of emoticons are no words."""
    return tokenise([_EMOTICON.sub(" ", text) for text in texts])


def _fitted(texts: Sequence[str], dimension: int, seed: int) -> dict[str, np.ndarray]:
    try:
        found = glove.fit(_words(texts), dimension=dimension, x_max=X_MAX, seed=seed)
    except ValueError:
        raise UserError("emotions: no two words of the text stand together, so no word vectors can be fitted") from None
    return dict(zip(found.words, found.matrix, strict=True))


def _pattern(emoticon: str) -> str:
    """Typed ones end neither in a word nor in a link (http://), those of letters begin in none; mouths may repeat."""
    if not emoticon.isascii():
        return f"({emoticon})"
    begin = r"(?<!\w)" if emoticon[0].isalnum() else ""
    return f"({begin}{re.escape(emoticon)}{re.escape(emoticon[-1])}*(?![\\w/]))"


# Longer ones first: ">:(" holds ":(".
_BY_LENGTH = sorted(
    ((emoticon, name) for name, emoticons in EMOTICONS.items() for emoticon in emoticons),
    key=lambda pair: -len(pair[0]),
)
_CLASSES = [name for _, name in _BY_LENGTH]
_EMOTICON = re.compile("|".join(_pattern(emoticon) for emoticon, _ in _BY_LENGTH))
