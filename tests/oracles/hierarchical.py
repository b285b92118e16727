"""The hierarchical encoder in plain NumPy, written from the text of Sordoni et al. 2015 and Serban et al. 2016.

A recurrent network encodes the words of each utterance, and its last state is the vector of the utterance. A second
recurrent network reads these vectors, and its last state is the encoding of the conversation so far.
"""

import numpy as np

from tests.oracles.equations import EOS, PAD, Equations, lstm


def utterances_of(context):
    """Divide the tokens of a context into utterances; EOS ends each of them, and belongs to it."""
    utterances, words = [], []
    for token in context[context != PAD].tolist():
        words.append(token)
        if token == EOS:
            utterances.append(words)
            words = []
    assert not words
    return utterances


def grid(contexts, utterances, length):
    """Make the inputs of Figures 1 and 2, (n, utterances, length): utterances in rows, all padded on the left."""
    made = np.full((len(contexts), utterances, length), PAD, np.int32)
    for rows, context in zip(made, contexts, strict=True):
        for row, words in zip(rows[::-1], utterances_of(context)[::-1], strict=False):
            row[length - len(words) :] = words
    return made


class HierarchicalEquations(Equations):
    """Computes Eq. 1-3, 7 and 8, in which the encoding of the context is that of a hierarchical encoder."""

    def encode(self, name, tokens, start=None):
        if "context" not in name:
            return super().encode(name, tokens, start)
        W_e = self.weights["shared"][0]
        words = self.weights[name.replace("context", "utterance")]
        vectors = [lstm(words, W_e[utterance])[0] for utterance in utterances_of(np.asarray(tokens))]
        return lstm(self.weights[name], vectors)
