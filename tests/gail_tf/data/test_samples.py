import numpy as np
import pytest

from gail_tf.data.batches import Batch, check_limit, encode_batch, take
from gail_tf.data.layouts import END_OF_TEXT
from gail_tf.data.listening import PROFILE_TOKENS, Profile, profile_of
from gail_tf.data.samples import Samples, context, control_tokens, controls_of_prompt, running_text
from gail_tf.data.trajectories import Trajectory
from keras_gca.engine.batching import plan
from keras_gca.errors import UserError
from tests.factories.small_runs import config, tokenizer
from tests.oracles.vader import compound

TRAJECTORIES = (
    Trajectory((), "I love my new job!", "Great."),
    Trajectory(("I lost my dog.", "That is terrible, I am so sorry."), "Thanks.", "He was a good friend."),
)


def ids(*parts):
    """Return the ids of texts and special tokens, one after the other."""
    known = tokenizer()
    special = {"<|negative|>", "<|neutral|>", "<|positive|>", "<|endoftext|>"}
    return [i for part in parts for i in ([known.special(part)] if part in special else known.encode(part))]


def test_trajectories_with_sentiment():
    samples = Samples.encode(tokenizer(), TRAJECTORIES, 90, 20, with_sentiment=True)
    end = "<|endoftext|>"
    batch = samples.batch
    first, second = (row[mask].tolist() for row, mask in zip(batch.condition, batch.condition_mask, strict=True))
    assert first == ids("<|positive|>", "I love my new job!", end)
    assert second == ids(
        "<|negative|>", "I lost my dog.", end, "<|negative|>", "That is terrible, I am so sorry.", end,
        "<|positive|>", "Thanks.", end,
    )  # fmt: skip
    answers = [row[mask].tolist() for row, mask in zip(batch.response, batch.response_mask, strict=True)]
    assert answers == [ids("Great.", end), ids("He was a good friend.", end)]
    history = np.mean([compound("I lost my dog."), compound("That is terrible, I am so sorry.")])
    expected = [[compound("I love my new job!"), 0], [compound("Thanks."), history]]
    np.testing.assert_allclose(samples.sentiments, expected, rtol=1e-6)
    np.testing.assert_allclose(samples.response_sentiments, [compound("Great."), compound("He was a good friend.")])
    assert (len(samples), samples.response_tokens) == (2, sum(map(len, answers)))


def test_trajectories_without_sentiment():
    batch = Samples.encode(tokenizer(), TRAJECTORIES, 90, 20, with_sentiment=False).batch
    assert batch.condition[0][batch.condition_mask[0]].tolist() == ids("I love my new job!", "<|endoftext|>")


@pytest.fixture(scope="module")
def wide():
    """Settings with both options, and a tokenizer with their control tokens."""
    settings = config(sentiment_history="on", listener_profile="on").data
    return settings, tokenizer(END_OF_TEXT, control_tokens(settings))


def test_the_history_of_sentiments_and_profiles_precede_the_prompt(wide):
    _, known = wide
    profiles = [Profile(ask="yes"), Profile(length="short", ask="no")]
    samples = Samples.encode(known, TRAJECTORIES, 90, 20, True, with_history=True, profiles=profiles)
    first, second = (row[mask].tolist() for row, mask in zip(samples.batch[0], samples.batch[1], strict=True))
    end = known.end
    assert first == [*map(known.special, ("<|positive|>", "<|ask yes|>")), *known.encode("I love my new job!"), end]
    of_prompt = "<|positive|>", "<|rising|>", "<|high|>", "<|ask no|>", "<|length short|>"
    prompt = [*map(known.special, of_prompt), *known.encode("Thanks."), end]
    assert second[-len(prompt) :] == prompt
    assert second[0] == known.special("<|negative|>")  # the older utterances have no further tokens
    assert sum(token in map(known.special, of_prompt[1:]) for token in second) == 4
    scores = [compound(text) for text in ("I lost my dog.", "Thanks.")]
    change = (scores[1] - scores[0]) / 2
    expected = [np.mean(scores), change, change, abs(change)]
    np.testing.assert_allclose(samples.sentiments[1, 2:], expected, rtol=1e-5)
    np.testing.assert_allclose(samples.sentiments[0, 2:], [compound("I love my new job!"), 0, 0, 0], rtol=1e-6)


def test_without_profiles_nothing_says_what_the_response_is_like(wide):
    _, known = wide
    batch = Samples.encode(known, TRAJECTORIES, 90, 20, True, with_history=True).batch
    assert not np.isin(batch.condition, [known.special(token) for token in PROFILE_TOKENS]).any()


