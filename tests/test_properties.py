"""Properties of any input: values are equal after writing and reading; sizes, bounds and parts are as documented."""

import csv
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import conversation_trajectories, count_trajectories, split
from glove import Vectors, read_vectors, write_vectors
from keras_gca.agent import Decoding
from keras_gca.data.batches import plan_batches
from keras_gca.data.conversations import PARTS, Conversation, read_conversations
from keras_gca.data.held_out import hold_out
from keras_gca.data.pairs import Pairs, frame_answers, make_pairs, pad_contexts
from keras_gca.data.text import detokenise, tokenise
from keras_gca.data.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary, read_words
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.arrays import read_arrays, write_arrays
from tests.factories.gca import LENGTH, VOCABULARY, make_agent

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("ci")
few = settings(max_examples=12)  # for properties whose test runs a network

# Text that a file can hold (without half surrogate pairs); words also have no white space of any kind.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
words = texts.filter(lambda text: text and len(text.split()) == 1 and text == text.strip() and "\0" not in text)
vocabularies = st.lists(words.filter(lambda word: word not in SPECIAL_TOKENS), unique=True, max_size=20)


# Written values are read back


@given(
    vocabularies,
    st.integers(1, 6),
    st.randoms(use_true_random=False),
    st.sampled_from(["v.txt", "v.gz"]),
)
def test_vectors(words, dimension, random, name):
    rows = [[random.uniform(-9, 9) * 10 ** random.randint(-20, 20) for _ in range(dimension)] for _ in words]
    matrix = np.array(rows, np.float32).reshape(len(words), dimension)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_vectors(path, Vectors(words, matrix))
        if words:
            found = read_vectors(path)
            assert found.words == words
            np.testing.assert_allclose(found.matrix, matrix, rtol=1e-5)
            assert read_vectors(path, words[1:]).words == words[1:]


@given(vocabularies, st.randoms(use_true_random=False))
def test_vocabularies(words, random):
    counts = [random.randrange(2**63) for _ in words]
    made = Vocabulary(words, counts, {word: word.upper() for word in words[:3]})
    again = Vocabulary.from_values(json_files.loads(json.dumps(made.to_values(), ensure_ascii=False)))
    assert (again.tokens, again.counts, again.surfaces) == (made.tokens, made.counts, made.surfaces)
    assert made.decode(made.encode(words)) == words
    assert made.encode([*SPECIAL_TOKENS, "never heard"]).tolist() == [UNK] * 5


@given(vocabularies)
def test_lists_of_words(words):
    if not words or words[0].startswith("\ufeff"):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words"
        path.write_text("\n".join(words), encoding="utf-8", newline="")
        assert read_words(path) == words


lines = texts.map(lambda text: " ".join(text.replace("\0", " ").split())).filter(bool)
utterances = lines.filter(lambda text: not re.fullmatch(r"([-=_*~#])\1{2,}", text))  # these lines end conversations
talks = st.lists(st.lists(utterances, min_size=2, max_size=5), min_size=1, max_size=4)


@given(talks)
def test_conversations_as_text_and_as_json_lines(talks):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talks"
        expected = [Conversation(tuple(talk)) for talk in talks]
        path.write_text("\n\n".join("\n".join(talk) for talk in talks), encoding="utf-8-sig", newline="")
        assert read_conversations(path, "text") == expected
        for ascii_only in (True, False):
            text = "".join(json.dumps(talk, ensure_ascii=ascii_only) + "\n" for talk in talks)
            path.write_text(text, encoding="utf-8", newline="")
            assert read_conversations(path, "jsonl") == expected


plain = lines.filter(
    lambda text: not set(text) & set('"|\\\\') and not text.startswith("\ufeff")
)  # no marks of a format
pairs_of_lines = st.lists(st.tuples(plain, plain), min_size=1, max_size=6)


@given(pairs_of_lines)
def test_pairs_as_tables_and_as_episodes(pairs):
    expected = [Conversation(pair) for pair in pairs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs"
        for separator in "\t,;":
            with path.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, delimiter=separator).writerows([("question", "answer"), *pairs])
            assert read_conversations(path) == expected
        path.write_text("".join(f"1 {a}\t{b}\n" for a, b in pairs), encoding="utf-8", newline="")
        assert read_conversations(path, "parlai") == expected


@settings(max_examples=20)
@given(pairs_of_lines, talks)
def test_pairs_and_talks_as_data_sets_in_official_parts(pairs, talks):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        parquet.write_table(
            pyarrow.table(dict(zip(("question", "answer"), zip(*pairs, strict=True), strict=True))), path
        )
        assert read_conversations(path) == [Conversation(pair) for pair in pairs]
        for part in PARTS:
            table = pyarrow.table({"dialogue": [[part, *talk] for talk in talks]})
            parquet.write_table(table, path.with_name(f"{part}.parquet"), row_group_size=2)
        assert read_conversations(folder, splits="official") == [
            Conversation((part, *talk), part=part) for part in PARTS for talk in talks
        ]


