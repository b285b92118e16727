import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import prepare
from keras_gca.data.held_out import hold_out, limited
from keras_gca.data.pairs import Pairs, make_pairs
from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from keras_gca.engine.batching import BUCKET
from keras_gca.errors import UserError
from tests.factories.gca import random_pairs

WORDS = Vocabulary(["a", "b", "c", "d", "e"], [1] * 5)
A, B, C, D, E = range(4, 9)


def texts(rows):
    return [[int(token) for token in row if token != PAD] for row in rows]


@pytest.mark.parametrize(
    ("utterances", "contexts"),
    [
        (1, [[A], [B, C], [E]]),
        (2, [[A], [A, B, C], [E]]),
        (9, [[A], [A, B, C], [E]]),
    ],
)
def test_contexts_hold_n_u_utterances_and_never_cross_a_conversation(utterances, contexts):
    pairs = make_pairs([[["a"], ["b", "c"], ["d"]], [["e"], ["zebra"]]], WORDS, utterances, 6)
    assert texts(pairs.contexts) == contexts
    assert texts(pairs.answers) == [[BOS, B, C, EOS], [BOS, D, EOS], [BOS, UNK, EOS]]
    assert pairs.conversation.tolist() == [0, 0, 1]
    assert pairs.contexts[0].tolist() == [PAD] * 5 + [A]
    assert pairs.tokens == 3 + 2 + 2


def test_long_contexts_lose_their_beginning_and_long_answers_their_end():
    pairs = make_pairs([[list("abcde"), list("abcde")]], WORDS, 2, 4)
    assert pairs.contexts.tolist() == [[B, C, D, E]]
    assert pairs.answers.tolist() == [[BOS, A, B, C, D]]
    assert make_pairs([[["a"], list("abc")]], WORDS, 2, 4).answers.tolist() == [[BOS, A, B, C, EOS]]


def test_whole_conversations_are_held_out():
    owner = np.repeat(np.arange(40), 5)
    held_out = hold_out(owner, 0.1, seed=0)
    assert held_out.sum() == 20
    assert not set(owner[held_out]) & set(owner[~held_out])
    assert (hold_out(owner, 0.1, seed=0) == held_out).all()
    assert (hold_out(owner, 0.1, seed=1) != held_out).any()


def test_single_pairs_are_held_out_of_a_corpus_without_boundaries():
    held_out = hold_out(np.zeros(200, int), 0.1, seed=0)
    assert held_out.sum() == 20


def corpus(count, words="ab cd ef gh"):
    return [
        Conversation((f"Word{i} {words}.", "Secret{i}!", "And you, Tom?", f"I am number{i}.")) for i in range(count)
    ]


def test_nothing_of_the_held_out_conversations_is_in_the_vocabulary_or_the_documents():
    config = Config.preset("paper", max_pairs=None)
    dataset = prepare(corpus(50), config)
    assert len(dataset.training) == 45 * 3
    assert len(dataset.validation) == 5 * 3
    assert dataset.whole_conversations
    assert len(dataset.documents) == 45
    assert sum(word.startswith("number") for word in dataset.vocabulary.counts) == 45
    assert np.count_nonzero(dataset.validation.answers == UNK) == 5
    assert not np.any(dataset.training.answers == UNK)
    assert dataset.vocabulary.surfaces == {"tom": "Tom"}


def test_max_pairs_and_a_corpus_that_is_too_small():
    dataset = prepare(corpus(50), Config.preset("paper", max_pairs=31))
    assert len(dataset.training) + len(dataset.validation) == 31
    with pytest.raises(UserError, match="6 context/answer pairs; at least 20"):
        prepare(corpus(2), Config.preset("paper"))


def test_larger_choices_of_training_pairs_contain_smaller_ones():
    owner = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4, 4])
    training = owner != 1
    smaller = np.zeros(len(owner), bool)
    for count in range(1, 8):
        chosen = limited(owner, training, count, seed=3)
        assert chosen.sum() == count
        assert not (chosen & ~training).any()
        assert (chosen >= smaller).all()
        begun = [owner == number for number in np.unique(owner[chosen])]
        cut = [conversation for conversation in begun if not chosen[conversation].all()]
        assert len(cut) <= 1  # only the last conversation may be cut off, and loses its last pairs
        assert all((np.diff(chosen[conversation].astype(int)) <= 0).all() for conversation in cut)
        smaller = chosen
    assert (limited(owner, training, 99, seed=3) == training).all()
    firsts = {tuple(limited(owner, training, 1, seed)) for seed in range(20)}
    assert len(firsts) == 4  # each of the four conversations can come first


