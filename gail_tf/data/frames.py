"""Encodes utterances with the frames that the tokenizer's layout puts around them (see `data/layouts.py`).

In a byte-level BPE, text next to an utterance can change the utterance's tokens. Frames are therefore split at their
special tokens, and the text between a special token and the utterance is encoded together with the utterance. A form is
a pair of such texts: one before the utterance and one after it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gail_tf.data.layouts import ROLES, Layout
from gail_tf.data.tokenizer import Tokenizer

Form = tuple[str, str]  # the texts before and after an utterance that are encoded together with it


def forms_of(layout: Layout) -> tuple[Form, ...]:
    """Return all forms of utterances in a layout's conditions, responses and running text.

    An utterance can have different tokens in each form. Many layouts have only one form, `("", "")`.
    """
    ending = _parts_after(layout)[0]
    framed = [(layout.parts(layout.before.format(role=role))[-1], ending) for role in ROLES]
    return tuple(dict.fromkeys([*framed, (layout.space, ending), (layout.space, "")]))


class Utterance(NamedTuple):
    """The text of an utterance, with the control tokens that precede it.

    Attributes:
        text: The text.
        control: The first control token, for example the token for the sentiment, or None.
        further: Further control tokens, which come between `control` and the text.
        encoded: The token ids of the text in each form, as read from token files, or None if they must be computed.
    """

    text: str
    control: str | None = None
    further: tuple[str, ...] = ()
    encoded: Mapping[Form, Sequence[int]] | None = None


class Frames(NamedTuple):
    """The forms of a layout, and the lengths of its frames, from which the lengths of samples are computed.

    All lengths are numbers of tokens.

    Attributes:
        framed: For each role, the form of an utterance without a control token.
        said: The form of an utterance with a control token, or with a beginning that is cut off.
        response: The form of a response.
        opened: For each role, the length of the frame before an utterance without a control token.
        apart: For each role, the length of the frame before a control token.
        after: The length of the frame after an utterance.
        begin: The length of the text before the first utterance of a condition.
        around: The length of a condition without utterances and their frames.
        room: The number of tokens in a condition that are available for utterances and their frames.
    """

    framed: tuple[Form, ...]
    said: Form
    response: Form
    opened: tuple[int, ...]
    apart: tuple[int, ...]
    after: int
    begin: int
    around: int
    room: int


def frames_of(tokenizer: Tokenizer, limit: int) -> Frames:
    """Return the forms and frame lengths of a tokenizer's layout.

    Args:
        tokenizer: The tokenizer.
        limit: The maximum number of tokens in a condition.
    """
    layout = tokenizer.layout
    ending, after = ending_of(tokenizer)
    before = [layout.parts(layout.before.format(role=role)) for role in ROLES]
    begin, room = len(tokenizer.encode_frame(layout.begin)), room_of(tokenizer, limit)
    return Frames(
        framed=tuple((parts[-1], ending) for parts in before),
        said=(layout.space, ending),
        response=(layout.space, ""),
        opened=tuple(len(tokenizer.encode_frame("".join(parts[:-1]))) for parts in before),
        apart=tuple(len(apart_of(tokenizer, role)) for role in ROLES),
        after=len(after),
        begin=begin,
        around=limit - room,
        room=room,
    )


def in_frames(tokenizer: Tokenizer, conversations: Sequence[Sequence[Utterance]], last: str) -> list[list[list[int]]]:
    """Encode each utterance with its frame, without truncation.

    Args:
        tokenizer: The tokenizer.
        conversations: The utterances of each conversation.
        last: The role of each conversation's last utterance, one of `ROLES`. The two roles alternate.

    Returns:
        For each conversation, the token ids of its utterances.
    """
    layout, shift = tokenizer.layout, ROLES.index(last)
    ending, after = ending_of(tokenizer)
    before = {role: layout.parts(layout.before.format(role=role)) for role in ROLES}
    opened = {role: tokenizer.encode_frame("".join(parts[:-1])) for role, parts in before.items()}
    apart = {role: apart_of(tokenizer, role) for role in ROLES}
    frames: list[list[int]] = []
    said: list[tuple[Form, Utterance]] = []
    for utterances in conversations:
        for place, utterance in enumerate(utterances):
            role = ROLES[(len(utterances) - 1 - place + shift) % 2]
            # Without a control token, the end of the frame and the utterance are encoded as one text. This gives the
            # same tokens as if a chat template had written the conversation.
            if not control_of(tokenizer, utterance):
                frames.append(opened[role])
                said.append(((before[role][-1], ending), utterance))
            else:
                frames.append([*apart[role], *control_of(tokenizer, utterance)])
                said.append(((layout.space, ending), utterance))
    rows = ([*frame, *ids, *after] for frame, ids in zip(frames, encode_forms(tokenizer, said), strict=True))
    return [[next(rows) for _ in utterances] for utterances in conversations]


def encode_forms(tokenizer: Tokenizer, said: Sequence[tuple[Form, Utterance]]) -> list[list[int]]:
    """Return the token ids of utterances in the given forms. Those read from token files are not encoded again."""
    written = tokenizer.layout.written
    texts = [before + written(each.text) + after for (before, after), each in said if each.encoded is None]
    encoded = iter(tokenizer.encode_all(texts))
    return [next(encoded) if each.encoded is None else list(each.encoded[form]) for form, each in said]


def apart_of(tokenizer: Tokenizer, role: str) -> list[int]:
    """Encode the part of a frame that precedes the text, without its trailing spaces."""
    return tokenizer.encode_frame(tokenizer.layout.before.format(role=role).rstrip(" "))


def ending_of(tokenizer: Tokenizer) -> tuple[str, list[int]]:
    """Split the part of a frame that follows the text at its first special token.

    Returns:
        The string before the special token, and the token ids of the rest. The string must be encoded together with the
        text.
    """
    ending, rest = _parts_after(tokenizer.layout)
    return ending, tokenizer.encode_frame(rest)


def _parts_after(layout: Layout) -> tuple[str, str]:
    """Split the part of a frame that follows the text: the string before its first special token, and the rest."""
    ending, *rest = layout.parts(layout.after)
    return ending, "".join(rest)


def control_of(tokenizer: Tokenizer, utterance: Utterance) -> list[int]:
    return [tokenizer.special(token) for token in (utterance.control, *utterance.further) if token is not None]


def room_of(tokenizer: Tokenizer, limit: int) -> int:
    """Return the number of tokens in a condition that are available for utterances and their frames."""
    layout = tokenizer.layout
    return limit - len(tokenizer.encode_frame(layout.begin)) - len(tokenizer.encode_frame(layout.opening))
