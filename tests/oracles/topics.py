"""Topics in plain NumPy and float64 (Xing et al. 2017): attention to topic words, and p = p_V + p_K with one Z."""

import numpy as np

from tests.oracles.equations import PAD, Equations


def relu(z):
    return np.maximum(z, 0)


class TopicEquations(Equations):
    """Computes Eq. 1-3 with topics, for one partial answer at a time.

    The topic of a context is argmax over z of log p(z) + sum of log p(w|z) over the words w that belong to topics.
    """

    def words(self, x):
        log_words, log_topics = self.weights["topic"]
        scores = log_topics.copy()
        for token in x:
            scores += log_words[token]
        return self.weights["topic_words"][0][int(np.argmax(scores))].astype(int)

    def p(self, x, y, speaker=None):
        words = self.words(x)
        K = self.weights["shared"][0][words]
        context = self.encode("encoder_context_bot", x)
        v = [] if speaker is None else [self.weights["persona_bot"][0][speaker]]
        if self.canonical:
            before, e_a = v, self.encode("encoder_answer_bot", y, start=context)[0]
        else:
            before, e_a = [context[0], *v], self.encode("encoder_answer_bot", y)[0]
        W_q, b_q = self.weights["topic_query_bot"]
        (W_k,) = self.weights["topic_key_bot"]
        (a,) = self.weights["topic_attention_bot"]
        query = np.concatenate([*before, e_a]) @ W_q + b_q
        eta = np.array([a @ np.tanh(query + k @ W_k) for k in K])
        alpha = np.exp(eta) / np.exp(eta).sum()
        o = sum(weight * k for weight, k in zip(alpha, K, strict=True))
        e = np.concatenate([*before, o, e_a])
        (W_1, b_1), (W_2, b_2) = self.weights["bot"], self.weights["decision_bot"]
        psi_V = relu(e @ W_1 + b_1) @ W_2 + b_2
        W_t, b_t = self.weights["topic_bonus_bot"]
        numerators = np.exp(psi_V)
        for word, k in zip(words, K, strict=True):
            numerators[word] += np.exp(k @ (e @ W_t + b_t))
        return numerators / numerators.sum()


def brute_force_topic(x, log_words, log_topics):
    """Return the topic with the highest posterior probability, from the probabilities and not their logarithms."""
    best, highest = None, -1.0
    for z in range(len(log_topics)):
        probability = np.exp(np.float64(log_topics[z]))
        for token in x:
            if token != PAD and log_words[token].any():
                probability *= np.exp(np.float64(log_words[token, z]))
        if probability > highest:
            best, highest = z, probability
    return best
