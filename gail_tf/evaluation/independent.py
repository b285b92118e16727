"""MAUVE, relevance and similarity of responses, measured for all systems with the same independent encoder.

Cosine similarities depend on the encoder and the corpus. Therefore the mean similarity of shuffled pairs, the value
expected by chance, is subtracted from each similarity. A result of 0 means that a system is no better than chance.

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
    """Compute how much closer each response is to its partner than to partners from other conversations.

        cos(v_i, o_i) - mean of cos(v_i, o_j) over all j in other conversations

    The mean covers all pairs from different conversations instead of a random sample, so the result is deterministic.

    Args:
        vectors: The vectors of the responses, shape (n, E).
        others: The vector of each response's partner, for example its context, shape (n, E).
        conversations: The number of each response's conversation, shape (n,). At least two conversations are needed.

    Returns:
        A float64 array of shape (n,). Its mean is about 0 if the pairs are shuffled.

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
    """Join the history and the prompt into the text that a response's relevance is measured against."""
    return " ".join((*trajectory.history, trajectory.prompt))


class IndependentMeasures:
    """MAUVE, relevance and similarity of all systems' responses to the same trajectories.

    Args:
        encoder: The encoder.
        answered: The n trajectories to answer.
        further: Other trajectories, whose human responses are compared with the human responses in `answered`.
    """

    def __init__(self, encoder: Encoder, answered: Sequence[Trajectory], further: Sequence[Trajectory]):
        self._encoder, self._further = encoder, further
        self._conversations = np.array([trajectory.conversation for trajectory in answered])
        self._human = encoder([trajectory.response for trajectory in answered])
        self._contexts = encoder([context_of(trajectory) for trajectory in answered])
        self._answered = answered
        self._tweets = np.array([trajectory.source == "tweets" for trajectory in answered], bool)

    def scores(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Compute each response's relevance to its context, and each response's similarity to the human response.

        Args:
            vectors: The vectors of the responses, shape (n, E).

        Returns:
            A dictionary that maps the names of the two measures to float64 arrays of shape (n,); see `above_shuffled`.
            Responses to tweets and to conversations are each compared with partners of their own kind, so that
            unrelated responses have a mean of about 0 in both parts. If one kind has a single conversation, all
            responses are compared with all partners. The dictionary is empty if there is only one conversation at all.
        """
        if len(np.unique(self._conversations)) < 2:
            return {}
        kinds = [kind for kind in (self._tweets, ~self._tweets) if kind.any()]
        if any(len(np.unique(self._conversations[kind])) < 2 for kind in kinds):
            kinds = [np.ones(len(vectors), bool)]
        scores = {RELEVANCE: np.zeros(len(vectors)), SIMILARITY: np.zeros(len(vectors))}
        for kind in kinds:
            for title, others in ((RELEVANCE, self._contexts), (SIMILARITY, self._human)):
                scores[title][kind] = above_shuffled(vectors[kind], others[kind], self._conversations[kind])
        return scores

    def vectors(self, responses: Sequence[str]) -> np.ndarray:
        """Compute the vectors of n responses, with shape (n, E)."""
        return self._encoder(responses)

    def mauve(self, vectors: np.ndarray, places: np.ndarray) -> float:
        """Compute MAUVE for a subset of the responses and the human responses to the same trajectories.

        Args:
            vectors: The vectors of all n responses, shape (n, E).
            places: The indices of the m responses in the subset, shape (m,).
        """
        return mauve(vectors[places], self._human[places])

    def ceiling(self, places: np.ndarray) -> dict[str, float]:
        """Measure a subset of the human responses. No system is expected to exceed these values.

        MAUVE compares these responses with an equal number of human responses to other trajectories of the same kind
        (tweets or conversations).

        Args:
            places: The indices of the answered trajectories whose human responses are measured.

        Returns:
            The relevance and MAUVE of these responses. MAUVE depends on the number of texts, so it is left out if
            `further` contains fewer suitable responses than `places` has indices.
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
