"""The first paper's equations in plain NumPy and float64, written from its text. Tests compare the models with them."""

import numpy as np

PAD, BOS, EOS, PERIOD = 0, 1, 2, 4


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hard_sigmoid(z):
    return np.clip(0.2 * z + 0.5, 0, 1)


def softmax(z):
    z = np.exp(z - z.max())
    return z / z.sum()


def lstm(weights, sequence, s=sigmoid, start=None):
    """Run Hochreiter and Schmidhuber's LSTM with a forget gate over inputs (T, s_e). Return the last h and c."""
    W, U, b = weights
    units = U.shape[0]
    h, c = start or (np.zeros(units), np.zeros(units))
    for x in sequence:
        i, f, g, o = np.split(x @ W + h @ U + b, 4)
        c = s(f) * c + s(i) * np.tanh(g)
        h = s(o) * np.tanh(c)
    return h, c


class Equations:
    """Computes Eq. 1-3, 7 and 8 with the weights of a GenerativeConversationalAgent, for one partial answer at a time.

    x, the context, and y, the partial answer, are token indices, padded on the left with PAD. The padding is skipped.
    With the author's convention both are filled with "." up to s_s tokens instead.
    """

    def __init__(self, gca):
        self.original_padding, self.length = gca.original_padding, gca.sizes.sentence_length
        self.canonical = gca.canonical
        self.weights = {
            layer.name: [np.asarray(weight, np.float64) for weight in layer.get_weights()]
            for layer in gca.adversarial.layers
        }

    def encode(self, name, tokens, start=None):
        """Return h and c of an LSTM after it has read the tokens."""
        W_e = self.weights["shared"][0]
        tokens = [token for token in tokens if token != PAD]
        if self.original_padding:
            tokens = [PERIOD] * (self.length - len(tokens)) + tokens
        return lstm(self.weights[name], W_e[tokens], hard_sigmoid if self.original_padding else sigmoid, start)

    def p(self, x, y):
        context = self.encode("encoder_context_bot", x)
        if self.canonical:  # Eq. 5
            e, _ = self.encode("encoder_answer_bot", y, start=context)
        else:
            e = np.concatenate([context[0], self.encode("encoder_answer_bot", y)[0]])
        W_1, b_1 = self.weights["bot"]
        W_2, b_2 = self.weights["decision_bot"]
        return softmax(np.maximum(e @ W_1 + b_1, 0) @ W_2 + b_2)

    def human(self, x, y, token):
        """Compute l, the probability that the current token is human. `token` is a distribution, (s_v,)."""
        e_cd, _ = self.encode("encoder_context_discriminator", x)
        e_ad, _ = self.encode("encoder_answer_discriminator", y)
        W_d, b_d = self.weights["discriminator_output"]
        everything = np.concatenate([token, e_cd, e_ad])
        if "discriminator_hidden" in self.weights:  # not in the paper
            W_h, b_h = self.weights["discriminator_hidden"]
            everything = np.maximum(everything @ W_h + b_h, 0)
        return sigmoid(everything @ W_d + b_d)[0]


def algorithm_1(equations, x, length):
    """Carry out Algorithm 1 line by line, with the equations in NumPy.

    With masked padding, PAD and BOS are never chosen, and EOS is not chosen as the first token. Return the tokens, the
    probability p of the answer, and the factors of p.
    """
    forbidden = [] if equations.original_padding else [PAD, BOS]
    p, y, tokens = 1.0, [], BOS
    probabilities = []
    while tokens != EOS and len(y) < length:
        y = [*y, tokens]
        distribution = equations.p(x, y)
        choice = distribution.copy()
        choice[forbidden + ([EOS] if forbidden and len(y) == 1 else [])] = 0
        tokens = int(np.argmax(choice))
        probabilities.append(distribution[tokens])
        p *= distribution[tokens]
    return [*y, tokens], p, probabilities


def whole_answer_judgements(gca, pairs):
    """Compute D's output at the last token of each answer by Eq. 7-8, (pairs,)."""
    equations, judged = Equations(gca), []
    for x, answer in zip(pairs.contexts, pairs.answers, strict=True):
        tokens = [token for token in answer if token != PAD]
        judged.append(equations.human(x, tokens[:-1], np.eye(gca.sizes.vocabulary)[tokens[-1]]))
    return np.array(judged)
