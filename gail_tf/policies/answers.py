"""Converts sampled responses to chat answers with probabilities and the discriminator's scores."""

import numpy as np

from gail_tf.data.tokenizer import Tokenizer
from keras_gca.models.scoring import log_human_probability, log_score
from keras_gca.serving.protocol import Answer


def answer_of(
    tokenizer: Tokenizer,
    policy: str,
    text: str,
    tokens: np.ndarray,
    mask: np.ndarray,
    log_probs: np.ndarray,
    log_l: np.ndarray,
) -> Answer:
    """Convert a response of R tokens to an answer.

    Args:
        tokenizer: The policy's tokenizer.
        policy: The name of the policy.
        text: The response as text.
        tokens: The response, an int32 array of shape (R,).
        mask: A bool array of shape (R,), false at padding.
        log_probs: The log-probability of each token under the policy, a float32 array of shape (R,).
        log_l: The logarithm of the probability that an expert wrote the response, according to the discriminator D, a
            float32 array of shape (R,), or NaN; see `ConversationJudge.log_expert`.
    """
    written = [tokenizer.decode([token]) or "<eos>" for token in tokens[mask]]
    total = float(log_probs[mask].sum())
    ended = tokens[mask][-1] == tokenizer.end
    return Answer(
        generator=policy,
        text=text,
        probability=float(np.exp(total)),
        probability_of_words=float(np.exp(total - (log_probs[mask][-1] if ended else 0.0))),
        human=float(np.exp(log_human_probability(log_l))),
        score=float(np.exp(log_score(log_l))),
        token_scores=tuple(zip(written, np.exp(log_l[mask]).tolist(), strict=True)),
        token_probabilities=tuple(np.exp(log_probs[mask]).tolist()),
        ended=bool(ended),
    )
