"""Embeddings of speakers in plain NumPy (Li et al. 2016): the vector of the speaker is a part of the encoding e."""

import numpy as np

from tests.oracles.equations import Equations, softmax


class PersonaEquations(Equations):
    """Computes Eq. 1-3 with e = [e_c v e_a], or [v e_a] in a canonical generator; v is the vector of the speaker."""

    def p_as(self, speaker, x, y):
        context = self.encode("encoder_context_bot", x)
        v = self.weights["persona_bot"][0][speaker]
        if self.canonical:
            e = np.concatenate([v, self.encode("encoder_answer_bot", y, start=context)[0]])
        else:
            e = np.concatenate([context[0], v, self.encode("encoder_answer_bot", y)[0]])
        W_1, b_1 = self.weights["bot"]
        W_2, b_2 = self.weights["decision_bot"]
        return softmax(np.maximum(e @ W_1 + b_1, 0) @ W_2 + b_2)
