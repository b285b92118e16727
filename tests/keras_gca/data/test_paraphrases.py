import numpy as np
import pytest

from benchmarks import paraphrases as tool
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.data.dataset import Dataset, prepare
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.data.paraphrases import FILE, fingerprint, links, paraphrased, read_similar
from keras_gca.errors import UserError
from keras_gca.storage.config_file import write_settings
from keras_gca.training.run_folder import GCARun
from tests.factories.gca import make_agent, random_pairs

CONVERSATIONS = [Conversation(("Hello!", "Hi.", "How are you?", "Fine.")), Conversation(("Hi there!", "Hey."))]


def test_the_file_lists_numbers_of_utterances(tmp_path):
    utterances = [text for conversation in CONVERSATIONS for text in conversation.utterances]
    (tmp_path / "similar.txt").write_text(f"{fingerprint(utterances)}\n0 4\n4 0 2\n")
    similar = read_similar(CONVERSATIONS, path=tmp_path / "similar.txt")
    assert similar == {"hello !": ["hi there !"], "hi there !": ["hello !", "how are you ?"]}


def test_a_file_of_other_conversations_is_refused(tmp_path):
    (tmp_path / "similar.txt").write_text(f"{fingerprint(['Hello!', 'Hi.'])}\n0 1\n")
    with pytest.raises(ValueError, match="does not belong to these 6 utterances"):
        read_similar(CONVERSATIONS, path=tmp_path / "similar.txt")


def test_links_go_to_the_first_pair_with_a_similar_context():
    similar = {"a": ["b", "c"], "b": ["a"], "d": ["z"]}
    contexts = ["a", "b", None, "a", "b", "d"]
    assert links(contexts, similar).tolist() == [[0, 1], [1, 0], [3, 1], [4, 0]]
    assert links([None, "d"], similar).shape == (0, 2)


def test_contexts_are_replaced_with_the_given_probability_and_answers_never():
    count = 4000
    pairs = Pairs(
        pad_contexts([[4 + i % 3] for i in range(count)], 2), frame_answers([[7]] * count, 2), np.arange(count)
    )
    # Contexts of token 4 have two similar contexts, those of token 5 have one, and those of token 6 have none.
    similar = np.array(sorted([(i, 1) for i in range(0, count, 3)] + [(i, 2) for i in range(0, count, 3)] +
                              [(i, 0) for i in range(1, count, 3)]))  # fmt: skip
    found = paraphrased(pairs, similar, 0.4, seed=1)
    before, after = pairs.contexts[:, 1], found.contexts[:, 1]
    for token, others in ((4, {4: 0.6, 5: 0.2, 6: 0.2}), (5, {5: 0.6, 4: 0.4}), (6, {6: 1.0})):
        chosen = after[before == token]
        # With 1,333 contexts, four standard errors are at most 4 * sqrt(0.6 * 0.4 / 1333) = 0.054.
        assert {other: np.mean(chosen == other) for other in others} == pytest.approx(others, abs=0.054)
    assert found.answers is pairs.answers
    assert found.conversation is pairs.conversation
    np.testing.assert_array_equal(paraphrased(pairs, similar, 0.4, seed=1).contexts, found.contexts)
    assert (paraphrased(pairs, similar, 0.4, seed=2).contexts != found.contexts).any()
    np.testing.assert_array_equal(paraphrased(pairs, similar, 0.0, seed=1).contexts, pairs.contexts)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"context_utterances": 1}, True),
        ({"context_utterances": 2}, True),
        ({"context_paraphrases": 0.0}, False),
        ({"context_utterances": 3, "context_changes": "detect"}, True),
    ],
)
def test_only_contexts_of_one_training_utterance_are_linked(settings, expected):
    conversations = [Conversation((f"Hello {i}.", f"Yes {i}.", f"No {i}.")) for i in range(20)]
    similar = {f"hello {i} .": [f"hello {j} ." for j in range(20) if j != i] for i in range(20)}
    similar |= {f"yes {i} .": [f"hello {i} ."] for i in range(20)}
    config = Config.preset("tiny", **{"context_paraphrases": 0.5, "minimum_count": 1, **settings})
    dataset = prepare(conversations, config, similar=similar)
    if not expected:
        assert dataset.paraphrases is None
        return
    vocabulary, training = dataset.vocabulary, dataset.training
    texts = [" ".join(vocabulary.decode_context(row)) for row in training.contexts]
    linked = {(texts[a], texts[b]) for a, b in dataset.paraphrases}
    assert all(b in similar[a] for a, b in linked)
    assert any(a.startswith("yes") for a, _ in linked) == (config.context_utterances == 1)
    assert len(linked) > 100
    assert prepare(conversations, config).paraphrases is None