def test_training_pairs_changes_neither_the_vocabulary_nor_the_held_out_pairs():
    config = Config.preset("paper", max_pairs=None)
    whole, part = (prepare(corpus(50), config.changed(training_pairs=count)) for count in (None, 31))
    assert part.vocabulary.to_values() == whole.vocabulary.to_values()
    for first, second in zip(part.validation.arrays(), whole.validation.arrays(), strict=True):
        assert np.array_equal(first, second)
    assert (len(part.training), len(whole.training)) == (31, 135)
    rows = {(context.tobytes(), answer.tobytes()) for context, answer, _ in zip(*whole.training.arrays(), strict=True)}
    assert all((c.tobytes(), a.tobytes()) in rows for c, a, _ in zip(*part.training.arrays(), strict=True))
    assert len(part.documents) == len(np.unique(part.training.conversation)) == 11  # 10 of 3 pairs, and 1 of 1 pair
    assert all(document in whole.documents for document in part.documents if "." in document[-1:])


def test_a_corpus_in_which_no_word_returns_says_so():
    once = [Conversation((f"one{i}", f"two{i}")) for i in range(30)]
    with pytest.raises(UserError, match="no word occurs at least 2 times in the training text; try --minimum-count 1"):
        prepare(once, Config.preset("paper", minimum_count=2))
    # If the number comes from a preset, a small corpus is not refused: all of its words are taken.
    dataset = prepare(once, Config.preset("default"))
    assert len(dataset.vocabulary.counts) == 2 * len(dataset.documents) == 54
    assert dataset.vocabulary.to_values() == prepare(once, Config.preset("paper")).vocabulary.to_values()


def test_given_words_are_the_vocabulary_and_all_others_are_unknown():
    config = Config.preset("paper", vocabulary_size=5, minimum_count=99)
    dataset = prepare(corpus(50), config, ["and", ".", "elsewhere"])
    assert dataset.vocabulary.counts == {"and": 45, ".": 90, "elsewhere": 0}
    assert np.unique(dataset.training.answers).tolist() == [PAD, BOS, EOS, UNK, 4, 5]
    with pytest.raises(UserError, match="none of the vocabulary's words occurs in the training text"):
        prepare(corpus(50), config, ["elsewhere"])


def test_given_words_that_never_occur_are_said(capsys):
    words = ["and", ".", "And", "don't", "it's", "I", "London", "Tom"]
    prepare(corpus(50), Config.preset("paper"), words)
    assert capsys.readouterr().out == (
        "--vocabulary: 6 of 8 words never occur in the training text, such as And, don't, it's, I, London; the words "
        "of the text are in lower case, and contractions are divided (do n't)\n"
    )
    prepare(corpus(50), Config.preset("paper", contractions="expanded"), ["and", "Tom"])
    assert "1 of 2 words never occurs in the training text, such as Tom; the" in capsys.readouterr().out
    prepare(corpus(50), Config.preset("paper"), ["and", "."])
    assert capsys.readouterr().out == ""


def test_one_large_conversation_among_small_ones_is_not_held_out_whole():
    owner = np.concatenate([np.arange(10), np.full(500, 10)])
    for seed in range(20):
        assert hold_out(owner, 0.1, seed).sum() == 51


def test_a_plan_holds_every_pair_once_and_repeats_by_seed():
    pairs = random_pairs(200)
    plan = plan_batches(pairs, 16, seed=3)
    assert sorted(np.concatenate(plan)) == list(range(200))
    again, other = plan_batches(pairs, 16, seed=3), plan_batches(pairs, 16, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(plan, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(plan, other, strict=True))


def test_batches_have_few_shapes_and_hold_their_pairs():
    pairs = random_pairs(100, length=40)
    shapes = set()
    for selection in plan_batches(pairs, 16, seed=0):
        contexts, answers = take_batch(pairs, selection, 16)
        assert texts(contexts)[: len(selection)] == texts(pairs.contexts[selection])
        assert texts(answers)[: len(selection)] == texts(pairs.answers[selection])
        assert not contexts[len(selection) :].any()
        assert not answers[len(selection) :].any()
        shapes.add((contexts.shape, answers.shape))
    for context, answer in shapes:
        assert context[0] == answer[0] == 16
        assert context[1] % BUCKET == 0
        assert (answer[1] - 1) % BUCKET == 0


def test_sorting_by_length_saves_padding():
    random = np.random.default_rng(0)
    pairs = random_pairs(1000, length=40)
    pairs = Pairs(pairs.contexts, pairs.answers[random.permutation(1000)], pairs.conversation)

    def computed(plan):
        return sum(array.size for batch in plan for array in take_batch(pairs, batch, 16))

    assert computed(plan_batches(pairs, 16, seed=0)) < 0.75 * computed(np.array_split(random.permutation(1000), 63))


def test_concatenate_and_select():
    pairs = random_pairs(10)
    again = Pairs.concatenate([pairs[:4], pairs[4:]])
    for a, b in zip(pairs.arrays(), again.arrays(), strict=True):
        np.testing.assert_array_equal(a, b)