@given(talks, st.randoms(use_true_random=False))
def test_talks_as_json_as_turns_and_with_speakers(talks, random):
    expected = [Conversation(tuple(talk)) for talk in talks]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talks"
        for indent in (None, 1):
            path.write_text(json.dumps(talks, indent=indent, ensure_ascii=False), encoding="utf-8", newline="")
            assert read_conversations(path, "json") == expected
        path.write_text("\n\n".join("\n".join(f"A: {text}" for text in talk) for talk in talks), "utf-8", newline="")
        assert read_conversations(path, "speakers") == expected
        turns = [(i, j, text) for i, talk in enumerate(talks) for j, text in enumerate(talk)]
        random.shuffle(turns)
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("dialogue_id", "turn", "text"), *turns])
        assert sorted(map(repr, read_conversations(path))) == sorted(map(repr, expected))


@given(
    talks, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]), st.sampled_from(["\n", "\r\n", "\r", "\x85"])
)
def test_talks_in_any_encoding_and_with_any_line_ends(talks, encoding, end):
    text = (end + end).join(end.join(talk) for talk in talks)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talks"
        path.write_bytes(text.encode(encoding))
        if "\ufffd" in text or text.startswith("\ufeff"):
            return  # these stand for a character that cannot be decoded, and for a mark of byte order
        assert read_conversations(path, "text") == [Conversation(tuple(talk)) for talk in talks]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
shapes = st.lists(st.integers(0, 4), max_size=3)
dtypes = st.sampled_from(["f4", "f8", "f2", "i4", "i8", "u1", "?"])


@given(st.dictionaries(texts, values), st.lists(st.tuples(shapes, dtypes), max_size=5), st.booleans())
def test_arrays_and_facts(facts, arrays, compress):
    made = {
        f"part/{i}": np.random.default_rng(i).integers(0, 2, shape).astype(dtype)
        for i, (shape, dtype) in enumerate(arrays)
        if not compress or (shape and all(shape))  # HDF5 compresses no scalars, and nothing of nothing
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        write_arrays(path, made | {"last": np.ones(1)}, facts, compress)
        found, again = read_arrays(path)
    assert found == facts
    for name, array in made.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


# Text


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.fit(["The quick brown fox jumps over the lazy dog."], 300, ["<|positive|>"])


@given(text=texts)
def test_the_bytes_of_any_text_come_back(tokenizer, text):
    ids = tokenizer.encode(text)
    assert all(0 <= i < len(tokenizer) for i in ids)
    assert tokenizer.end not in ids
    assert tokenizer.decode(ids) == text


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(["split", "expanded"]))
@few
def test_tokens_are_words_and_do_not_depend_on_their_neighbours(utterances, style):
    rows = tokenise(utterances, style)
    assert len(rows) == len(utterances)
    assert all(token and len(token.split()) <= 1 for row in rows for token in row)
    assert tokenise(utterances[::-1], style) == rows[::-1]


english = st.lists(
    st.sampled_from(
        ["i", "you", "do", "n't", "'s", "it", "tom", "we", ",", ".", "?", "!", "3.50", "7:30", "%", "$", "cats"]
    ),
    min_size=1,
    max_size=9,
)


@given(english)
@few
def test_what_is_written_for_people_reads_as_the_same_tokens(tokens):
    """The inputs exclude a clitic or a mark without a word before it, because people do not write such text."""
    tokens = [b for a, b in zip([".", *tokens], tokens, strict=False) if a.isalpha() or b.isalpha()]
    tokens = tokens if tokens and tokens[0].isalpha() else ["we", *tokens]
    once = tokenise([detokenise(tokens)])[0]
    assert tokenise([detokenise(once)])[0] == once
    assert detokenise(once, {}).replace(" ", "") == detokenise(tokens).replace(" ", "")


@given(st.lists(texts, max_size=8))
def test_any_tokens_can_be_written_for_people(tokens):
    assert isinstance(detokenise(tokens), str)


# Pairs

indices = st.lists(st.lists(st.integers(4, VOCABULARY - 1), max_size=2 * LENGTH), max_size=6)


@given(indices, st.integers(2, LENGTH))
def test_padding_and_framing(rows, length):
    contexts, answers = pad_contexts(rows, length), frame_answers(rows, length)
    assert contexts.shape == (len(rows), length)
    assert answers.shape == (len(rows), length + 1)
    for row, context, answer in zip(rows, contexts.tolist(), answers.tolist(), strict=True):
        assert [token for token in context if token != PAD] == row[-length:]
        assert context == [PAD] * (length - len(row)) + row[-length:]
        whole = [BOS, *row, EOS]
        assert answer == (whole + [PAD] * length)[: length + 1]
    if rows:
        pairs = Pairs(contexts, answers, np.arange(len(rows)))
        assert len(Pairs.of_arrays(pairs.arrays(), VOCABULARY, length)) == len(rows)


