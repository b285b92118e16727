"""Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation", in plain NumPy, written from the paper.

A conversation is a list of utterances, which are lists of words. Turn k is an answer to the utterances before it.
"""

import numpy as np

from tests.oracles.equations import BOS, EOS, Equations


class DialogueEquations:
    """Computes the rewards of a turn, and the gradient of the layers W_1 and W_2 of Eq. 3.

    Args:
        forward: The equations of p and of the encoder.
        backward: The equations of p_backward.
        context_utterances: N_u, the number of utterances in a context.
        predicted: The number of utterances that p_backward predicts.
    """

    def __init__(self, forward: Equations, backward: Equations, context_utterances: int, predicted: int):
        self.forward, self.backward = forward, backward
        self.context_utterances, self.predicted = context_utterances, predicted

    @staticmethod
    def per_token(equations, x, y):
        """Compute log p(y|x) divided by the number of tokens of y, EOS included."""
        tokens = [BOS, *y, EOS]
        logs = [np.log(equations.p(x, tokens[:k])[tokens[k]]) for k in range(1, len(tokens))]
        return sum(logs) / len(logs)

    def context(self, said, k, count):
        """Return the words of the last utterances before turn k, as one list."""
        return [word for utterance in said[max(0, k - count) : k] for word in utterance]

    def ease_of_answering(self, said, k, dull):
        return -sum(self.per_token(self.forward, said[k], s) for s in dull) / len(dull)

    def information_flow(self, said, k, lowest):
        if k < 2 or not said[k - 2]:
            return 0.0
        h, earlier = (self.forward.encode("encoder_context_bot", said[i])[0] for i in (k, k - 2))
        cosine = h @ earlier / np.sqrt((h @ h) * (earlier @ earlier))
        return -np.log(max(cosine, lowest))

    def semantic_coherence(self, said, k):
        forward = self.per_token(self.forward, self.context(said, k, self.context_utterances), said[k])
        return forward + self.per_token(self.backward, said[k], self.context(said, k, self.predicted))


def policy_gradient(equations, turns, baseline):
    """Compute the loss of a policy gradient, and its gradients.

    Args:
        equations: The equations of p.
        turns: For each turn its context, its tokens without BOS, and the return Q of its conversation.
        baseline: The weights and the bias of the baseline, (hidden,) and a number.

    Returns:
        The mean of -(Q - b) log p over all tokens, and the gradients of W_1, b_1, W_2 and b_2.
    """
    W_1, b_1 = equations.weights["bot"]
    W_2, b_2 = equations.weights["decision_bot"]
    loss, gradients = 0.0, [np.zeros_like(weight) for weight in (W_1, b_1, W_2, b_2)]
    tokens = sum(len(answer) for _, answer, _ in turns)
    for x, answer, Q in turns:
        said = [BOS, *answer]
        for k, token in enumerate(answer, start=1):
            encodings = (("encoder_context_bot", x), ("encoder_answer_bot", said[:k]))
            e = np.concatenate([equations.encode(name, words)[0] for name, words in encodings])
            y_h = np.maximum(e @ W_1 + b_1, 0)
            p = equations.p(x, said[:k])
            advantage = (Q - (y_h @ baseline[0] + baseline[1])) / tokens
            loss -= advantage * np.log(p[token])
            d_logits = advantage * (p - np.eye(len(p))[token])
            d_hidden = (W_2 @ d_logits) * (y_h > 0)
            for gradient, part in zip(
                gradients, (np.outer(e, d_hidden), d_hidden, np.outer(y_h, d_logits), d_logits), strict=True
            ):
                gradient += part
    return loss, gradients
