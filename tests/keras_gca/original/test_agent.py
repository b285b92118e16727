"""Compares this project with numbers that the author's programs gave in Keras 2.0.4 (the reference data, `golden`)."""

import json
import pickle

import h5py
import numpy as np
import pytest
import tensorflow as tf

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.pairs import frame_answers, pad_contexts
from keras_gca.data.pickled_vocabulary import VOCABULARY, read_vocabulary
from keras_gca.data.vocabulary import BOS, EOS, PAD, PERIOD, UNK, Vocabulary
from keras_gca.errors import UserError
from keras_gca.models.decoding import Decoder
from keras_gca.models.forward import PrefixGenerator
from keras_gca.models.networks import GREEN, WHITE, YELLOW, build
from keras_gca.models.rows import rows_of
from keras_gca.original.agent import OriginalAgent, load, replies_by_his_rule, write
from keras_gca.original.weights import DISCRIMINATOR, GENERATORS, original_indices, read_weights
from keras_gca.serving.protocol import Answer
from tests.places import reference_data

GOLDEN = reference_data() / "golden" / "original_gca"
WORDS = [".", ",", "you", "i", "?", "fine"]


@pytest.fixture(scope="module")
def reference():
    if not GOLDEN.is_dir():
        pytest.skip(f"the author's reference numbers are not here ({GOLDEN})")
    return json.loads((GOLDEN / "reference.json").read_text())


@pytest.fixture(scope="module")
def golden(reference):
    return load(GOLDEN)


def ours(indices, size):
    """Convert the author's indices to this project's numbering."""
    table = np.empty(size - 1, np.int32)
    table[original_indices(size)] = np.arange(1, size)
    return table[np.asarray(indices, np.int64)]


def context_of(exchange, agent):
    """Convert the author's context, padded with "." on the left. Which full stops are padding does not matter."""
    return ours(exchange["context_ids"], len(agent.vocabulary))[None]


# Golden


@pytest.mark.thorough
def test_whole_outputs_of_figure_1_equal_the_authors(golden, reference):
    size = len(golden.vocabulary)
    gca = golden.networks.decoders["teacher_forcing"].gca
    for case in reference["next_token"]:
        context = ours(case["context_ids"], size)[None]
        prefix = ours(case["prefix"], size)
        partial = np.full((1, 50), PERIOD, np.int32)
        partial[0, 50 - len(prefix) :] = prefix
        expected = np.array(case["p"])
        by_figure = gca.generator([context, partial]).numpy()[0]
        answer = np.concatenate([prefix, [EOS]])[None].astype(np.int32)  # any token may follow the prefix
        rows = rows_of(tf.constant(answer))
        logits = PrefixGenerator.of(gca)(tf.constant(context), tf.constant(answer), rows)
        for p in (by_figure, tf.nn.softmax(logits).numpy()[-1]):
            assert p[PAD] == 0
            np.testing.assert_allclose(p[1:], expected[original_indices(size)], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["teacher_forcing", "adversarial"])
def test_answers_and_probabilities_equal_the_authors(golden, reference, name):
    size = len(golden.vocabulary)
    decoder = golden.networks.decoders[name]
    contexts = np.concatenate([context_of(exchange, golden) for exchange in reference["exchanges"]])
    decoded = decoder.greedy(contexts)
    for row, probabilities, exchange in zip(
        decoded.answers, decoded.token_probabilities, reference["exchanges"], strict=True
    ):
        expected = exchange[name]
        tokens = [token for token in row[1:] if token != PAD]
        ended = EOS in tokens
        assert ended == expected["ended_with_eos"]
        words = tokens[:-1] if ended else tokens
        assert words == ours(expected["answer_ids"], size).tolist()
        np.testing.assert_allclose(probabilities[: len(words)], expected["token_probabilities"], rtol=1e-5)
        probability = np.prod(probabilities[: len(words)].astype(np.float64))
        np.testing.assert_allclose(probability, expected["probability"], rtol=1e-5)


@pytest.mark.parametrize("name", ["teacher_forcing", "adversarial"])
def test_every_token_that_the_author_decoded_is_the_likeliest(golden, reference, name):
    """The author's program decodes 49 tokens, also after EOS. One pass over all of them gives each token again."""
    gca = golden.networks.decoders[name].gca
    size = len(golden.vocabulary)
    contexts = np.concatenate([context_of(exchange, golden) for exchange in reference["exchanges"]])
    buffers = ours([exchange[name]["buffer_after_49_steps"] for exchange in reference["exchanges"]], size)
    assert buffers.shape == (50, 50)
    rows = rows_of(tf.constant(buffers))
    logits = PrefixGenerator.of(gca)(tf.constant(contexts), tf.constant(buffers), rows)
    np.testing.assert_array_equal(np.argmax(logits, axis=1), rows.targets)
    assert len(rows.targets) == 50 * 49


