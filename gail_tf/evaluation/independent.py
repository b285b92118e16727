"""Measures the MAUVE, relevance and similarity of responses with an independent encoder, the same for all systems.

Cosines depend on the encoder and the corpus. Therefore the mean cosine of pairs that do not belong together is
subtracted from each cosine. This mean is the value expected by chance. A result of 0 means that a system is not better
than chance.

Shapes: n responses, and vectors of size E with norm 1.
"""

from collections.abc import Callable, Sequence

import numpy as np

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.mauve import mauve

RELEVANCE, SIMILARITY, MAUVE = "relevance", "similarity to the human's", "MAUVE"
# A function that computes vectors of texts, (n, E) float32, for example a `SentenceEncoder`.
Encoder = Callable[[Sequence[str]], np.ndarray]


def above_shuffled(vectors: np.ndarray, others: np.ndarray, conversations: np.ndarray) -> np.ndarray:
    """Compute how much closer each vector is to its partner than to the partners in other conversations.

        cos(v_i, o_i) - mean of cos(v_i, o_j) over all j in other conversations

    The mean includes all such pairs, so that nothing is drawn at random.

    Args:
        vectors: The vectors of the responses, (n, E).
        others: The vector of each response's partner, for example its context, (n, E).
        conversations: The number of each response's conversation, (n,). There must be two or more conversations.

    Returns:
        (n,) float64, about 0 on average if the pairs are shuffled.

    Raises:
        ValueError: There is only one conversation.
    """
    numbers, index = np.unique(conversations, return_inverse=True)
    if len(numbers) < 2:
        raise ValueError("shuffled pairs need two or more conversations")
    vectors, others = np.asarray(vectors, np.float64), np.asarray(others, np.float64)
    sums = np.zeros((len(numbers), others.shape[1]))
    np.add.at(sums, index, others)
    elsewhere = len(others) - np.bincount(index)
    means = (others.sum(0) - sums) / elsewhere[:, None]
    return np.einsum("ne,ne->n", vectors, others - means[index])


def context_of(trajectory: Trajectory) -> str:
    """Return history and prompt as one text, to which a response is compared to measure its relevance."""
    return " ".join((*trajectory.history, trajectory.prompt))


class IndependentMeasures:
    """Measures all systems' responses to the same trajectories.

    Args:
        encoder: The encoder.
        answered: The n trajectories whose prompts are answered.
        further: Other trajectories, whose human responses are compared with the human responses in `answered`.
    """

    def __init__(self, encoder: Encoder, answered: Sequence[Trajectory], further: Sequence[Trajectory]):
        self._encoder, self._further = encoder, further
        self._conversations = np.array([trajectory.conversation for trajectory in answered])
        self._human = encoder([trajectory.response for trajectory in answered])
        self._contexts = encoder([context_of(trajectory) for trajectory in answered])
        self._answered = answered

    def scores(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the relevance of each response to its context, and its similarity to the human response.

        Args:
            vectors: The vectors of the responses, (n, E).

        Returns:
            Arrays (n,) float64 by name (`above_shuffled`). There are none if all trajectories belong to one
            conversation.
        """
        if len(np.unique(self._conversations)) < 2:
            return {}
        return {
            RELEVANCE: above_shuffled(vectors, self._contexts, self._conversations),
            SIMILARITY: above_shuffled(vectors, self._human, self._conversations),
        }

    def vectors(self, responses: Sequence[str]) -> np.ndarray:
        """Compute the vectors of n responses, (n, E)."""
        return self._encoder(responses)

    def mauve(self, vectors: np.ndarray, places: np.ndarray) -> float:
        """Compute the MAUVE of some responses, compared with the human responses to the same trajectories.

        Args:
            vectors: The vectors of all n responses, (n, E).
            places: The positions of the responses to measure, (m,).
        """
        return mauve(vectors[places], self._human[places])

    def ceiling(self, places: np.ndarray) -> dict[str, float]:
        """Measure some of the human responses. No system can be expected to exceed the results.

        Their MAUVE compares them with the same number of human responses to other trajectories of the same kind (tweets
        or conversations).

        Args:
            places: The positions of the human responses among the answered trajectories.

        Returns:
            The relevance and the MAUVE of these human responses. MAUVE is left out if `further` has fewer suitable
            responses than `places`, because MAUVE depends on the number of texts.
        """
        figures = {}
        scores = self.scores(self._human)
        if scores:
            figures[RELEVANCE] = float(scores[RELEVANCE][places].mean())
        tweets = self._answered[places[0]].source == "tweets"
        others = [one.response for one in self._further if (one.source == "tweets") == tweets][: len(places)]
        if len(others) == len(places) > 1:
            figures[MAUVE] = mauve(self._encoder(others), self._human[places])
        return figures
