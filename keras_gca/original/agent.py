"""Makes an agent from the author's own files. The agent decodes, scores, and chooses answers as his programs do.

agent = load("folder")                          # reads vocabulary_movie and my_model_weights*.h5
write("folder", agent)                          # writes the same files
reply = replies_by_his_rule(agent, decoding)    # answers in a chat, choosing the context as his program does
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from nltk.tokenize import NLTKWordTokenizer

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.pickled_vocabulary import VOCABULARY, read_vocabulary
from keras_gca.errors import UserError
from keras_gca.models.decoding_settings import Decoding
from keras_gca.original.weights import (
    DISCRIMINATOR,
    GENERATORS,
    his_weights,
    our_weights,
    read_weights,
    write_vocabulary,
    write_weights,
)
from keras_gca.serving.protocol import Answer

LIKELY = 0.9  # if an answer's probability exceeds this, the most probable answer is chosen without the discriminator
RELEVANT = 0.2  # if a reply's probability, without EOS, exceeds this, the reply is part of the next reply's context


class OriginalAgent(Agent):
    """An agent that is made from the author's files, and replies as his `conversation_discriminator.py` does.

    Attributes:
        report: One line for each layer in each file, naming the layer of this project that received its weights.
    """

    report: list[str]

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Tokenise utterances by the author's rules and NLTK's word tokenizer, as in his chat."""
        return [NLTKWordTokenizer().tokenize(" ".join(tokens)) for tokens in super().tokenise(utterances)]

    @staticmethod
    def _ranked(answers: list[Answer]) -> list[Answer]:
        """Rank answers by probability if any answer's probability exceeds 0.9, and otherwise by score (Eq. 10)."""
        likely = max(answer.probability_of_words for answer in answers) > LIKELY
        return sorted(answers, key=lambda answer: -(answer.probability_of_words if likely else answer.score))


def replies_by_his_rule(agent: Agent, decoding: Decoding, seed: int = 0) -> Callable[[list[str], int], list[Answer]]:
    """Make a function that answers in a chat and chooses the context as the author's program does.

    If the probability of the last reply exceeds RELEVANT, the context consists of this reply and the user's line.
    Otherwise, the context is only the user's line.

    Args:
        agent: Any agent.
        decoding: How answers are generated.
        seed: The seed for sampling.

    Returns:
        A function that takes the utterances of a conversation and the number of the turn, and returns answers; see
        `terminal.talk`.
    """
    # The probability of each reply, keyed by the conversation that ends with it, because the user may return to an
    # earlier point.
    probabilities: dict[tuple[str, ...], float] = {}

    def reply(history: list[str], turn: int) -> list[Answer]:
        count = 2 if probabilities.get(tuple(history[:-1]), 0.0) > RELEVANT else 1
        answers = agent.answers(history, count, decoding, seed + turn)
        probabilities[(*history, answers[0].text)] = answers[0].probability_of_words
        return answers

    return reply


def load(folder: str | os.PathLike, sentence_length: int = 50) -> OriginalAgent:
    """Load an agent from the author's four files, whose names are in GENERATORS, DISCRIMINATOR, and VOCABULARY.

    Args:
        folder: The folder with the files.
        sentence_length: s_s, the maximum number of tokens in a context. The files do not contain this number.

    Raises:
        UserError: A file is missing, or the files do not match.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; give a folder that contains {', '.join([VOCABULARY, *GENERATORS.values()])}"
        )
    vocabulary = read_vocabulary(folder / VOCABULARY)
    files = {**GENERATORS, "discriminator": DISCRIMINATOR}
    networks, report = {}, []
    for name, file in files.items():
        network = "generator" if name in GENERATORS else "discriminator"
        arrays, placements = read_weights(folder / file, network)
        words = len(arrays[0])
        if words != len(vocabulary) - 1:
            raise UserError(
                f"{folder / file}: the weights are for {words:,} words, but {folder / VOCABULARY} has "
                f"{len(vocabulary) - 1:,}, including the unknown word"
            )
        networks[name] = our_weights(arrays, network)
        report += [f"{file}: {placement}" for placement in placements]
    discriminator = networks.pop("discriminator")
    shapes = [[array.shape for array in arrays] for arrays in networks.values()]
    if shapes[0] != shapes[1]:
        raise UserError(f"{folder}: the shapes of the two generators' weights differ: {shapes[0]} and {shapes[1]}")
    first = networks["teacher_forcing"]
    config = Config.preset(
        "paper",
        padding="original",
        contractions="expanded",
        vocabulary_size=len(vocabulary),
        sentence_length=sentence_length,
        word_embedding_size=first[0].shape[1],
        sentence_embedding_size=first[2].shape[0],
        hidden_size=len(first[8]),
        discriminator_sentence_embedding_size=discriminator[2].shape[0],
    )
    agent = OriginalAgent(config, vocabulary, networks, discriminator)
    agent.report = report
    return agent


def write(folder: str | os.PathLike, agent: Agent) -> list[Path]:
    """Write an agent with `original` padding in the format of the author's four files.

    If the agent has only one generator, its weights are written to both generator files.

    Args:
        folder: The folder to write to, which is created if it does not exist.
        agent: The agent.

    Returns:
        The paths of the files.

    Raises:
        UserError: The agent has masked padding, which the author's programs would read as words, or a discriminator
            with a hidden layer, which his programs do not support.
    """
    if agent.config.padding != "original":
        raise UserError("only a model with --padding original can be written in the author's layout")
    if agent.config.discriminator_hidden_size:
        raise UserError("a discriminator with a hidden layer cannot be written in the author's layout")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / VOCABULARY
    write_vocabulary(vocabulary, agent.vocabulary)
    written = [vocabulary]
    for name, file in GENERATORS.items():
        weights = agent.weights[name if name in agent.weights else agent.generators[0]]
        write_weights(folder / file, his_weights(weights, "generator"), "generator")
        written.append(folder / file)
    write_weights(folder / DISCRIMINATOR, his_weights(agent.discriminator, "discriminator"), "discriminator")
    return [*written, folder / DISCRIMINATOR]