@pytest.mark.thorough
def test_the_discriminators_scores_equal_the_authors(golden, reference):
    size = len(golden.vocabulary)
    scored = 0
    for exchange in reference["exchanges"]:
        for name in ("teacher_forcing", "adversarial", "human"):
            expected = exchange[name]["token_scores"]
            if expected is None:
                continue
            answer = frame_answers([ours(exchange[name]["answer_ids"], size)], 50)
            log_l = golden.judge(context_of(exchange, golden), answer)[0]
            np.testing.assert_allclose(np.exp(log_l[~np.isnan(log_l)]), expected, rtol=1e-5)
            scored += 1
    assert scored > 140


def test_a_typed_context_is_read_as_in_his_programs(golden, reference):
    """A typed text gives the author's tokens, his unknown word, and the same answers."""
    for exchange in reference["exchanges"][:20]:
        if "/" in exchange["context"] or "$" in exchange["context"]:
            continue  # his chat splits these, unlike the training text that the references come from
        answers = {answer.generator: answer for answer in golden.answers([exchange["context"]])}
        for name in GENERATORS:
            expected = exchange[name]
            if expected["ended_with_eos"]:
                tokens = [token for token, _ in answers[name].token_scores[:-1]]
                assert " ".join(tokens).replace("<unk>", "something") == expected["answer"]
                assert answers[name].probability_of_words == pytest.approx(expected["probability"], rel=1e-5)
                np.testing.assert_allclose(
                    [score for _, score in answers[name].token_scores], expected["token_scores"], rtol=1e-5
                )


def test_the_report_says_what_went_where(golden):
    assert len(golden.report) == 14
    assert golden.report[1] == (
        "my_model_weights20.h5: 'Encode context' (20, 128) (32, 128) (128,) -> encoder_context_bot"
    )
    assert golden.report[-1].endswith("'discriminator output' (464, 1) (1,) -> discriminator_output")


def test_the_authors_files_are_written_again_as_they_were(golden, tmp_path):
    write(tmp_path, golden)
    for file in (*GENERATORS.values(), DISCRIMINATOR):
        network = "discriminator" if file == DISCRIMINATOR else "generator"
        for his, again in zip(
            read_weights(GOLDEN / file, network)[0],
            read_weights(tmp_path / file, network)[0],
            strict=True,
        ):
            np.testing.assert_array_equal(his, again)
    his, again = (pickle.loads((folder / VOCABULARY).read_bytes(), encoding="utf-8") for folder in (GOLDEN, tmp_path))
    assert [entry for entry in his if entry[0] not in ("BOS", "EOS")] == [
        entry for entry in again if entry[0] not in ("BOS", "EOS")
    ]
    assert [word for word, _ in his] == [word for word, _ in again]


# Round trip and choice, without his files


@pytest.fixture
def agent():
    config = Config.preset(
        "tiny",
        padding="original",
        contractions="expanded",
        sentence_length=6,
        word_embedding_size=5,
        sentence_embedding_size=6,
        discriminator_sentence_embedding_size=7,
    )
    vocabulary = Vocabulary(WORDS, range(60, 0, -10), {"<unk>": "something"})
    random = np.random.default_rng(0)
    gca = build(config, len(vocabulary))

    def weights(*names):
        dead = gca.layers.decision_bot.bias.numpy()
        drawn = [random.normal(0, 0.7, variable.shape).astype(np.float32) for variable in gca.variables(*names)]
        if names[-1] == YELLOW[-1]:
            drawn[-1] = np.where(dead < -1, dead, drawn[-1])
        return drawn

    generators = {name: weights(*WHITE, *YELLOW) for name in GENERATORS}
    return Agent(config, vocabulary, generators, weights(*WHITE, *GREEN))


@pytest.mark.thorough
def test_our_weights_survive_his_layout(agent, tmp_path):
    paths = write(tmp_path, agent)
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()}
    again = load(tmp_path, sentence_length=6)
    assert again.vocabulary.tokens == agent.vocabulary.tokens
    assert again.vocabulary.counts == agent.vocabulary.counts
    context = pad_contexts([[6, 7], [8], []], 6)
    for name in agent.generators:
        np.testing.assert_array_equal(
            again.networks.decoders[name].greedy(context).answers, agent.networks.decoders[name].greedy(context).answers
        )
    answers = frame_answers([[4, 5, 9], [3], [6, 6]], 6)
    np.testing.assert_allclose(again.judge(context, answers), agent.judge(context, answers), rtol=1e-6)


def test_only_original_padding_can_be_written(agent, tmp_path):
    masked = Config.preset("tiny", sentence_length=6)
    gca = build(masked, len(agent.vocabulary))
    weights = [variable.numpy() for variable in gca.variables(*WHITE, *YELLOW)]
    green = [variable.numpy() for variable in gca.variables(*WHITE, *GREEN)]
    with pytest.raises(UserError, match="only a model with --padding original"):
        write(tmp_path, Agent(masked, agent.vocabulary, {"teacher_forcing": weights}, green))