@given(st.lists(st.lists(st.lists(words, min_size=1, max_size=4), min_size=2, max_size=4), min_size=1, max_size=9))
def test_every_utterance_after_the_first_is_an_answer_once(talks):
    vocabulary = Vocabulary.build([utterance for talk in talks for utterance in talk])
    pairs = make_pairs(talks, vocabulary, 2, 6)
    assert len(pairs) == sum(len(talk) - 1 for talk in talks)
    assert np.unique(pairs.conversation).tolist() == list(range(len(talks)))
    batches = plan_batches(pairs, 3, seed=1)
    assert sorted(i for batch in batches for i in batch) == list(range(len(pairs)))
    assert all(0 < len(batch) <= 3 for batch in batches)


@given(st.lists(st.integers(1, 5), min_size=10, max_size=40), st.floats(0.001, 0.5), st.integers(0, 9))
def test_no_conversation_is_held_out_in_part(lengths, fraction, seed):
    owner = np.repeat(np.arange(len(lengths)), lengths)
    held_out = hold_out(owner, fraction, seed)
    for number in range(len(lengths)):
        assert len(set(held_out[owner == number].tolist())) == 1
    assert 0 < held_out.sum() < len(owner)


# Decoding


@pytest.fixture(scope="module")
def agent():
    return make_agent()


decodings = st.one_of(
    st.just(Decoding()),
    st.builds(Decoding, beam=st.integers(1, 3)),
    st.builds(Decoding, temperature=st.sampled_from([0.01, 1.0, 100.0]), top_k=st.sampled_from([None, 1, 3])),
)


@pytest.mark.thorough
@given(rows=st.lists(st.lists(st.integers(4, 15), max_size=9), min_size=1, max_size=3), decoding=decodings)
@few
def test_answers_are_words_of_the_vocabulary_and_end(agent, rows, decoding):
    length, size = agent.config.sentence_length, len(agent.vocabulary)
    contexts = pad_contexts(rows, length)
    for name in agent.generators:
        decoded = agent.decode(name, contexts, decoding)
        assert decoded.answers.shape == (len(rows), length + 1)
        assert ((decoded.answers >= 0) & (decoded.answers < size)).all()
        assert (decoded.answers[:, 0] == BOS).all()
        assert ((decoded.probabilities >= 0) & (decoded.probabilities <= 1)).all()
        for answer, probabilities in zip(decoded.answers.tolist(), decoded.token_probabilities, strict=True):
            written = [token for token in answer[1:] if token != PAD]
            assert answer[1:] == written + [PAD] * (length - len(written))
            assert EOS not in written[:-1]
            assert UNK not in written
            assert all(0 <= p <= 1 + 1e-6 for p in probabilities[: len(written)])
    for answers in agent.answer_contexts(contexts, decoding):
        for answer in answers:
            assert 0 <= answer.human <= 1
            assert 0 <= answer.score <= 1
            assert all(0 <= score <= 1 for _, score in answer.token_scores)


@given(history=st.lists(texts, min_size=1, max_size=3))
@few
def test_any_history_gets_a_reply_or_one_line_where_there_is_nothing_to_answer(agent, history):
    if history[-1].strip():
        assert isinstance(agent.reply(history), str)
    else:
        with pytest.raises(UserError, match="there is nothing to answer"):
            agent.reply(history)


# Trajectories


@given(talks, st.sampled_from(["disjoint", "staggered"]))
def test_histories_are_what_was_said_before(talks, turns):
    for number, talk in enumerate(talks):
        conversation = Conversation(tuple(talk), "sad")
        found = conversation_trajectories(conversation, turns, "text", number)
        assert len(found) == count_trajectories([conversation], turns)
        for turn, each in enumerate(found, start=1):
            said = (*each.history, each.prompt, each.response)
            assert len(said) == (2 * turn if turns == "disjoint" else turn + 1)
            whole = (*found[-1].history, found[-1].prompt, found[-1].response)
            assert said == whole[: len(said)]
            assert (each.turn, each.conversation, each.emotion) == (turn, number, "sad")


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6), min_size=40, max_size=60),
    st.integers(0, 99),
)
@settings(max_examples=25)
def test_a_split_is_a_partition_and_no_conversation_is_in_two_parts(talks, seed):
    made = [
        each
        for number, talk in enumerate(talks)
        for each in conversation_trajectories(
            Conversation(tuple(f"{text} {number % 20}" for text in talk)), number=number
        )
    ]
    parts = split(made, seed)
    everything = [*parts.train, *parts.test, *parts.validation]
    assert sorted(map(repr, everything)) == sorted(map(repr, made))
    of_parts = [{each.conversation for each in part} for part in (parts.train, parts.test, parts.validation)]
    assert sum(map(len, of_parts)) == len(set.union(*of_parts)) == len(talks)
    assert all(of_parts)
    assert split(made[::-1], seed).train == parts.train[::-1]
