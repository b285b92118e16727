"""A trained model as an object that replies: `Agent.load("runs/first").reply("Hello!")`.

x is a context and y an answer. s_s is the largest number of tokens of a context and of a partial answer, s_v the number
of tokens in the vocabulary, and N_u the number of utterances in a context (`Config` has their values). B contexts are
answered in one batch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts, with_speakers
from keras_gca.data.text import detokenise, tokenise
from keras_gca.data.vocabulary import EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models import scoring
from keras_gca.models.context_changes import ChangeDetector
from keras_gca.models.decoding import Decoded, Decoder
from keras_gca.models.figure_files import plain_generator
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.judgement import log_outputs
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, build
from keras_gca.models.sizes import sizes_of
from keras_gca.models.text_replies import TextReplies
from keras_gca.safety.crisis import note_on
from keras_gca.serving.protocol import Answer, as_histories
from keras_gca.settings import check_sampling
from keras_gca.sharing import hub
from keras_gca.sharing.hub import BOT
from keras_gca.storage.bot_file import damaged_bot, read_bot, write_bot
from keras_gca.storage.export_folder import refuse_non_empty

FORMAT = "keras_gca bot 2"
DETECTOR = "context_detector"  # the name of the detector's weights in a bot
SHOWN_SPEAKERS = 20  # the number of speakers that a message names
SAVED_MODEL = "saved_model"  # what `Agent.export` writes
CHAT_BEAM = 10  # width of the beam search in a chat; after training on a small corpus, greedy decoding is less fluent


@dataclass(frozen=True)
class Decoding:
    """How replies are generated: greedily (Algorithm 1) unless a temperature or a beam is given.

    Args:
        temperature: The temperature of sampling, from 0.01 to 100, or None for no sampling.
        top_k: The number of likeliest tokens among which to sample, or None for all tokens.
        top_p: The probability of the nucleus, above 0 and at most 1. Sampling is restricted to the smallest set of
            likeliest tokens whose total probability reaches this value.
        beam: The width of a beam search, whose answers are ranked by log p(y|x) / tokens^length_penalty.
        length_penalty: The exponent in this formula. 0 favours short answers, and 1 favours long answers.
        anti_language_model: The weight lambda of the anti-language model in a beam search, which lowers the rank of
            answers that would fit any context; see `Decoder.beam`.
        repeats: Whether a beam search may give the same word twice in succession, or the same two neighbouring words
            twice.

    Raises:
        UserError: Two of the arguments exclude each other, or one is out of range.

    Examples:
        >>> from keras_gca import Decoding
        >>> nucleus = Decoding(temperature=0.8, top_p=0.9)
        >>> search = Decoding(beam=5, length_penalty=0.5, repeats=False)
        >>> Decoding(temperature=0.8, beam=5)
        Traceback (most recent call last):
        keras_gca.errors.UserError: sampling (a temperature) and beam search exclude each other
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float = 1.0
    beam: int | None = None
    length_penalty: float = 1.0
    anti_language_model: float = 0.0
    repeats: bool = True

    def __post_init__(self) -> None:
        if self.temperature is not None and self.beam is not None:
            raise UserError("sampling (a temperature) and beam search exclude each other")
        if self.temperature is None and (self.top_k is not None or self.top_p != 1.0):
            raise UserError("top-k and top-p restrict sampling, which needs a temperature")
        if self.beam is None and (self.length_penalty, self.anti_language_model, self.repeats) != (1.0, 0.0, True):
            raise UserError(
                "length penalty, anti-language model and repeats belong to a beam search; --beam is missing"
            )
        check_sampling(self.temperature, self.top_p)
        for name, value in (("top-k", self.top_k), ("beam", self.beam)):
            if value is not None and value < 1:
                raise UserError(f"--{name}: {value}; at least 1 is expected")

    def run(
        self,
        decoder: Decoder,
        contexts: np.ndarray,
        seed: int | Sequence[int],
        allow_unknown: bool = False,
        unwanted: np.ndarray | None = None,
    ) -> Decoded:
        """Decode a batch of contexts.

        Args:
            decoder: The decoder of a generator.
            contexts: (B, s_s) int32, B contexts of at most s_s tokens, padded on the left.
            seed: The seed of sampling, one for all contexts or one for each of them.
            allow_unknown: Whether an answer may contain the unknown word.
            unwanted: (B, s_s + 1) int32, answers that a beam search must not return; see `Decoder.beam`.

        Returns:
            The answers with their probabilities, one answer for each context.
        """
        if self.temperature is not None:
            return decoder.sample(contexts, seed, self.temperature, self.top_k, self.top_p, allow_unknown=allow_unknown)
        if self.beam is not None:
            ranking = self.length_penalty, allow_unknown, unwanted, self.anti_language_model, self.repeats
            return decoder.beam(contexts, self.beam, *ranking)
        return decoder.greedy(contexts, allow_unknown=allow_unknown)


