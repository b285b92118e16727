"""Restores normal spacing in corpora such as DailyDialog, and compares utterances without case and punctuation.

This is necessary because GPT-2 was trained on normally spaced text. Capitalisation is left unchanged.
(`keras_gca.data.text` does the opposite: it splits text into tokens for a word-based model.)
"""

import re

_CHARACTERS = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "′": "'", "`": "'", "´": "'", "“": '"', "”": '"',
                             "。": ". ", "、": ", ", "\x7f": " ", "\xa0": " "})  # fmt: skip

# These rules are applied in this order. They undo the spacing of DailyDialog; other text is unchanged.
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s+", " "),
        (r"(?i)(\w) ?' ?(s|t|m|re|ve|ll|d)\b", lambda match: f"{match[1]}'{match[2].lower()}"),  # I ' Ve
        (r"(?i)\b(o|ma) ?' ?(clock|am)\b", r"\1'\2"),
        (r"s ' (?=[a-z])", "s' "),  # my parents ' home
        (r"(?i)\b([ap]) ?\. ?m\b( ?\.)?", r"\1.m."),  # 6 p . m .
        (r"(^| )\" ([^\"]+?) \"(?=$|[ .,!?])", r'\1"\2"'),  # a word in " quotation marks " .
        (r" +([.,!?%)]+)(?=$|[ \"'A-Z.,!?)])", r"\1"),  # not in front of a digit: .5
        (r" ([:;])(?=$| )", r"\1"),  # not in front of what may be an emoticon's mouth: :(
        (r"(?<![:;=-])([$£¥(]) (?=\w)", r"\1"),
        (r"(\d) - (?=\w)", r"\1-"),  # a 2 - year loan
        (r"([A-Za-z'][a-z][.,?!;])(?=[A-Z][a-z']|[AI] )", r"\1 "),  # all right.Let's
    )
)


def as_written(text: str) -> str:
    """Return an utterance with single spaces, straight quotation marks and no spaces before punctuation.

    "I don ’ t know , Mary . It's 5 p . m ." becomes "I don't know, Mary. It's 5 p.m."
    """
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()


def plain_words(text: str) -> tuple[str, ...]:
    """Return the words of an utterance without case and punctuation, by which equal utterances are recognised."""
    return tuple(re.findall(r"\w+", text.casefold()))
