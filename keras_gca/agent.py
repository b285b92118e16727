"""A trained model that replies to messages: `Agent.load("runs/first").reply("Hello!")`.

x is a context and y an answer. s_s is the maximum number of tokens in a context or a partial answer, and N_u the number
of utterances in a context; `Config` sets both. s_v is the number of tokens in the vocabulary, and B the number of
contexts in a batch.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from keras_gca.bot import Bot
from keras_gca.config import Config
from keras_gca.data.keywords import Seq2BF
from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts, with_speakers
from keras_gca.data.speakers import speaker_named
from keras_gca.data.text import tokenise
from keras_gca.data.vocabulary import PAD, Vocabulary
from keras_gca.errors import UserError
from keras_gca.models.answers import answer_of, chosen_first
from keras_gca.models.context_changes import ChangeDetector
from keras_gca.models.decoding import Decoded
from keras_gca.models.decoding_settings import CHAT, GREEDY, RANKED, Decoding
from keras_gca.models.exporting import export_networks
from keras_gca.models.trained_networks import TrainedNetworks
from keras_gca.safety.crisis import note_on
from keras_gca.serving.protocol import Answer, as_histories
from keras_gca.sharing import hub
from keras_gca.sharing.hub import BOT
from keras_gca.storage.bot_file import damaged_bot
from keras_gca.storage.export_folder import refuse_non_empty
from keras_gca.storage.packed_weights import WeightFormat


class Agent:
    """One or more generators, and the discriminator that chooses among their answers.

    Use `load` to make an agent from a run folder or a `bot.h5`.

    Args:
        config: The settings that the networks were trained with.
        vocabulary: The s_v words that the networks know.
        generators: The weights of each generator, by name. They are float32 arrays: the WHITE block of Figure 2 (the
            word vectors), followed by the `yellow` blocks.
        discriminator: The weights of the discriminator in the same form: the WHITE block, followed by the `green`
            blocks.
        detector: The weights of the detector of context changes if `context_changes` is "detect", or None otherwise.
        backward: The weights of the generator for p(x|y) that ranks answers, or None; see `Bot`.
        topics: The weights of the topic model if `topics` is set, or None otherwise.
        seq2bf: The parts that build answers around keywords, or None; see `Bot`.

    Attributes:
        notes_crises: Whether `crisis_note` returns notes. Initially True.
        crisis_lines: Local crisis lines to list after the note, for example "Samaritans (UK): 116 123". Initially
            empty.
        persona: The name of the speaker set by `speak_as`, or None if no speaker is set.
        networks: The generators and the discriminator as a `TrainedNetworks` object, whose methods take and return
            arrays instead of text.

    Raises:
        ValueError: There is no generator, or the sizes of the weights do not match the config.

    Examples:
        >>> from keras_gca import Agent, Decoding
        >>> agent = Agent.load("runs/first")
        >>> agent
        <Agent: generators: teacher forcing and adversarial; vocabulary: 16 words>
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
        backward: list[np.ndarray] | None = None,
        topics: list[np.ndarray] | None = None,
        seq2bf: Seq2BF | None = None,
    ):
        Bot(config, vocabulary, generators, discriminator, detector, backward, topics, seq2bf).refuse_misfits()
        self.detector = None if detector is None else ChangeDetector.of_weights(detector)
        if self.detector is not None and self.detector.words.input_dim != len(vocabulary):
            raise ValueError(f"the detector of context changes knows {self.detector.words.input_dim:,} words")
        self.notes_crises = True
        self.crisis_lines: Sequence[str] = ()
        self.persona: str | None = None
        self.config, self.vocabulary = config, vocabulary
        self.weights, self.discriminator = generators, discriminator
        self.backward, self.topics, self.seq2bf = backward, topics, seq2bf
        self.networks = TrainedNetworks(config, vocabulary, generators, discriminator, backward, topics, seq2bf)

    @classmethod
    def load(cls, path: str | os.PathLike, agreed: bool = False) -> "Agent":
        """Load an agent from a `bot.h5`, from a run folder that contains one, or from the Hugging Face Hub.

        Args:
            path: The file, the folder, or the name of a model on the Hub (OWNER/NAME); see `hub.bot_of`.
            agreed: Whether the user has already agreed to a download from the Hub. If False, the user is asked at the
                terminal.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the first paper, or the user declines the download.
                Or its generator only continues keywords back to the beginnings of answers.
        """
        path, bot = Bot.read(hub.bot_of(path, agreed))
        if bot.config.predict == "beginning":
            raise UserError(
                f"{path}: this generator only writes the beginnings of another run's answers; choose the run that "
                "was trained with --keyword-epochs"
            )
        try:
            parts = bot.generators, bot.discriminator, bot.detector, bot.backward, bot.topics, bot.seq2bf
            return cls(bot.config, bot.vocabulary, *parts)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def save(self, path: str | os.PathLike, weight_format: WeightFormat = "float32") -> None:
        """Save the agent as a self-contained HDF5 file with its weights, config and vocabulary.

        Args:
            path: The file to write.
            weight_format: The number format of the weights: "float32", "float16", "int8" or "int4". `load` converts
                them to float32.

        Raises:
            OSError: The file cannot be written. An existing file stays unchanged.
        """
        detector = None if self.detector is None else self.detector.weights
        parts = self.weights, self.discriminator, detector, self.backward, self.topics, self.seq2bf
        Bot(self.config, self.vocabulary, *parts).write(path, weight_format)

    def export(self, folder: str | os.PathLike) -> list[str]:
        """Export the agent so that Keras and TensorFlow can load it without this project.

        Each generator (Figure 1) is saved as `GENERATOR.keras`. The folder `saved_model` will contain a SavedModel that
        replies to text (see `models/text_replies.py`), and `bot.h5` will contain the agent itself. None of these models
        checks whether a message mentions self-harm or danger.

        Args:
            folder: The folder to write; it must be empty or not exist yet.

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
        """The names of the generators, such as `teacher_forcing`."""
        return tuple(self.networks.decoders)

    @property
    def description(self) -> str:
        """A short description: the names of the generators and the size of the vocabulary."""
        names = " and ".join(name.replace("_", " ") for name in self.generators)
        return f"generators: {names}; vocabulary: {len(self.vocabulary):,} words"

    @property
    def longest(self) -> int:
        """s_s, the maximum number of context tokens that the networks read."""
        return self.config.sentence_length

    @property
    def judges_words(self) -> bool:
        """Whether the discriminator scores every token of an answer. With `reinforce`, it scores only whole answers."""
        return self.config.algorithm != "reinforce"

    @property
    def usual_decoding(self) -> Decoding:
        """The settings of a chat: beam search, which ranks in both directions if there is a generator for p(x|y).

        If the agent can build answers around keywords, it does.
        """
        if self.seq2bf is not None:
            return dataclasses.replace(CHAT, keywords=True)
        return CHAT if self.backward is None else RANKED

    @staticmethod
    def figures(answer: Answer) -> str:
        """Format an answer's probability and its discriminator scores for display in a chat."""
        by = f"human {answer.human:.2g} (Eq. 9)  score {answer.score:.3f} (Eq. 10)"
        return f"p(y|x) {answer.probability:.2g}  {by}"

    def crisis_note(self, message: str) -> str | None:
        """Return a note if a message mentions self-harm or danger.

        This check does not use a model.

        Args:
            message: The message to check.

        Returns:
            The note, followed by each of `crisis_lines` on a separate line, or None if the message mentions neither
            self-harm nor danger, or if `notes_crises` is False.
        """
        return note_on(message, self.crisis_lines) if self.notes_crises else None

    def reply(self, history: str | Sequence[str], decoding: Decoding = GREEDY, seed: int = 0) -> str:
        """Answer a message, or a conversation.

        This method does not check whether a message mentions self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, or a single text. The reply answers the last utterance; the last N_u
                utterances form the context.
            decoding: How to generate answers. Decoding is greedy by default.
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
            history: The utterances so far, or a single text. Each answer replies to the last utterance.
            context_utterances: The number of utterances in the context, or None for the N_u used in training.
            decoding: How to generate answers. Decoding is greedy by default.
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

        The answers are the same as those from `answers`, but their probabilities and scores may differ by float32
        rounding errors. Beam search never repeats the agent's own last utterance, which is the second-to-last utterance
        of the conversation.

        Args:
            histories: The conversations; see `answers`.
            context_utterances: The number of utterances in each context, or None for the N_u used in training.
            decoding: How to generate answers.
            seeds: The random seeds for sampling, one for each conversation.

        Returns:
            For each conversation, one answer from each generator, with the discriminator's choice first.

        Raises:
            UserError: A history is empty, or its last utterance is blank.
        """
        histories = as_histories(histories)
        encoded = self.encode_contexts(histories, context_utterances)
        own = self.tokenise([history[-2] if len(history) > 1 else "" for history in histories])
        said = frame_answers([self.vocabulary.encode(tokens) for tokens in own], self.config.sentence_length)
        return self.answer_contexts(encoded, decoding, seeds, said)

    def encode_contexts(self, histories: Sequence[Sequence[str]], context_utterances: int | None = None) -> np.ndarray:
        """Encode the last utterances of B conversations as contexts.

        If the agent has a detector of context changes, each context begins after the last change that the detector
        finds.

        Args:
            histories: The utterances of each conversation.
            context_utterances: The number of utterances in each context, or None for the N_u used in training. With a
                detector, this is the maximum number.

        Returns:
            The token indices, padded on the left: an int32 array of shape (B, s_s). With a hierarchical encoder, the
            shape is (B, N_u * s_s), or wider if `context_utterances` exceeds N_u.
        """
        count = context_utterances or self.config.context_utterances
        read = [history[-count:] for history in histories]
        tokens = iter(self.tokenise([utterance for utterances in read for utterance in utterances]))
        encoded = [[self.vocabulary.encode(next(tokens)) for _ in utterances] for utterances in read]
        return self.contexts_of(encoded)

    def contexts_of(self, encoded: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """Join tokenised utterances into contexts, in the form that `encode_contexts` returns.

        Args:
            encoded: For each of the B contexts, the tokens of each utterance.
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

    def keyword(self, history: str | Sequence[str]) -> str | None:
        """Return the word around which the answer to a conversation is built (seq2BF), as it is written.

        Args:
            history: The utterances so far, or a single text; see `reply`.

        Returns:
            The word, or None if the agent does not use keywords, or if it knows no word of the context.

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        contexts = self.encode_contexts(as_histories([history]))
        if self.networks.beginnings is None:
            return None
        token = int(self.networks.beginnings.keywords.keywords_of(contexts)[0])
        word = self.vocabulary.tokens[token]
        return None if token == PAD else self.vocabulary.surfaces.get(word, word)

    def speak_as(self, persona: str) -> None:
        """Answer as the given speaker of the corpus from now on.

        Args:
            persona: The name of the speaker. Case is ignored.

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
            contexts: Token indices, padded on the left, as an int32 array of shape (B, s_s).
            decoding: How to generate answers. Decoding is greedy by default.
            seed: The random seed for sampling: one for all contexts, or one per context.
            unwanted: Answers that beam search must not return, as an int32 array of shape (B, s_s + 1); see
                `Decoder.beam`.

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
        """Generate the tokens of one generator's answers, without scores; see `TrainedNetworks.decode`."""
        return self.networks.decode(generator, contexts, decoding, seed, unwanted)

    def n_best(self, generator: str, contexts: np.ndarray, width: int) -> Decoded:
        """Return all answers found by beam search, best first; see `TrainedNetworks.n_best`."""
        return self.networks.n_best(generator, contexts, width)

    @staticmethod
    def _ranked(answers: list[Answer]) -> list[Answer]:
        return chosen_first(answers)

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i (Eq. 8) for every token of the given answers; see `TrainedNetworks.judge`."""
        return self.networks.judge(contexts, answers)

    def perplexities(self, pairs: Pairs, batch_size: int = 32) -> dict[str, float]:
        """Compute the perplexity of each generator on the given pairs; see `TrainedNetworks.perplexities`."""
        return self.networks.perplexities(pairs, batch_size)

    def token_log_probabilities(self, pairs: Pairs, generator: str | None = None) -> np.ndarray:
        """Compute log p(y_t | x, y) for every token of the answers; see `TrainedNetworks.token_log_probabilities`."""
        return self.networks.token_log_probabilities(pairs, generator)

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Tokenise utterances as in training."""
        return tokenise(utterances, self.config.contractions)

    def unknown_words(self, utterance: str) -> list[str]:
        """Return the unknown words in an utterance."""
        return [token for token in self.tokenise([utterance])[0] if token not in self.vocabulary.counts]
