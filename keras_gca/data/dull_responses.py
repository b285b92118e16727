"""The dull responses of Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation".

The paper uses a list of eight responses but prints only two ("I don't know what you are talking about", "I have no
idea"). The others in this list were written for this project.
"""

import numpy as np

from keras_gca.data.pairs import frame_answers
from keras_gca.data.text import tokenise
from keras_gca.data.vocabulary import UNK, Vocabulary
from keras_gca.errors import UserError

DULL_RESPONSES = (
    "I don't know what you are talking about.",
    "I have no idea.",
    "I don't know.",
    "I don't know what to say.",
    "I don't understand.",
    "I'm not sure.",
    "I can't say.",
    "I have nothing to say.",
)


def encoded(vocabulary: Vocabulary, contractions: str) -> list[np.ndarray]:
    """Encode the dull responses whose words are all in a vocabulary.

    Args:
        vocabulary: The vocabulary.
        contractions: See `Config.contractions`.

    Returns:
        The token indices of each response, as a one-dimensional int32 array.
    """
    responses = [vocabulary.encode(tokens) for tokens in tokenise(DULL_RESPONSES, contractions)]
    return [response for response in responses if UNK not in response]


def framed(vocabulary: Vocabulary, contractions: str, sentence_length: int) -> np.ndarray:
    """Frame the dull responses as answers, so that their probabilities can be computed.

    Args:
        vocabulary: The vocabulary.
        contractions: See `Config.contractions`.
        sentence_length: s_s.

    Returns:
        An int32 array of shape (N_S, s_s + 1), where N_S is the number of responses.

    Raises:
        UserError: Every dull response contains a word that is not in the vocabulary.
    """
    responses = encoded(vocabulary, contractions)
    if not responses:
        raise UserError(
            "--algorithm dialogue_rewards: every dull response contains a word that is not in the vocabulary, for "
            f"example {DULL_RESPONSES[2]!r}; use an English corpus"
        )
    return frame_answers(responses, sentence_length)
