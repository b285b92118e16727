"""Normalise, tokenise, detokenise. One implementation, in the graph (TensorFlow and TensorFlow Text).

Two styles of contraction exist:

split    (default) as GloVe's own training text: "don't" -> do n't, "it's" -> it 's. Nothing is lost, so replies can be
         written as people write.
expanded as in the first paper's original program: "don't" -> do not, "it's" -> it is. His files need it.
"""

import re
from collections.abc import Iterable, Sequence

import tensorflow as tf
import tensorflow_text as tf_text

_CLITICS = ("n't", "'s", "'m", "'d", "'re", "'ve", "'ll")

# In the rules below, \x01 stands for an apostrophe that is part of a word, until the others are gone.
_SPLIT_RULES = (
    (r"^\s*[AB]: ", ""),  # a speaker's tag, as in the first paper's corpus
    (r"(?i)(n)'(t)\b", " \\1\x01\\2"),
    (r"(?i)'(s|m|d|re|ve|ll)\b", " \x01\\1"),
    (r"(\pL)'(\pL)", "\\1\x01\\2"),
    (r"'", " "),
    ("\x01", "'"),
    (r"\.\.+", " . "),
    # Everything but letters, digits, apostrophes, sentence marks and a few signs is white space.
    (r"[^\pL\pM\pN'.,:;!?$€£¥%&+=@#]", " "),
    (r"([;!?$€£¥%&+=@#])", r" \1 "),
    # A dot, comma or colon inside a number (7:30, 3.50, 1,000) belongs to it.
    (r"([^0-9])([.,:])", r"\1 \2 "),
    (r"([.,:])([^0-9]|$)", r" \1 \2"),
    (r"^([.,:])", r"\1 "),
)

# The order is the original's; see docs/fidelity.md. Its text is in lower case before the tokens are split.
_EXPANDED_RULES = (
    ("won't", "will not"),
    ("wouldn't", "would not"),
    ("'m", " am"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'s", " is"),
    ("'d", " had"),
    ("n’t", " not"),
    ("’m", " am"),
    ("’re", " are"),
    ("’ve", " have"),
    ("’ll", " will"),
    ("’s", " is"),
    ("’d", " had"),
    ("can't", "can not"),
    ("n't", " not"),
    (r"A: |B: ", ""),
    (r"([,;.?!:])", r" \1"),
    (r"\.\.\.|--|[-_*/\"\\]", " "),
)

_RULES = {"split": _SPLIT_RULES, "expanded": _EXPANDED_RULES}


def normalise(texts: tf.Tensor, style: str = "split", lower: bool = True) -> tf.Tensor:
    """Normalise utterances so that tokens are separated by single spaces.

    texts: string tensor of any shape, UTF-8.
    lower: whether to fold to lower case (False keeps the case, to learn how words are usually written).

    Returns a string tensor of the same shape. Works eagerly and in a graph.
    """
    texts = tf.convert_to_tensor(texts)
    if style == "split":
        # Before NFKC, which would take an acute accent apart.
        texts = tf_text.normalize_utf8(tf.strings.regex_replace(texts, r"[‘’ʼ´`]", "'"), "NFKC")
    for pattern, replacement in _RULES[style]:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    if lower:
        texts = tf.strings.lower(texts, encoding="utf-8")
    return tf.strings.strip(tf.strings.regex_replace(texts, r"\s+", " "))


def tokenise(texts: Sequence[str], style: str = "split", lower: bool = True) -> list[list[str]]:
    """Tokenise a batch of utterances at once; returns one list of tokens for each."""
    if not len(texts):
        return []
    tokens = tf_text.WhitespaceTokenizer().tokenize(normalise(tf.constant(list(texts)), style, lower))
    return [[token.decode("utf-8") for token in row] for row in tokens.to_list()]


def detokenise(tokens: Iterable[str], surfaces: dict[str, str] | None = None) -> str:
    """Write tokens as a person would: clitics and marks attached, sentences and names with a capital.

    surfaces: how a word is usually written inside a sentence, where not in lower case (`london` -> `London`).
    """
    surfaces = surfaces or {}
    text, start = "", True
    for token in tokens:
        word = surfaces.get(token, token)
        if token == "i" or (token.startswith("i'") and len(token) > 2):
            word = "I" + token[1:]
        if start and word[:1].isalpha():
            word = word[:1].upper() + word[1:]
        attached = token in _CLITICS or re.fullmatch(r"[.,:;!?%]", token)
        if text and not attached and text[-1] not in "$€£¥@#":
            text += " "
        text += word
        start = token in (".", "!", "?") or (start and not word[:1].isalpha())
    return text
