"""Normalises, tokenises and detokenises text with TensorFlow and TensorFlow Text, eagerly or in a graph.

Contractions can be written in two styles:

split    (default) as in GloVe's own training text: "don't" -> do n't, "it's" -> it 's. No information is lost, so
         replies can be written with the usual contractions.
expanded as in the first paper's original program: "don't" -> do not, "it's" -> it is. The author's files require this
         style.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

CLITICS = ("n't", "'s", "'m", "'d", "'re", "'ve", "'ll")
SENTENCE_ENDS = (".", "!", "?")
BEFORE_NUMBERS = "$€£¥@#"  # no space follows these signs

# In the rules below, \x01 replaces an apostrophe that is part of a word, until all other apostrophes are removed.
_SPLIT_RULES = (
    (r"^\s*[AB]: ", ""),  # the tag of a speaker, as in the first paper's corpus
    (r"(?i)(n)'(t)\b", " \\1\x01\\2"),
    (r"(?i)'(s|m|d|re|ve|ll)\b", " \x01\\1"),
    (r"(\pL)'(\pL)", "\\1\x01\\2"),
    (r"'", " "),
    ("\x01", "'"),
    (r"\.\.+", " . "),
    # Everything except letters, digits, apostrophes, punctuation and a few signs becomes white space.
    (r"[^\pL\pM\pN'.,:;!?$€£¥%&+=@#]", " "),
    (r"([;!?$€£¥%&+=@#])", r" \1 "),
    # A dot, comma or colon inside a number (7:30, 3.50, 1,000) is part of the number.
    (r"([^0-9])([.,:])", r"\1 \2 "),
    (r"([.,:])([^0-9]|$)", r" \1 \2"),
    (r"^([.,:])", r"\1 "),
)

# The order of the rules is that of the original program; see docs/fidelity.md.
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
    """Normalise utterances so that tokens are separated by single spaces; works eagerly and in a graph.

    Args:
        texts: A string tensor of any shape, UTF-8.
        style: The style of contractions, "split" or "expanded".
        lower: Whether to convert to lower case. If False, case is kept, so that the usual spelling of words can be
            learned.

    Returns:
        A string tensor of the same shape.
    """
    texts = tf.convert_to_tensor(texts)
    if style == "split":
        # Apostrophes are replaced before NFKC, because NFKC turns an acute accent into two other characters.
        texts = tf_text.normalize_utf8(tf.strings.regex_replace(texts, r"[‘’ʼ´`]", "'"), "NFKC")
    for pattern, replacement in _RULES[style]:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    if lower:
        texts = tf.strings.lower(texts, encoding="utf-8")
    # WhitespaceTokenizer would cut a no-break space, and every other space of two or three bytes, in the middle.
    return tf.strings.strip(tf.strings.regex_replace(texts, r"[\s\pZ]+", " "))


def tokens_of(texts: tf.Tensor, style: str = "split", lower: bool = True) -> tf.RaggedTensor:
    """Tokenise utterances, eagerly or in a graph; the arguments are those of `normalise`.

    Returns:
        A ragged string tensor with one more dimension than `texts`: the tokens of each utterance.
    """
    return tf_text.WhitespaceTokenizer().tokenize(normalise(texts, style, lower))


def tokenise(texts: Sequence[str], style: str = "split", lower: bool = True) -> list[list[str]]:
    """Tokenise a batch of utterances; the arguments are those of `normalise`.

    Returns:
        One list of tokens for each utterance.
    """
    if not len(texts):
        return []
    tokens = tokens_of(tf.constant(list(texts)), style, lower)
    return [[token.decode("utf-8") for token in row] for row in tokens.to_list()]


@tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.bool)], autograph=False)
def _in_turn(texts: tf.Tensor, split: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    def tokens(style: str) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tokens_of(texts, style, lower=False)
        return rows.flat_values, rows.row_lengths()

    return tf.cond(split, lambda: tokens("split"), lambda: tokens("expanded"))


def tokens_in_turn(texts: Sequence[str], style: str = "split") -> tuple[list[bytes], np.ndarray]:
    """Tokenise many utterances in their original case, without building a separate list for each utterance.

    Args:
        texts: The utterances.
        style: See `normalise`.

    Returns:
        The tokens of all utterances in order, encoded as UTF-8, and the number of tokens in each utterance, an int64
        array of shape (n,).
    """
    tokens, lengths = _in_turn(tf.constant(list(texts), tf.string), tf.constant(style == "split"))
    return tokens.numpy().tolist(), lengths.numpy()


def lowered(tokens: Sequence[str]) -> list[str]:
    """Convert tokens to lower case as `normalise` does; the result does not depend on the text around a token."""
    lower = tf.strings.lower(tf.constant(list(tokens), tf.string), encoding="utf-8")
    return [token.decode("utf-8") for token in lower.numpy().tolist()]


def detokenise(tokens: Iterable[str], surfaces: dict[str, str] | None = None) -> str:
    """Convert tokens to text: attach clitics and punctuation, and capitalise sentences and names.

    Args:
        tokens: The tokens, in lower case.
        surfaces: The usual spelling of words that are not written in lower case inside a sentence (`london` ->
            `London`).
    """
    surfaces = surfaces or {}
    text, start = "", True
    for token in tokens:
        word = written(token, surfaces)
        if start and word[:1].isalpha():
            word = word[:1].upper() + word[1:]
        if text and not is_attached(token) and text[-1] not in BEFORE_NUMBERS:
            text += " "
        text += word
        start = token in SENTENCE_ENDS or (start and not word[:1].isalpha())
    return text


def written(token: str, surfaces: dict[str, str]) -> str:
    """Return a token as it is written inside a sentence; the arguments are those of `detokenise`."""
    if token == "i" or (token.startswith("i'") and len(token) > 2):
        return "I" + token[1:]
    return surfaces.get(token, token)


def is_attached(token: str) -> bool:
    """Return whether a token is written without a space before it."""
    return token in CLITICS or re.fullmatch(r"[.,:;!?%]", token) is not None