def test_a_prompt_that_is_too_long_keeps_its_control_tokens(wide):
    settings, known = wide
    everything = profile_of("How are you?")
    most = controls_of_prompt(settings)
    assert most == 10
    history = ("I lost my dog.", "Oh no.")
    utterances = context(history, "Thanks a lot for that.", True, None, True, everything)
    for limit in (most + 2, most + 3):  # the control tokens, some text, and END
        found = encode_batch(known, [utterances], None, limit, multiple=1).condition[0].tolist()
        assert len(found) == limit
        assert found[3:most] == [known.special(token) for token in everything.tokens]
    check_limit(known, most + 2, most)
    with pytest.raises(UserError, match="; increase it by at least 1"):
        check_limit(known, most + 1, most)


def test_running_text_by_hand():
    end = "<|endoftext|>"
    batch = running_text(tokenizer(), [("Hello.", "Good morning, Anna."), ("Yes.",)], length=5)
    whole = ids("Hello.", end, "Good morning, Anna.", end)
    assert len(whole) > 5
    pieces = [whole[i : i + 5] for i in range(0, len(whole), 5)] + [ids("Yes.", end)]
    assert [row[mask].tolist() for row, mask in zip(batch.response, batch.response_mask, strict=True)] == pieces
    assert batch.response.shape == (len(pieces), 5)
    np.testing.assert_array_equal(batch.condition, np.full((len(pieces), 1), tokenizer().end))
    assert batch.condition_mask.all()


@pytest.fixture
def batch():
    """Make samples with conditions of 1, 3 and 20 tokens and responses of 2, 1 and 18, in arrays 40 and 30 wide."""

    def padded(lengths, width, left):
        places = np.arange(width)
        mask = np.array([places >= width - n if left else places < n for n in lengths])
        tokens = np.where(mask, np.arange(1, 1 + mask.size).reshape(mask.shape), 0).astype(np.int32)
        return tokens, mask

    return Batch(*padded([1, 3, 20], 40, True), *padded([2, 1, 18], 30, False))


def test_some_rows_at_the_widths_that_they_need(batch):
    found = take(batch, [1, 0])
    assert (found.condition.shape, found.response.shape) == ((2, 8), (2, 8))
    for i, row in enumerate([1, 0]):
        for side in ("condition", "response"):
            mask, expected = getattr(found, f"{side}_mask")[i], getattr(batch, f"{side}_mask")[row]
            np.testing.assert_array_equal(getattr(found, side)[i][mask], getattr(batch, side)[row][expected])
    assert found.condition_mask[0].tolist() == [False] * 5 + [True] * 3
    assert found.response_mask[1].tolist() == [True] * 2 + [False] * 6


def test_widths_are_rounded_up_but_not_beyond_the_batchs_own(batch):
    found = take(batch, [2])
    assert (found.condition.shape[1], found.response.shape[1]) == (24, 24)
    narrow = batch._replace(response=batch.response[:, :20], response_mask=batch.response_mask[:, :20])
    assert take(narrow, [2]).response.shape[1] == 20


def test_rows_of_padding_have_no_tokens(batch):
    found = take(batch, [2], size=3, response_width=50)
    assert (found.condition.shape, found.response.shape) == ((3, 24), (3, 50))
    assert found.condition_lengths.tolist() == [20, 0, 0]
    assert found.response_lengths.tolist() == [18, 0, 0]
    np.testing.assert_array_equal(found.response[0, :18], batch.response[2, :18])


def test_a_plan_takes_each_row_once_and_like_lengths_together():
    lengths = np.random.default_rng(0).integers(1, 60, 103)
    batches = plan(lengths, 8, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(103))
    assert sorted(map(len, batches)) == [7] + [8] * 12
    assert all(np.array_equal(a, b) for a, b in zip(batches, plan(lengths, 8, seed=3), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, plan(lengths, 8, seed=4), strict=True))
    spread = np.mean([np.ptp(lengths[rows]) for rows in batches])
    assert spread < 10 < np.ptp(lengths)  # in a random order it is about 46


def test_a_plan_by_hand():
    lengths = np.array([5, 1, 4, 9, 2, 3, 8])
    assert [rows.tolist() for rows in plan(lengths, 2, pool=2)] == [[1, 2], [0, 3], [4, 5], [6]]
    then = np.array([7, 3, 6, 1, 2, 9, 5])  # all rows except row 3 need a width of 8 for their condition
    assert [rows.tolist() for rows in plan(lengths, 2, then=then)] == [[4, 1], [6, 2], [0, 5], [3]]