@pytest.mark.parametrize(
    "settings", [{"predict": "context"}, {"predict": "unconditional"}, {"persona_size": 4}], ids=str
)
def test_contexts_that_are_not_messages_or_name_a_speaker_are_never_replaced(settings):
    """Otherwise p(x|y) would read the answer of another pair, and an answer would belong to another speaker."""
    speakers = ("Anna", "Sam") * 2
    conversations = [Conversation((f"Hello {i}.", f"Yes {i}.", "No.", "Why?"), speakers=speakers) for i in range(40)]
    similar = {f"hello {i} .": [f"hello {j} ." for j in range(40) if j != i] for i in range(40)}
    config = Config.preset("default", minimum_count=1, **settings)
    assert config.context_paraphrases == 0
    before = Config.preset("default", minimum_count=1).to_values() | settings  # as in a run of an earlier version
    assert (
        prepare(conversations, Config.from_values(before | {"ranking_epochs": 0}), similar=similar).paraphrases is None
    )
    with pytest.raises(
        UserError, match="--context-paraphrases replaces messages by similar ones, which is not possible"
    ):
        prepare(conversations, config.changed(context_paraphrases=0.4), similar=similar)


def test_similar_vectors_are_found_by_a_plain_search(monkeypatch):
    monkeypatch.setattr(tool, "BLOCK", 7)
    vectors = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for i, near in enumerate(tool.nearest(vectors)):
        cosines = sorted(((vectors[i] @ vectors[j], j) for j in range(40) if j != i), reverse=True)
        assert near == [j for cosine, j in cosines if cosine >= tool.LEAST][: tool.MOST]


def test_the_embedded_file_belongs_to_the_embedded_corpus():
    """If this fails after a change of the corpus, run `python -m benchmarks.paraphrases`."""
    conversations = read_conversations()
    similar = read_similar(conversations)
    followed = {id(text) for conversation in conversations for text in conversation.utterances[:-1]}
    utterances = [text for conversation in conversations for text in conversation.utterances]
    numbers = {int(number) for line in FILE.read_text().splitlines()[1:] for number in line.split()}
    assert all(id(utterances[number]) in followed for number in numbers)  # each of them has an answer
    assert "hello , is anyone there ?" in similar["hello , is anybody there ?"]


def run_with(path, similar):
    """Write a run folder whose four training pairs have these links, and return the run."""
    agent = make_agent()
    pairs = random_pairs(4, vocabulary=len(agent.vocabulary), length=agent.longest)
    dataset = Dataset(agent.vocabulary, pairs, pairs, [], True, paraphrases=similar)
    return GCARun.create(path, agent.config, dataset, {})


def test_links_are_stored_with_the_pairs(tmp_path):
    similar = np.array([[0, 2], [2, 0], [2, 3]], np.int32)
    np.testing.assert_array_equal(run_with(tmp_path / "linked", similar).dataset().paraphrases, similar)
    assert run_with(tmp_path / "plain", None).dataset().paraphrases is None
    backward = run_with(tmp_path / "backward", similar)
    write_settings(backward.config_file, backward.config().changed(predict="context"), {})
    assert backward.dataset().paraphrases is None


@pytest.mark.parametrize("similar", [[[0, 4]], [[-1, 2]], [[2, 0], [0, 2]], [[0, 1, 2]], [0, 1], [[0.0, 1.0]]], ids=str)
def test_links_that_do_not_fit_the_pairs_are_refused(tmp_path, similar):
    with pytest.raises(UserError, match=r"pairs\.h5: the file is damaged; its parts do not fit together"):
        run_with(tmp_path / "run", np.array(similar)).dataset()
