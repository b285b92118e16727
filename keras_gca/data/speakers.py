"""Looks up the names of the speakers who have embeddings."""

from keras_gca.data.vocabulary import Vocabulary
from keras_gca.errors import UserError

SHOWN_SPEAKERS = 20  # the number of speakers that a message names


def speaker_named(persona: str, vocabulary: Vocabulary) -> str:
    """Return a speaker's name as spelled in the corpus.

    Args:
        persona: The name of the speaker. Case is ignored.
        vocabulary: The vocabulary of a bot, with the speakers who have embeddings.

    Raises:
        UserError: No speaker has this name.
    """
    names = {name.casefold(): name for name in vocabulary.speakers}
    if not names:
        raise UserError("--persona: this bot does not know any speakers; train a bot with --persona-size")
    if persona.casefold() not in names:
        shown = ", ".join(vocabulary.speakers[:SHOWN_SPEAKERS])
        more = len(names) - SHOWN_SPEAKERS
        others = f" and {more} more" if more > 0 else ""
        raise UserError(f"--persona: {persona!r} is not a speaker of this bot; its speakers are {shown}{others}")
    return names[persona.casefold()]
