import itertools

import pytest
import tensorflow as tf

from keras_gca.data.text import detokenise, normalise, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't you think it's late?", "do n't you think it 's late ?"),
        ("I’m sure we’ll win, won't we?", "i 'm sure we 'll win , wo n't we ?"),
        ("Tom's dogs' o'clock 'quoted' words", "tom 's dogs o'clock quoted words"),
        ("At 7:30 it costs 3.50, not 1,000.", "at 7:30 it costs 3.50 , not 1,000 ."),
        ("go.But wait...what?!", "go . but wait . what ? !"),
        ('twenty-five (or so) * "yes" / no', "twenty five or so yes no"),
        ("$30 & 50%", "$ 30 & 50 %"),
        ("ＦＵＬＬ width, Café Zoë", "full width , café zoë"),
        ("tab\there\x07\x00and\u200bthere\n", "tab here and there"),
        ("A: So did I. B: yes", "so did i . b : yes"),
        ("don´t… no", "do n't . no"),
        ("  ", ""),
        ("", ""),
        ("***", ""),
        (".5 is . a dot", ". 5 is . a dot"),
    ],
)
def test_tokens(text, tokens):
    assert tokenise([text]) == [tokens.split()]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I won't. She'd say it's can't!", "i will not . she had say it is can not !"),
        ("I'm here; you’re there: we've — no...", "i am here ; you are there : we have — no"),
        ("A: Isn’t he? B: He wouldn't.", "is not he ? he would not ."),
        ("It's\u00a0fine,\u2009or\u3000not\u2028so.", "it is fine , or not so ."),
    ],
)
def test_the_authors_own_normalisation(text, tokens):
    assert [t for t in tokenise([text], "expanded")[0] if t != "."] == [t for t in tokens.split() if t != "."]


def test_the_authors_contexts(shared_file):
    """The author's file has the contexts after his rules. This project's differ only where a slash joins two words."""
    folder = shared_file("data/ludwig_english_courses/dialog_simple").parent
    tokens = tokenise((folder / "dialog_simple").read_text(encoding="utf-8").splitlines(), "expanded")
    ours = [tokens[0], *(first + second for first, second in itertools.pairwise(tokens[:-1]))]
    his = [line.split() for line in (folder / "context_simple").read_text(encoding="utf-8").splitlines()]
    assert len(ours) == len(his)
    different = [theirs for mine, theirs in zip(ours, his, strict=True) if mine != theirs]
    assert len(different) <= 0.015 * len(his)


def test_a_batch_is_the_same_as_one_by_one_and_in_a_graph():
    texts = ["Hello there!", "", "It's 5.", "what’s up?"]
    assert tokenise(texts) == [tokenise([text])[0] for text in texts]
    in_graph = tf.function(normalise)(tf.constant(texts)).numpy()
    assert [text.decode().split() for text in in_graph] == tokenise(texts)
    assert tokenise([]) == []


def test_case_can_be_kept():
    assert tokenise(["Don't tell Tom."], lower=False) == [["Do", "n't", "tell", "Tom", "."]]


@pytest.mark.parametrize(
    "text",
    [
        "Don't you think it's late? I'm sure, and I've told Tom.",
        "It costs $30, or 50% more.",
        "Yes! No: wait. OK",
    ],
)
def test_detokenise_writes_what_was_read(text):
    again = detokenise(tokenise([text])[0], {"tom": "Tom", "ok": "OK"})
    assert again == text


def test_detokenise_of_nothing():
    assert detokenise([]) == ""
