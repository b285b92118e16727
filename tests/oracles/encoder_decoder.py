"""RL-Seq2Seq's network in NumPy: the first paper's Eq. 4 and 5, with the token indices of the second paper's code."""

import numpy as np

from gail_tf.baselines.seq2seq_policy import FIRST
from tests.oracles.equations import BOS, Equations


class Transcription(Equations):
    """Computes Eq. 4, Eq. 5 and the logits of Eq. 3, for one condition and one beginning of a response at a time."""

    def __init__(self, policy):
        super().__init__(policy.gca)

    def state(self, condition, begun):
        thought = self.encode("encoder_context_bot", [FIRST + token for token in condition])
        return self.encode("encoder_answer_bot", [BOS, *(FIRST + token for token in begun)], start=thought)[0]

    def logits(self, condition, begun):
        W_1, b_1 = self.weights["bot"]
        W_2, b_2 = self.weights["decision_bot"]
        hidden = np.maximum(self.state(condition, begun) @ W_1 + b_1, 0)
        return (hidden @ W_2 + b_2)[FIRST:]
