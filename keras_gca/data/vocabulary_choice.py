"""Chooses the vocabulary of a training run, from the word frequencies in the training text or from a given list."""

from collections.abc import Callable, Sequence
from pathlib import Path

from glove.text_files import BadLines, counted
from keras_gca.config import Config
from keras_gca.data.pickled_vocabulary import is_pickle, read_vocabulary
from keras_gca.data.vocabulary import Vocabulary, read_words
from keras_gca.engine import reporting
from keras_gca.errors import UserError

EXAMPLES = 5  # the maximum number of words that a message names


def all_too_rare(vocabulary: Vocabulary, config: Config) -> bool:
    """Return whether every word is rarer than `minimum_count` and the user has not set this option.

    If so, the minimum comes from a preset that does not suit this corpus, and `chosen_vocabulary` ignores it.
    """
    return "minimum_count" not in config.given and max(vocabulary.counts.values(), default=0) < config.minimum_count


def given_words(path: Path, config: Config, bad: BadLines) -> list[str]:
    """Read the words of --vocabulary from a text file with one word per line, or from the author's pickle.

    Args:
        path: The file.
        config: The settings.
        bad: The `BadLines` object, which skips bad lines or raises an error.

    Raises:
        UserError: The file cannot be used; see `read_words`.
    """
    words = list(read_vocabulary(path).counts) if is_pickle(path) else read_words(path, bad)
    if config.padding == "original" and words[0] != ".":
        raise UserError(f"{path}: the first word is {words[0]!r}; with --padding original it must be '.'")
    return words


def chosen_vocabulary(build: Callable[[int], Vocabulary], config: Config, given: bool) -> Vocabulary:
    """Build the vocabulary of a training run.

    If every word is rarer than `minimum_count` and the user has not set this option, the vocabulary contains all words
    (see `all_too_rare`). If some of the given words never occur in the training text, a line says how many.

    Args:
        build: A function that builds the vocabulary from a `minimum_count`.
        config: The settings.
        given: Whether the user has given a list of words, which is then used regardless of word frequencies.

    Raises:
        UserError: No word occurs often enough, or none of the given words occurs in the training text.
    """
    vocabulary = build(config.minimum_count)
    if given:
        if not any(vocabulary.counts.values()):
            raise UserError("none of the vocabulary's words occurs in the training text")
        if idle := [word for word, count in vocabulary.counts.items() if not count]:
            reporting.say(_idle(idle, len(vocabulary.counts), config))
        return vocabulary
    if all_too_rare(vocabulary, config):
        vocabulary = build(1)
    if not vocabulary.counts:
        raise UserError(
            f"no word occurs at least {config.minimum_count} times in the training text; try --minimum-count 1"
        )
    return vocabulary


def _idle(words: Sequence[str], given: int, config: Config) -> str:
    """Say in one line that some of the given words never occur in the training text, with a few examples."""
    form = "do n't" if config.contractions == "split" else "do not"
    return (
        f"--vocabulary: {len(words):,} of {counted(given, 'word')} never "
        f"{'occurs' if len(words) == 1 else 'occur'} in the training text, such as {', '.join(words[:EXAMPLES])}; the "
        f"words of the text are in lower case, and contractions are divided ({form})"
    )
