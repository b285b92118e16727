"""Restores normal spacing in corpora such as DailyDialog, and compares utterances without case and punctuation.

This is necessary because GPT-2 was trained on normally spaced text. Capitalisation is left unchanged.
(`keras_gca.data.text` does the opposite: it splits text into tokens for a word-based model.)
"""

import re

_CHARACTERS = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "′": "'", "`": "'", "´": "'", "“": '"', "”": '"',
                             "。": ". ", "、": ", ", "\x7f": " ", "\xa0": " "})  # fmt: skip

# Words after which an apostrophe between spaces opens a quotation, although they end in s.
_NO_OWNERS = {
    "is", "was", "as", "has", "does", "this", "its", "his", "us", "yes", "thus", "plus", "says", "means", "asks",
    "adds", "goes", "reads",
}  # fmt: skip


def _possessive(match: re.Match[str]) -> str:
    return match[0] if match[1].lower() in _NO_OWNERS else f"{match[1]}' "


# These rules are applied in this order. They undo the spacing of DailyDialog; other text is unchanged.
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s+", " "),
        # I ' Ve; but not 'd' in quotation marks
        (r"(?i)(\w) ?' ?(s|t|m|re|ve|ll|d)\b(?!')", lambda match: f"{match[1]}'{match[2].lower()}"),
        (r"(?i)\b(o|ma) ?' ?(clock|am)\b", r"\1'\2"),
        # my parents ' home; but not if an apostrophe that closes a quotation follows
        (r"\b(\w*s) ' (?=[a-z])(?![^']*(?:[^s'] '|s '(?! [a-z])))", _possessive),
        # 6 p . m .; but not a person's initials, or the end of a sentence
        (r"(?i)(\d ?[ap]) ?\. ?(m)\b( ?\.)?", r"\1.\2."),
        (r"\b([APap]) ?\. ?m\b(?![&@'])( ?\.)?", r"\1.m."),
        (r"\b([AP]) \. M \.", r"\1.M."),
        (r"(^| )\" ([^\"]+?) \"(?=$|[ .,!?])", r'\1"\2"'),  # a word in " quotation marks " .
        (r" +([.,!?%)]+)(?=$|[ \"'A-Z.,!?)])", r"\1"),  # not in front of a digit: .5
        (r" ([:;])(?=$| )", r"\1"),  # not in front of what may be an emoticon's mouth: :(
        (r"(?<![:;=-])\( (?=\w)", "("),
        (r"(?<!\d)(?<!\d )([$£¥]) (?=\d)", r"\1"),  # $ 16; but not after a number: 5 $
        (r"(\d) - (?=\w)(?![\d.,+*/ -]{0,40}=)", r"\1-"),  # a 2 - year loan; but not 5 - 3 = 2
        # all right.Let's; but not in an address
        (
            r"(?i:\bhttps?://\S+|\bwww\.\S+|[\w.+-]{1,64}@\S+)"
            r"|([A-Za-z'][a-z][.,?!;])(?=[A-Z][a-z']|[AI] )(?!(?:Com|Org|Net|Edu|Gov)\b)",
            lambda match: match[0] if match[1] is None else f"{match[1]} ",
        ),
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
