import numpy as np
import pytest

from gail_tf.data.batches import Utterance, encode_batch, encode_texts
from gail_tf.data.layouts import CHATML, PLAIN
from gail_tf.data.tokenizer import Tokenizer
from keras_gca.errors import UserError
from tests.factories.gail import CONTROLS


def test_how_a_conversation_is_written(fitted):
    context = [Utterance("I won.", "<|positive|>"), Utterance("Wow!"), Utterance("Yes, today.", "<|neutral|>")]
    batch = encode_batch(fitted, [context], ["That is great!"])
    end, code = fitted.end, fitted.encode
    expected = [fitted.special("<|positive|>"), *code("I won."), end, *code("Wow!"), end]
    expected += [fitted.special("<|neutral|>"), *code("Yes, today."), end]
    assert batch.condition[batch.condition_mask].tolist() == expected
    assert batch.response[batch.response_mask].tolist() == [*code("That is great!"), end]


def test_padding(fitted):
    contexts = [[Utterance("Hello.")], [Utterance("I lost my keys on the way home."), Utterance("Oh no!")]]
    batch = encode_batch(fitted, contexts, ["Hi.", "I am so sorry to hear that."])
    for tokens, mask in ((batch.condition, batch.condition_mask), (batch.response, batch.response_mask)):
        assert tokens.dtype == np.int32
        assert mask.dtype == bool
        assert tokens.shape == mask.shape
        assert tokens.shape[1] % 8 == 0
        assert (tokens[~mask] == fitted.end).all()
    assert batch.condition_mask[:, -1].all()
    assert batch.response_mask[:, 0].all()
    assert (np.diff(batch.condition_mask.astype(int), axis=1) >= 0).all()
    assert (np.diff(batch.response_mask.astype(int), axis=1) <= 0).all()
    assert batch.response_lengths.tolist() == [len(fitted.encode(text)) + 1 for text in
                                               ("Hi.", "I am so sorry to hear that.")]  # fmt: skip
    assert batch.condition_lengths[0] == len(fitted.encode("Hello.")) + 1


def test_old_utterances_are_left_out_whole(fitted):
    context = [Utterance("The first one is rather long."), Utterance("Second."), Utterance("The prompt.")]
    sizes = [len(fitted.encode(utterance.text)) + 1 for utterance in context]
    for limit, kept in ((sum(sizes), 3), (sum(sizes) - 1, 2), (sum(sizes[1:]), 2), (sum(sizes[1:]) - 1, 1)):
        batch = encode_batch(fitted, [context], condition_limit=limit)
        ids = [i for utterance in context[-kept:] for i in [*fitted.encode(utterance.text), fitted.end]]
        assert batch.condition[batch.condition_mask].tolist() == ids
        assert batch.condition.shape[1] <= limit
    prompt = [*fitted.encode("The prompt."), fitted.end]
    batch = encode_batch(fitted, [[Utterance("I lost my job today.", CONTROLS[0])]], condition_limit=3)
    assert batch.condition.tolist() == [
        [fitted.special(CONTROLS[0]), *fitted.encode("I lost my job today.")[-1:], fitted.end]
    ]
    batch = encode_batch(fitted, [context], condition_limit=3)
    assert batch.condition.tolist() == [prompt[-3:]]


def test_long_responses_are_cut(fitted):
    ids = [*fitted.encode("That is a rather long reply, is it not?"), fitted.end]
    for limit in (len(ids), len(ids) - 1, 3):
        batch = encode_batch(
            fitted, [[Utterance("Hi.")]], ["That is a rather long reply, is it not?"], 64, limit, multiple=1
        )  # fmt: skip
        assert batch.response.tolist() == [ids[:limit]]


@pytest.mark.parametrize("layout", [None, CHATML, PLAIN])
def test_texts_alone_follow_end(fitted, texts, layout):
    tokenizer = fitted if layout is None else Tokenizer.fit(texts, 400, (), layout)
    code, end = tokenizer.encode, tokenizer.end
    space = " " if layout is PLAIN else ""
    batch = encode_texts(tokenizer, ["Hi.", "", "That is a rather long text."], 6)
    np.testing.assert_array_equal(batch.condition, [[end]] * 3)
    assert batch.condition_mask.all()
    rows = [row[mask].tolist() for row, mask in zip(batch.response, batch.response_mask, strict=True)]
    whole = [[*code(f"{space}{text}"), end] for text in ("Hi.", "", "That is a rather long text.")]
    assert rows == [row[:6] for row in whole]
    assert len(whole[2]) > 6 == batch.response.shape[1]
    assert encode_texts(tokenizer, [], 6).response.shape == (0, 0)


def test_without_responses(fitted):
    batch = encode_batch(fitted, [[Utterance("Hi.")], [Utterance("Hello.")]])
    assert batch.response.shape == batch.response_mask.shape == (2, 0)


def test_bad_input(fitted):
    with pytest.raises(ValueError, match="a sample has no prompt"):
        encode_batch(fitted, [[Utterance("Hi.")], []])
    with pytest.raises(ValueError, match="1 responses, but 2 conditions"):
        encode_batch(fitted, [[Utterance("Hi.")], [Utterance("Hello.")]], ["Hi."])
    with pytest.raises(UserError, match=r"<\|angry\|> is not a control token of this tokenizer, which has"):
        encode_batch(fitted, [[Utterance("Hi.", "<|angry|>")]])
