"""Reranking of N-best lists by maximum mutual information (Li et al. 2016)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from keras_gca.agent import Agent
    from keras_gca.data.pairs import Pairs


BATCH = 64
SHOWN = ("distinct-1", "distinct-2", "tokens", "repeated", "most frequent", "entropy, bits", "BLEU")


def candidates(
    agent: "Agent", generator: str, language_model: "Agent", backward: "Agent", pairs: "Pairs", width: int
) -> dict[str, "np.ndarray"]:
    """N-best lists for the contexts of `pairs`, and what three networks hold of each candidate.

    Returns "answers", (n, width, s_s + 1) int32, the beam's favourite (by log p(y|x) a token) first; "forward" and
    "backward", (n, width) float32, log p(y|x) and log p(x|y); "alone", (n, width, s_s) float32, log p of each token of
    y without a context, NaN after the end.
    """
    import numpy as np

    from keras_gca.agent import Decoding
    from keras_gca.data import pairs as transformations
    from keras_gca.data.pairs import Pairs

    parts = []
    for start in range(0, len(pairs), BATCH):
        contexts = pairs.contexts[start : start + BATCH]
        found = agent.n_best(generator, contexts, Decoding(beam=width))
        rows = found.answers.reshape(-1, found.answers.shape[-1])
        flat = Pairs(np.repeat(contexts, width, axis=0), rows, np.zeros(len(rows), np.int32))
        shape = found.answers.shape[:2]
        alone = language_model.token_log_probabilities(transformations.unconditional(flat))
        reverse = backward.token_log_probabilities(transformations.backward(flat))
        parts.append(
            {
                "answers": found.answers,
                "forward": found.log_probabilities,
                "backward": np.nansum(reverse, axis=-1).reshape(shape),
                "alone": alone.reshape(*shape, -1),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def anti_language_model(
    choices: dict[str, "np.ndarray"], weight: float, words: int, length_bonus: float
) -> "np.ndarray":
    """log p(y|x) - weight * (log p of y's first `words` tokens without a context) + length_bonus * N: (n, width)."""
    import numpy as np

    penalty = np.nansum(choices["alone"][..., :words], axis=-1)
    return choices["forward"] - weight * penalty + length_bonus * _tokens(choices)


def bidirectional(choices: dict[str, "np.ndarray"], weight: float, length_bonus: float) -> "np.ndarray":
    """(1 - weight) * log p(y|x) + weight * log p(x|y) + length_bonus * N: (n, width)."""
    both = (1 - weight) * choices["forward"] + weight * choices["backward"]
    return both + length_bonus * _tokens(choices)


def _tokens(choices: dict[str, "np.ndarray"]) -> "np.ndarray":
    import numpy as np

    return np.sum(~np.isnan(choices["alone"]), axis=-1)


def measure(
    agent: "Agent",
    choices: dict[str, "np.ndarray"],
    pairs: "Pairs",
    weights: tuple[float, ...],
    words: int,
    length_bonus: float,
) -> dict[str, dict[str, Any]]:
    """The figures (see `evaluate.reply_figures`) of the human replies, of plain beam search, and of both forms."""
    import numpy as np

    from keras_gca.evaluation.replies import reply_figures

    chosen = {"human": pairs.answers, "beam search": choices["answers"][:, 0]}
    for weight in weights:
        for name, scores in (
            ("anti-language model", anti_language_model(choices, weight, words, length_bonus)),
            ("bidirectional", bidirectional(choices, weight, length_bonus)),
        ):
            best = np.argmax(scores, axis=1)
            chosen[f"{name}, lambda {weight:g}"] = choices["answers"][np.arange(len(best)), best]
    return reply_figures(agent, chosen)