# Chosen on 120 development messages (docs/judging): among 25 ways to rank the answers of a beam, the plain
# likelihood gave the most sensible replies.
CHAT = Decoding(beam=CHAT_BEAM, length_penalty=0.0, repeats=False)


class Agent:
    """One or more generators, and the discriminator that chooses among their answers.

    Usually `load` makes an agent from a run folder or a `bot.h5`.

    Args:
        config: The settings that the networks were trained with.
        vocabulary: The s_v words that the networks know.
        generators: The name and the weights of each generator. The weights are the float32 arrays of the blocks WHITE
            (the word vectors) and `yellow` of Figure 2.
        discriminator: The weights of the blocks WHITE and `green` of Figure 2.
        detector: The weights of the detector of context changes, which the setting `context_changes` requires, or None.

    Attributes:
        notes_crises: Whether `crisis_note` answers messages that speak of self-harm or danger; initially True.
        crisis_lines: Local crisis lines that the note names, for example "Samaritans (UK): 116 123"; initially empty.
        persona: The name of the speaker as whom the agent answers (`speak_as`), or None for no particular speaker.

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
    ):
        if not generators:
            raise ValueError("an agent needs a generator")
        if config.detects_changes != (detector is not None):
            raise ValueError("the settings and the weights disagree about a detector of context changes")
        self.detector = None if detector is None else ChangeDetector.of_weights(detector)
        if self.detector is not None and self.detector.words.input_dim != len(vocabulary):
            raise ValueError(f"the detector of context changes knows {self.detector.words.input_dim:,} words")
        # Checked before anything is made, because the settings in a file may require far more than the file contains.
        if config.names_speakers != bool(vocabulary.speakers):
            raise ValueError("the settings and the vocabulary disagree about embeddings of speakers")
        sizes = sizes_of(config, len(vocabulary), len(vocabulary.speakers))
        of_generator, of_discriminator = sizes.numbers(config.generator == "canonical")
        expected = [*(of_generator for _ in generators), of_discriminator]
        for weights, numbers in zip((*generators.values(), discriminator), expected, strict=True):
            if sum(weight.size for weight in weights) != numbers:
                stored = sum(weight.size for weight in weights)
                raise ValueError(f"the weights have {stored:,} numbers, but the settings require {numbers:,}")
        self.notes_crises = True
        self.crisis_lines: Sequence[str] = ()
        self.persona: str | None = None
        self.config, self.vocabulary = config, vocabulary
        self.weights, self.discriminator = generators, discriminator
        self._decoders: dict[str, Decoder] = {}
        self._evaluators: dict[str, Evaluator] = {}
        judge = None
        for name, weights in generators.items():
            gca = build(config, len(vocabulary), speakers=sizes.speakers)
            assign(gca.variables(*WHITE, *gca.yellow), weights)
            self._decoders[name] = Decoder(gca)
            self._evaluators[name] = Evaluator(gca)
            if np.array_equal(weights[0], discriminator[0]):  # G and D share word vectors, as after Algorithm 2
                judge = gca
        self._judging = judge or build(config, len(vocabulary), speakers=sizes.speakers)
        assign(self._judging.variables(*WHITE, *self._judging.green), discriminator)
        self._judge = PrefixDiscriminator.of(self._judging)

    @classmethod
    def load(cls, path: str | os.PathLike, agreed: bool = False) -> "Agent":
        """Load an agent from a `bot.h5`, from a run folder that contains one, or from the Hugging Face Hub.

        Args:
            path: The file, the folder, or the name of a model on the Hub (OWNER/NAME); see `hub.bot_of`.
            agreed: Whether the user has agreed to a download from the Hub. If not, the user is asked at the terminal.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the first paper, or the user does not agree.
        """
        path, facts, networks = read_bot(hub.bot_of(path, agreed), FORMAT)
        try:
            config = Config.from_values(facts["config"])
            vocabulary = Vocabulary.from_values(facts["vocabulary"])
            discriminator, detector = networks.pop("discriminator"), networks.pop(DETECTOR, None)
            return cls(config, vocabulary, networks, discriminator, detector)
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
        save_bot(Path(path), self.config, self.vocabulary, self.weights, self.discriminator, half_precision, detector)

    def export(self, folder: str | os.PathLike) -> list[str]:
        """Write the agent for other programs: Keras and TensorFlow load it without this project.

        The folder gets three things: each generator (Figure 1) as `GENERATOR.keras`, a SavedModel in `saved_model` that
        replies to text (see `models/text_replies.py`), and the agent itself as `bot.h5`. None of them checks whether a
        message speaks of self-harm or danger.

        Args:
            folder: A folder that is empty or does not exist.

        Returns:
            The names of the files and folders that were written.

        Raises:
            UserError: The folder is not empty, or cannot be written.
        """
        folder = refuse_non_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, decoder in self._decoders.items():
            plain_generator(decoder.gca).save(folder / f"{name}.keras")
            written.append(f"{name}.keras")
        networks = [decoder.gca for decoder in self._decoders.values()]
        config = self.config
        replies = TextReplies(
            networks,
            self._judging,
            self.vocabulary,
            config.contractions,
            config.context_utterances,
            whole_answers=config.algorithm == "reinforce",
            detector=self.detector,
        )
        replies.save(str(folder / SAVED_MODEL))
        self.save(folder / BOT)
        return [*written, SAVED_MODEL, BOT]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.description}>"

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the generators, with underscores."""
        return tuple(self._decoders)

    @property
    def description(self) -> str:
        """A text that names the generators and the size of the vocabulary."""
        names = " and ".join(name.replace("_", " ") for name in self.generators)
        return f"{names}, {len(self.vocabulary):,} words"

    @property
    def longest(self) -> int:
        """s_s, the largest number of tokens in a context; the networks do not read more."""
        return self.config.sentence_length

    @property
    def judges_words(self) -> bool:
        """Whether the discriminator scores every token of an answer; after `reinforce` it scores whole answers."""
        return self.config.algorithm != "reinforce"

    @staticmethod
    def figures(answer: Answer) -> str:
        """Write an answer's probability and the discriminator's scores of the answer as text, for a chat."""
        by = f"human {answer.human:.2g} (Eq. 9)  score {answer.score:.3f} (Eq. 10)"
        return f"p(y|x) {answer.probability:.2g}  {by}"

    def crisis_note(self, message: str) -> str | None:
        """Return the note that answers a message about self-harm or danger. No model is used to recognise the message.

        Args:
            message: The message to check.

        Returns:
            The note, with each of `crisis_lines` on a line of its own below it, or None for any other message, and for
            every message if `notes_crises` is False.
        """
        return note_on(message, self.crisis_lines) if self.notes_crises else None

    def reply(self, history: str | Sequence[str], decoding: Decoding = Decoding(), seed: int = 0) -> str:
        """Answer a message, or a conversation.

        This method does not check whether a message speaks of self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far. The last one is answered, and the last N_u form the context. A single text
                is a conversation of one utterance.
            decoding: How answers are generated; greedily if not given.
            seed: The seed of sampling.

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
        decoding: Decoding = Decoding(),
        seed: int = 0,
    ) -> list[Answer]:
        """Return every generator's answer, the discriminator's choice (Eq. 10) first.

        This method does not check whether a message speaks of self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, of which the last one is answered, or a single text.
            context_utterances: The number of utterances in the context, or None for the N_u of the training.
            decoding: How answers are generated; greedily if not given.
            seed: The seed of sampling.

        Returns:
            One answer of each generator.

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

        Each conversation gets the answers that `answers` would give it. Probabilities and scores may differ by the
        rounding of float32. A beam search does not repeat the agent's own last utterance, which is the utterance before
        the last one of a conversation.

        Args:
            histories: The conversations; see `answers`.
            context_utterances: The number of utterances in each context, or None for the N_u of the training.
            decoding: How answers are generated.
            seeds: The seed of sampling for each conversation.

        Returns:
            For each conversation one answer of each generator, the discriminator's choice first.

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

        If the agent has a detector of context changes, a context begins after the last change that it sees.

        Args:
            histories: The utterances of each conversation.
            context_utterances: The number of utterances in each context, or None for the N_u of the training; the
                largest number if the agent has a detector.

        Returns:
            (B, s_s) int32, padded on the left. For a hierarchical encoder, (B, N_u s_s), or as many more columns as
            `context_utterances` needs.
        """
        count = context_utterances or self.config.context_utterances
        read = [history[-count:] for history in histories]
        tokens = iter(self.tokenise([utterance for utterances in read for utterance in utterances]))
        encoded = [[self.vocabulary.encode(next(tokens)) for _ in utterances] for utterances in read]
        return self.contexts_of(encoded)

    def contexts_of(self, encoded: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
        """Make contexts of the tokens of utterances; the result is that of `encode_contexts`.

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
        """Answer as a speaker of the corpus from now on.

        Args:
            persona: The name of the speaker, whose case does not matter.

        Raises:
            UserError: The agent does not know this speaker.
        """
        names = {name.casefold(): name for name in self.vocabulary.speakers}
        if not names:
            raise UserError("--persona: this bot has no speakers; train one with --persona-size")
        if persona.casefold() not in names:
            shown = ", ".join(self.vocabulary.speakers[:SHOWN_SPEAKERS])
            more = len(names) - SHOWN_SPEAKERS
            others = f" and {more} more" if more > 0 else ""
            raise UserError(f"--persona: {persona!r} is not a speaker of this bot; it knows {shown}{others}")
        self.persona = names[persona.casefold()]

    def answer_contexts(
        self,
        contexts: np.ndarray,
        decoding: Decoding = Decoding(),
        seed: int | Sequence[int] = 0,
        unwanted: np.ndarray | None = None,
    ) -> list[list[Answer]]:
        """Answer a batch of encoded contexts.

        Args:
            contexts: (B, s_s) int32, the indices of tokens, padded on the left.
            decoding: How answers are generated; greedily if not given.
            seed: The seed of sampling, one for all contexts or one for each of them.
            unwanted: (B, s_s + 1) int32, answers that a beam search must not return; see `Decoder.beam`.

        Returns:
            For each context one answer of each generator, the discriminator's choice first.
        """
        decoded = {name: self.decode(name, contexts, decoding, seed, unwanted) for name in self.generators}
        rows = np.concatenate([batch.answers for batch in decoded.values()])
        log_l = np.split(self.judge(np.tile(contexts, (len(decoded), 1)), rows), len(decoded))
        return [
            self._ranked(
                [self._answer(name, batch, log, i) for (name, batch), log in zip(decoded.items(), log_l, strict=True)]
            )
            for i in range(len(contexts))
        ]

    def decode(
        self,
        generator: str,
        contexts: np.ndarray,
        decoding: Decoding = Decoding(),
        seed: int | Sequence[int] = 0,
        unwanted: np.ndarray | None = None,
    ) -> Decoded:
        """Generate one generator's answers to contexts, without text and scores.

        Args:
            generator: One of `generators`.
            contexts: (B, s_s) int32, padded on the left.
            decoding: How answers are generated; greedily if not given.
            seed: The seed of sampling, one for all contexts or one for each of them.
            unwanted: (B, s_s + 1) int32, answers that a beam search must not return; see `Decoder.beam`.

        Returns:
            The answers, (B, s_s + 1) int32, with the probabilities of their tokens.
        """
        return decoding.run(self._decoders[generator], contexts, seed, self._may_say_unknown(), unwanted)

    def n_best(self, generator: str, contexts: np.ndarray, width: int) -> Decoded:
        """Return all answers of a beam search, in the order of log p(y|x) per token, the highest first.

        Args:
            generator: One of `generators`.
            contexts: (B, s_s) int32, padded on the left.
            width: The width of the beam, at least 1.

        Returns:
            The answers and probabilities of `Decoded`, as arrays of (B, width, ...).

        Raises:
            ValueError: The width is below 1.
        """
        return self._decoders[generator].n_best(contexts, width, 1.0, self._may_say_unknown())

    def _may_say_unknown(self) -> bool:
        return SPECIAL_TOKENS[UNK] in self.vocabulary.surfaces  # UNK is then a real word, as in the author's files

    def _answer(self, name: str, decoded: Decoded, log_l: np.ndarray, i: int) -> Answer:
        row = decoded.answers[i]
        written = [self.vocabulary.tokens[index] for index in row[1:] if index != PAD]
        words = [index != EOS for index in row[1 : len(written) + 1]]
        return Answer(
            generator=name,
            text=detokenise(self.vocabulary.decode(row), self.vocabulary.surfaces),
            probability=float(decoded.probabilities[i]),
            probability_of_words=float(np.prod(decoded.token_probabilities[i][: len(written)][np.array(words)])),
            human=float(np.exp(scoring.log_human_probability(log_l[i]))),
            score=float(np.exp(scoring.log_score(log_l[i]))),
            token_scores=tuple(zip(written, np.exp(log_l[i, : len(written)]).tolist(), strict=True)),
            token_probabilities=tuple(decoded.token_probabilities[i, : len(written)].tolist()),
            ended=bool((row == EOS).any()),
        )

    @staticmethod
    def _ranked(answers: list[Answer]) -> list[Answer]:
        chosen = scoring.best([answer.score for answer in answers], [answer.probability for answer in answers])
        return [answers[chosen], *answers[:chosen], *answers[chosen + 1 :]]

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i, the logarithm of the discriminator's output (Eq. 8), for each token after BOS.

        Args:
            contexts: (B, s) int32, B contexts of at most s tokens, padded on the left.
            answers: (B, s_s + 1) int32, as `frame_answers` makes them: BOS, tokens, EOS, padding.

        Returns:
            (B, s_s) float32, NaN after the end of the answer. If the discriminator was trained on whole answers, all
            values before the last token are NaN as well.
        """
        return log_outputs(self._judge, contexts, answers, whole_answers=not self.judges_words)

    def perplexities(self, pairs: Pairs, batch_size: int = 32) -> dict[str, float]:
        """Compute the perplexity of each generator: exp(total negative log-likelihood / tokens), EOS included.

        Args:
            pairs: The pairs to measure.
            batch_size: The number of pairs that are measured at a time.
        """
        return {name: evaluator.perplexity(pairs, batch_size) for name, evaluator in self._evaluators.items()}

    def token_log_probabilities(self, pairs: Pairs, generator: str | None = None) -> np.ndarray:
        """Compute log p(y_t | x, y) of every token of the pairs' answers under a generator.

        Args:
            pairs: n pairs.
            generator: One of `generators`, or None for the first one.

        Returns:
            (n, s_s) float32, NaN after an answer's end.
        """
        return self._evaluators[generator or self.generators[0]].token_log_probabilities(pairs)

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Tokenise utterances as in the training."""
        return tokenise(utterances, self.config.contractions)

    def unknown_words(self, utterance: str) -> list[str]:
        """Return the words of an utterance that the model does not know."""
        return [token for token in self.tokenise([utterance])[0] if token not in self.vocabulary.counts]


def save_bot(
    path: Path,
    config: Config,
    vocabulary: Vocabulary,
    generators: dict[str, list[np.ndarray]],
    discriminator: list[np.ndarray],
    half_precision: bool = False,
    detector: list[np.ndarray] | None = None,
) -> None:
    """Write a file that `Agent.load` reads. The other arguments are those of `Agent` and of `Agent.save`."""
    facts = {"config": config.to_values(), "vocabulary": vocabulary.to_values()}
    networks = {**generators, "discriminator": discriminator} | ({} if detector is None else {DETECTOR: detector})
    write_bot(path, FORMAT, facts, networks, half_precision)
