"""Prepares a corpus for training: holds out conversations, builds the vocabulary, and makes context/answer pairs."""

import collections
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from keras_gca.config import Config
from keras_gca.data.conversations import PARTS, Conversation
from keras_gca.data.held_out import hold_out, is_divisible, limited, refuse_too_few
from keras_gca.data.pairs import PREDICTED, Pairs, make_pairs, with_speakers
from keras_gca.data.paraphrases import Similar, links
from keras_gca.data.text import tokenise
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import Vocabulary, usual_surfaces
from keras_gca.data.vocabulary_choice import chosen_vocabulary
from keras_gca.errors import UserError

MINIMUM_ANSWERS = 10  # the minimum number of training answers of a speaker who gets an embedding


@dataclass(frozen=True)
class Dataset:
    """A corpus prepared for training.

    Attributes:
        vocabulary: The vocabulary. It is built only from the training text, but the usual spellings of its words are
            learned from the whole corpus. `--training-pairs` does not limit the text from which it is built.
        training: The pairs to train on.
        validation: The pairs on which the networks are evaluated during training.
        documents: The tokenised training conversations, used to fit word vectors. Empty for token files, whose
            conversations are in `TokenPairs.documents`.
        whole_conversations: Whether complete conversations are held out, rather than single pairs (see `hold_out`).
        test: The pairs of the corpus's official test set, or None without `--splits official`.
        detector: The weights of the detector that limited the contexts (`--context-changes detect`), or None.
        paraphrases: The training pairs with similar contexts (`paraphrases.links`), or None if contexts are never
            replaced.
        topics: The weights of the topic model (`--topics`), or None.
        keywords: The arrays of the model that predicts keywords (`--keyword-epochs`), or None.
    """

    vocabulary: Vocabulary
    training: Pairs | TokenPairs
    validation: Pairs
    documents: list[list[str]]
    whole_conversations: bool
    test: Pairs | None = None
    detector: list[np.ndarray] | None = None
    paraphrases: np.ndarray | None = None
    topics: list[np.ndarray] | None = None
    keywords: list[np.ndarray] | None = None

    @property
    def topic_model(self) -> TopicModel | None:
        """The topic model, or None without `--topics`."""
        return None if self.topics is None else TopicModel.of_weights(self.topics)

    @property
    def held_out(self) -> Pairs:
        """The pairs for evaluating a trained agent: the test pairs if there are any, or else the validation pairs."""
        return self.validation if self.test is None else self.test

    @property
    def contexts(self) -> np.ndarray:
        """The contexts of all pairs, an int32 array of shape (n, s_s)."""
        parts = (self.training, self.validation, *(() if self.test is None else (self.test,)))
        return np.concatenate([part.contexts for part in parts])


def prepare(
    conversations: Sequence[Conversation],
    config: Config,
    words: Sequence[str] | None = None,
    similar: Similar | None = None,
) -> Dataset:
    """Tokenise conversations, hold out some of them, build the vocabulary, and make the pairs.

    If every word is rarer than `minimum_count` and the user has not set this option, the vocabulary contains all words
    (see `all_too_rare`). With `--context-changes detect`, each utterance of a context ends with EOS, as for a
    hierarchical encoder, and `training/context_changes.py` later makes the contexts that the networks read.

    Args:
        conversations: The conversations.
        config: The settings.
        words: The words of the vocabulary in order, or None for the most frequent words in the training text.
        similar: The similar messages of the corpus, or None if they are unknown.

    Raises:
        UserError: The corpus is too small to be divided, a split has no pairs, none of the corpus's words is in the
            vocabulary, or some settings cannot be combined.
    """
    official = config.splits == "official"
    if official and "validation_fraction" in config.given:
        raise UserError("--validation-fraction has no effect with --splits official; leave out one of the two")
    tokenised, parts, speakers = _tokenise_all(conversations, config.contractions)
    if config.max_pairs is not None:
        chosen = _some(tokenised, config.max_pairs, config.seed)
        tokenised = [tokenised[number][:length] for number, length in chosen]
        parts, speakers = [parts[number] for number, _ in chosen], [speakers[number] for number, _ in chosen]
    lengths = [len(conversation) - 1 for conversation in tokenised]
    owner = np.repeat(np.arange(len(tokenised)), lengths)
    refuse_too_few(len(owner))
    if official:
        part_of = np.repeat(parts, lengths)
        training, held_out, test = (part_of == part for part in PARTS)
        if empty := [part for part, pairs in zip(PARTS, (training, held_out, test), strict=True) if not pairs.any()]:
            raise UserError(f"--splits official: the corpus has no context/answer pair for {' and '.join(empty)}")
    else:
        held_out = hold_out(owner, config.validation_fraction, config.seed)
        training, test = ~held_out, None

    documents = _training_text(tokenised, training)
    cased = tokenise(
        [text for conversation in conversations for text in conversation.utterances], config.contractions, lower=False
    )

    def build(minimum_count: int) -> Vocabulary:
        return Vocabulary.build(
            (utterance for document in documents for utterance in document),
            config.vocabulary_size,
            minimum_count,
            usual_surfaces(cased),
            period_first=config.padding == "original",
            words=words,
        )

    vocabulary = chosen_vocabulary(build, config, words is not None)
    if config.training_pairs is not None:
        training = limited(owner, training, config.training_pairs, config.seed)
        documents = _training_text(tokenised, training)
    lengths_of_pairs = config.context_utterances, config.sentence_length
    # The detector of context changes, which limits the contexts later, needs to know where utterances end.
    marked = config.hierarchical or config.detects_changes
    pairs = make_pairs(tokenised, vocabulary, *lengths_of_pairs, hierarchical=marked)
    pairs = PREDICTED[config.predict](pairs, config.hierarchical)
    if config.names_speakers:
        of_answers = [
            speaker
            for utterances, names in zip(tokenised, speakers, strict=True)
            for speaker in names[1 : len(utterances)]
        ]
        vocabulary.speakers = _speakers([speaker for speaker, used in zip(of_answers, training, strict=True) if used])
        named = with_speakers(pairs.contexts, [vocabulary.token_of_speaker(speaker) for speaker in of_answers])
        pairs = replace(pairs, contexts=named)
    return Dataset(
        vocabulary,
        pairs[training],
        pairs[held_out],
        [[token for utterance in document for token in utterance] for document in documents],
        whole_conversations=official or is_divisible(len(lengths), len(owner), max(lengths)),
        test=None if test is None else pairs[test],
        paraphrases=_paraphrases(tokenised, training, config, similar),
    )


