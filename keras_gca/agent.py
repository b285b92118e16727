"""A trained model as an object that replies: `Agent.load("runs/first").reply("Hello!")`.

x is a context and y an answer. s_s is the maximum number of tokens in a context and in a partial answer, s_v is the
number of tokens in the vocabulary, and N_u is the number of utterances in a context (`Config` has their values). B is
the number of contexts in a batch.
"""

import os
from collections.abc import Sequence

import numpy as np

from keras_gca.bot import Bot
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts, with_speakers
from keras_gca.data.speakers import speaker_named
from keras_gca.data.text import tokenise
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.answers import answer_of, chosen_first
from keras_gca.models.context_changes import ChangeDetector
from keras_gca.models.decoding import Decoded
from keras_gca.models.decoding_settings import GREEDY, Decoding
from keras_gca.models.exporting import export_networks
from keras_gca.models.trained_networks import TrainedNetworks
from keras_gca.safety.crisis import note_on
from keras_gca.serving.protocol import Answer, as_histories
from keras_gca.sharing import hub
from keras_gca.sharing.hub import BOT
from keras_gca.storage.bot_file import damaged_bot
from keras_gca.storage.export_folder import refuse_non_empty


class Agent:
    """One or more generators, and the discriminator that chooses among their answers.

    Use `load` to make an agent from a run folder or a `bot.h5`.

    Args:
        config: The settings that the networks were trained with.
        vocabulary: The s_v words that the networks know.
        generators: The name and the weights of each generator. The weights are float32 arrays: the block WHITE of
            Figure 2 (the word vectors), and then the blocks `yellow`.
        discriminator: The weights of the discriminator in the same form: WHITE, and then `green`.
        detector: The weights of the detector of context changes if `context_changes` is "detect", or None otherwise.
        topics: The weights of the topic model if `topics` is set, or None otherwise.

    Attributes:
        notes_crises: Whether `crisis_note` answers messages that mention self-harm or danger; initially True.
        crisis_lines: Local crisis lines that the note names, for example "Samaritans (UK): 116 123"; initially empty.
        persona: The name of the speaker that `speak_as` has set, or None if the agent answers as no particular speaker.
        networks: The generators and the discriminator, which take and return arrays instead of text.

    Raises:
        ValueError: There is no generator, or the weights do not have the sizes that the config requires.

    Examples:
        >>> from keras_gca import Agent, Decoding
        >>> agent = Agent.load("runs/first")
        >>> agent
        <Agent: teacher forcing and adversarial, 16 words>
        >>> reply = agent.reply("Hello.")  # to one message, or to a conversation:
        >>> reply = agent.reply(["Hello.", "Hello there, Tom.", "How are you?"], Decoding(temperature=0.8), seed=1)
        >>> best, other = agent.answers("How are you?")  # the discriminator's choice first
        >>> agent.generators
        ('teacher_forcing', 'adversarial')
        >>> agent.crisis_note("How are you?") is None
        True
    """

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        generators: dict[str, list[np.ndarray]],
        discriminator: list[np.ndarray],
        detector: list[np.ndarray] | None = None,
        topics: list[np.ndarray] | None = None,
    ):
        Bot(config, vocabulary, generators, discriminator, detector, topics).refuse_misfits()
        self.detector = None if detector is None else ChangeDetector.of_weights(detector)
        if self.detector is not None and self.detector.words.input_dim != len(vocabulary):
            raise ValueError(f"the detector of context changes knows {self.detector.words.input_dim:,} words")
        self.notes_crises = True
        self.crisis_lines: Sequence[str] = ()
        self.persona: str | None = None
        self.config, self.vocabulary = config, vocabulary
        self.weights, self.discriminator, self.topics = generators, discriminator, topics
        self.networks = TrainedNetworks(config, vocabulary, generators, discriminator, topics)

    @classmethod
    def load(cls, path: str | os.PathLike, agreed: bool = False) -> "Agent":
        """Load an agent from a `bot.h5`, from a run folder that contains one, or from the Hugging Face Hub.

        Args:
            path: The file, the folder, or the name of a model on the Hub (OWNER/NAME); see `hub.bot_of`.
            agreed: Whether the user has agreed to a download from the Hub. If not, the user is asked at the terminal.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the first paper, or the user does not agree.
        """
        path, bot = Bot.read(hub.bot_of(path, agreed))
        try:
            return cls(bot.config, bot.vocabulary, bot.generators, bot.discriminator, bot.detector, bot.topics)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def save(self, path: str | os.PathLike, half_precision: bool = False) -> None:
        """Write one self-contained HDF5 file: weights, config and vocabulary.

        Args:
            path: The file.
            half_precision: Whether to write the weights as float16, which `load` turns into float32 again.

        Raises:
            OSError: The file cannot be written; a previous file stays unchanged.
        """
        detector = None if self.detector is None else self.detector.weights
        bot = Bot(self.config, self.vocabulary, self.weights, self.discriminator, detector, self.topics)
        bot.write(path, half_precision)

    def export(self, folder: str | os.PathLike) -> list[str]:
        """Write the agent for other programs: Keras and TensorFlow load it without this project.

        The folder will contain each generator (Figure 1) as `GENERATOR.keras`, a SavedModel in `saved_model` that
        replies to text (see `models/text_replies.py`), and the agent itself as `bot.h5`. None of these checks whether a
        message mentions self-harm or danger.

        Args:
            folder: A folder that is empty or does not exist.

        Returns:
            The names of the files and folders that were written.

        Raises:
            UserError: The folder is not empty, or cannot be written.
        """
        folder = refuse_non_empty(folder)
        written = export_networks(folder, self.networks, self.config, self.vocabulary, self.detector)
        self.save(folder / BOT)
        return [*written, BOT]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.description}>"

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the generators, with underscores."""
        return tuple(self.networks.decoders)

    @property
    def description(self) -> str:
        """A text that names the generators and the size of the vocabulary."""
        names = " and ".join(name.replace("_", " ") for name in self.generators)
        return f"{names}, {len(self.vocabulary):,} words"

    @property
    def longest(self) -> int:
        """s_s, the maximum number of tokens in a context; the networks do not read more."""
        return self.config.sentence_length

    @property
    def judges_words(self) -> bool:
        """Whether the discriminator scores every token of an answer; after `reinforce` it scores whole answers."""
        return self.config.algorithm != "reinforce"

    @staticmethod
    def figures(answer: Answer) -> str:
        """Format an answer's probability and the discriminator's scores for it as text, for a chat."""
        by = f"human {answer.human:.2g} (Eq. 9)  score {answer.score:.3f} (Eq. 10)"
        return f"p(y|x) {answer.probability:.2g}  {by}"

    def crisis_note(self, message: str) -> str | None:
        """Return the note that answers a message about self-harm or danger. No model is used to recognise the message.

        Args:
            message: The message to check.

        Returns:
            The note, followed by each of `crisis_lines` on a separate line. The result is None for any other message,
            or if `notes_crises` is False.
        """
        return note_on(message, self.crisis_lines) if self.notes_crises else None

    def reply(self, history: str | Sequence[str], decoding: Decoding = GREEDY, seed: int = 0) -> str:
        """Answer a message, or a conversation.

        This method does not check whether a message mentions self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far. The last one is answered, and the last N_u form the context. A single text
                is a conversation of one utterance.
            decoding: How answers are generated; greedily if not given.
            seed: The random seed for sampling.

        Returns:
            The text of the answer that the discriminator chooses (Eq. 10).

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        return self.answers(history, decoding=decoding, seed=seed)[0].text

    def answers(
        self,
        history: str | Sequence[str],
        context_utterances: int | None = None,
        decoding: Decoding = GREEDY,
        seed: int = 0,
    ) -> list[Answer]:
        """Return every generator's answer, with the discriminator's choice (Eq. 10) first.

        This method does not check whether a message mentions self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, of which the last one is answered, or a single text.
            context_utterances: The number of utterances in the context, or None for the N_u used in training.
            decoding: How answers are generated; greedily if not given.
            seed: The random seed for sampling.

        Returns:
            One answer from each generator.

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        return self.answers_to_all([history], context_utterances, decoding, [seed])[0]

    def answers_to_all(
        self,
        histories: Sequence[str | Sequence[str]],
        context_utterances: int | None,
        decoding: Decoding,
        seeds: Sequence[int],
    ) -> list[list[Answer]]:
        """Answer several conversations in one batch.

        Each conversation gets the answers that `answers` would give it. Probabilities and scores may differ by float32
        rounding errors. A beam search does not repeat the agent's own last utterance, which is the second-to-last
        utterance of the conversation.

        Args:
            histories: The conversations; see `answers`.
            context_utterances: The number of utterances in each context, or None for the N_u used in training.
            decoding: How answers are generated.
            seeds: The random seed for sampling in each conversation.

        Returns:
            For each conversation, one answer from each generator, with the discriminator's choice first.

        Raises:
            UserError: One of the histories is empty, or its last utterance is blank.
        """
        histories = as_histories(histories)
        encoded = self.encode_contexts(histories, context_utterances)
        own = self.tokenise([history[-2] if len(history) > 1 else "" for history in histories])
        said = frame_answers([self.vocabulary.encode(tokens) for tokens in own], self.config.sentence_length)
        return self.answer_contexts(encoded, decoding, seeds, said)

    def encode_contexts(self, histories: Sequence[Sequence[str]], context_utterances: int | None = None) -> np.ndarray:
        """Encode the last utterances of B conversations as contexts.

        If the agent has a detector of context changes, a context begins after the last change that the detector finds.

        Args:
            histories: The utterances of each conversation.
            context_utterances: The number of utterances in each context, or None for the N_u used in training. If the
                agent has a detector, this is the maximum number.

        Returns:
            (B, s_s) int32, padded on the left. For a hierarchical encoder, the shape is (B, N_u s_s), with more columns
            if `context_utterances` exceeds N_u.
        """
        count = context_utterances or self.config.context_utterances
        read = [history[-count:] for history in histories]
        tokens = iter(self.tokenise([utterance for utterances in read for utterance in utterances]))
        encoded = [[self.vocabulary.encode(next(tokens)) for _ in utterances] for utterances in read]
        return self.contexts_of(encoded)

    def contexts_of(self, encoded: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """Make contexts from the tokens of utterances; the result has the same form as that of `encode_contexts`.

        Args:
            encoded: The tokens of each utterance of B contexts.
        """
        config = self.config
        if self.detector is not None:
            encoded = self.detector.without_earlier_contexts(encoded, config.sentence_length)
        contexts = [joined(utterances, config.sentence_length, config.hierarchical) for utterances in encoded]
        length = config.context_length
        if config.hierarchical:
            length = max([length, *(len(context) for context in contexts)])
        made = pad_contexts(contexts, length)
        if config.names_speakers:
            made = with_speakers(made, [self.vocabulary.token_of_speaker(self.persona)] * len(made))
        return made

    def speak_as(self, persona: str) -> None:
        """From now on, answer as a speaker of the corpus.

        Args:
            persona: The name of the speaker, in upper or lower case.

        Raises:
            UserError: The agent does not know this speaker.
        """
        self.persona = speaker_named(persona, self.vocabulary)

    def answer_contexts(
        self,
        contexts: np.ndarray,
        decoding: Decoding = GREEDY,
        seed: int | Sequence[int] = 0,
        unwanted: np.ndarray | None = None,
    ) -> list[list[Answer]]:
        """Answer a batch of encoded contexts.

        Args:
            contexts: (B, s_s) int32, the indices of tokens, padded on the left.
            decoding: How answers are generated; greedily if not given.
            seed: The random seed for sampling: one for all contexts, or one for each of them.
            unwanted: (B, s_s + 1) int32, answers that a beam search must not return; see `Decoder.beam`.

        Returns:
            For each context, one answer from each generator, with the discriminator's choice first.
        """
        decoded = {name: self.decode(name, contexts, decoding, seed, unwanted) for name in self.generators}
        rows = np.concatenate([batch.answers for batch in decoded.values()])
        log_l = np.split(self.judge(np.tile(contexts, (len(decoded), 1)), rows), len(decoded))
        parts = [(name, batch, log) for (name, batch), log in zip(decoded.items(), log_l, strict=True)]
        return [self._ranked([answer_of(*part, i, self.vocabulary) for part in parts]) for i in range(len(contexts))]

    def decode(
        self,
        generator: str,
        contexts: np.ndarray,
        decoding: Decoding = GREEDY,
        seed: int | Sequence[int] = 0,
        unwanted: np.ndarray | None = None,
    ) -> Decoded:
        """Generate one generator's answers to contexts as tokens, without scores; see `TrainedNetworks.decode`."""
        return self.networks.decode(generator, contexts, decoding, seed, unwanted)

    def n_best(self, generator: str, contexts: np.ndarray, width: int) -> Decoded:
        """Return all answers of a beam search, the best one first; see `TrainedNetworks.n_best`."""
        return self.networks.n_best(generator, contexts, width)

    @staticmethod
    def _ranked(answers: list[Answer]) -> list[Answer]:
        return chosen_first(answers)

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i (Eq. 8) for every token of answers to contexts; see `TrainedNetworks.judge`."""
        return self.networks.judge(contexts, answers)

    def perplexities(self, pairs: Pairs, batch_size: int = 32) -> dict[str, float]:
        """Compute the perplexity of each generator on pairs; see `TrainedNetworks.perplexities`."""
        return self.networks.perplexities(pairs, batch_size)

    def token_log_probabilities(self, pairs: Pairs, generator: str | None = None) -> np.ndarray:
        """Compute log p(y_t | x, y) for every token of answers; see `TrainedNetworks.token_log_probabilities`."""
        return self.networks.token_log_probabilities(pairs, generator)

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Tokenise utterances in the same way as in training."""
        return tokenise(utterances, self.config.contractions)

    def unknown_words(self, utterance: str) -> list[str]:
        """Return the words of an utterance that the model does not know."""
        return [token for token in self.tokenise([utterance])[0] if token not in self.vocabulary.counts]