def answer(name, probability, score):
    return Answer(name, name, 0.0, probability, 0.5, score, (), ())


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ((0.3, 0.5), (0.2, 0.6), "b"),
        ((0.95, 0.5), (0.2, 0.6), "a"),
        ((0.91, 0.9), (0.92, 0.1), "b"),
        ((0.9, 0.5), (0.1, 0.6), "b"),
    ],
)
def test_his_choice(first, second, winner):
    assert OriginalAgent._ranked([answer("a", *first), answer("b", *second)])[0].generator == winner


def test_his_rule_reads_the_last_reply_only_if_it_was_probable_even_after_going_back():
    counts = []

    class Recorded:
        def answers(self, history, count, decoding, seed):
            counts.append(count)
            return [answer(history[-1], 0.3 if history[-1] == "sure" else 0.1, 0.5)]

    reply = replies_by_his_rule(Recorded(), None)
    conversations = [["sure"], ["sure", "sure", "no"], ["sure", "sure", "no", "no", "well"]]
    conversations += [["sure", "sure", "well"], ["well"]]  # after /undo and after /reset
    for turn, history in enumerate(conversations):
        reply(history, turn)
    assert counts == [1, 2, 1, 2, 1]


def test_his_decoder_leaves_nothing_out_and_makes_one_token_less(agent):
    gca = agent.networks.decoders["adversarial"].gca
    gca.layers.decision_bot.bias.assign(np.where(np.arange(len(agent.vocabulary)) == BOS, 50, 0))
    answers = Decoder(gca).greedy(pad_contexts([[6]], 6)).answers
    assert answers[0].tolist() == [BOS] * 6 + [PAD]


# Damaged files; hostile ones are in test_hostile_models.py


def entries(*words):
    return [(word, 1) for word in words]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a vocabulary"),
        (b"hello", "not a vocabulary"),
        (b"(lp0\n(V.\np1\nL14", "not a vocabulary"),
        (b"cos\nsystem\n(S'true'\ntR.", "asks for os.system"),
        (b"\x80\x02Pfile\n.", "not a vocabulary"),
        (pickle.dumps({".": 1}), "the pickle asks for EMPTY_DICT"),
        (pickle.dumps([(".", "many")]), "a list of"),
        (pickle.dumps([(".", 1, 2)]), "a list of"),
        (pickle.dumps(entries(".", ",")), "the first words are"),
        (pickle.dumps(entries(",", ".", "BOS", "EOS")), "the first words are"),
        (pickle.dumps(entries(".", ",", "BOS", "EOS", "i", "i")), "distinct"),
    ],
)
def test_files_that_are_no_vocabulary(tmp_path, content, message):
    path = tmp_path / VOCABULARY
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_vocabulary(path)


@pytest.fixture
def files(agent, tmp_path):
    write(tmp_path, agent)
    return tmp_path


def rewrite(path, name, change):
    """Replace one array of a file of weights. The array is found by the end of its name."""
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(lambda key, item: found.append(key) if key.endswith(name) and hasattr(item, "shape") else None)
        array = change(file[found[0]][()])
        del file[found[0]]
        file[found[0]] = array


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "Encode context/recurrent_kernel",
            lambda a: a[:-1],
            "the shapes of 'Encode context' .* are wrong; .* is expected",
        ),
        ("relu activation/kernel", lambda a: a.T, "relu activation"),
        ("relu activation/bias", lambda a: a[None], "dimensions|are wrong"),
        ("embeddings", lambda a: a[:-1], "are wrong; .* is expected"),
        ("embeddings", lambda a: a[0], "dimensions"),
        ("embeddings", lambda a: a.astype("S8"), "not an array of numbers"),
    ],
)
def test_weights_that_do_not_fit(files, name, change, message):
    path = files / "my_model_weights.h5"
    rewrite(path, name, change)
    with pytest.raises(UserError, match=message):
        load(files, sentence_length=6)


def test_files_that_do_not_fit_together(files):
    with pytest.raises(UserError, match="5 layers with weights"):
        read_weights(files / "my_model_weights.h5", "discriminator")
    (files / DISCRIMINATOR).write_bytes((files / "my_model_weights.h5").read_bytes())
    with pytest.raises(UserError, match=r"5 layers with weights .*; 4 are expected"):
        load(files)
    (files / VOCABULARY).write_bytes(pickle.dumps(entries(".", ",", "BOS", "EOS", "i"), protocol=0))
    with pytest.raises(
        UserError, match=r"the weights are for 9 words, but .*vocabulary_movie has 6, including the unknown word"
    ):
        load(files)
    (files / "my_model_weights20.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="not a Keras 2 weights file"):
        read_weights(files / "my_model_weights20.h5", "generator")
    with pytest.raises(UserError, match="no such file"):
        read_weights(files / "none.h5", "generator")
    with pytest.raises(UserError, match="no such folder"):
        load(files / "none")


def test_an_array_too_many_is_an_error(files):
    path = files / "my_model_weights.h5"
    with h5py.File(path, "r+") as file:
        group = file["relu activation"]
        group.attrs["weight_names"] = [b"relu activation/kernel"]
    with pytest.raises(UserError, match="has 1 arrays; 2 are expected for bot"):
        read_weights(path, "generator")
    assert UNK == 3