def _training_text(tokenised: Sequence[list[list[str]]], training: np.ndarray) -> list[list[list[str]]]:
    """Return the answers of the training pairs, and the first utterance of each of their conversations."""
    documents, start = [], 0
    for conversation in tokenised:
        trained = training[start : start + len(conversation) - 1]
        start += len(trained)
        kept = [utterance for utterance, used in zip(conversation[1:], trained, strict=True) if used]
        if kept:
            documents.append([conversation[0], *kept])
    return documents


def _paraphrases(
    tokenised: Sequence[list[list[str]]], training: np.ndarray, config: Config, similar: Similar | None
) -> np.ndarray | None:
    """Return the links between training pairs with similar contexts (`paraphrases.links`), or None if they are unused.

    Only contexts of one utterance are linked; a detector of context changes leaves these as they are.

    Raises:
        UserError: The user has given --context-paraphrases, but the run's contexts cannot be replaced.
    """
    if config.context_paraphrases and not config.may_replace_contexts:
        if "context_paraphrases" in config.given:
            raise UserError(
                "--context-paraphrases replaces messages by similar ones, which is not possible with --persona-size, "
                "--predict context or --predict unconditional; leave out --context-paraphrases"
            )
        return None
    if similar is None or not config.context_paraphrases:
        return None
    contexts = [
        " ".join(tokens) if config.context_utterances == 1 or k == 0 else None
        for conversation in tokenised
        for k, tokens in enumerate(conversation[:-1])
    ]
    return links([text for text, used in zip(contexts, training, strict=True) if used], similar)


def _speakers(of_answers: Sequence[str | None]) -> tuple[str, ...]:
    """Return the speakers who have an embedding, most frequent first.

    Args:
        of_answers: The speaker of each training answer.

    Raises:
        UserError: No speaker has enough training answers.
    """
    counts = collections.Counter(speaker for speaker in of_answers if speaker is not None)
    kept = [speaker for speaker, count in counts.items() if count >= MINIMUM_ANSWERS]
    if not kept:
        raise UserError(
            f"--persona-size: no named speaker has {MINIMUM_ANSWERS} or more answers in the training set; use a corpus "
            "that names its speakers (docs/systems.md)"
        )
    return tuple(sorted(kept, key=lambda speaker: (-counts[speaker], speaker)))


def _tokenise_all(
    conversations: Sequence[Conversation], style: str
) -> tuple[list[list[list[str]]], list[str], list[list[str | None]]]:
    """Tokenise conversations, leaving out utterances without tokens and conversations with only one utterance.

    Returns:
        Three lists with one entry for each remaining conversation: the tokens of each utterance; the official split, or
        "" if there is none; and the speaker of each utterance, or None if the speaker is unknown.
    """
    flat = iter(tokenise([text for conversation in conversations for text in conversation.utterances], style))
    tokenised, speakers = [], []
    for conversation in conversations:
        names = conversation.speakers or (None,) * len(conversation.utterances)
        said = [(tokens, name) for name in names if (tokens := next(flat))]
        tokenised.append([tokens for tokens, _ in said])
        speakers.append([name for _, name in said])
    kept = [number for number, utterances in enumerate(tokenised) if len(utterances) > 1]
    parts = [conversations[number].part or "" for number in kept]
    return [tokenised[number] for number in kept], parts, [speakers[number] for number in kept]


def _some(conversations: list[list[list[str]]], max_pairs: int, seed: int) -> list[tuple[int, int]]:
    """Draw conversations until they contain `max_pairs` pairs in total.

    Returns:
        The index and the length of each drawn conversation, in the order of the corpus. The last conversation drawn is
        shortened to the number of pairs still needed.
    """
    left, chosen = max_pairs, {}
    for number in np.random.default_rng(seed).permutation(len(conversations)):
        if left <= 0:
            break
        chosen[number] = min(len(conversations[number]), left + 1)
        left -= chosen[number] - 1
    return sorted(chosen.items())
