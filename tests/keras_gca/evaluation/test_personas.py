"""Speakers from a corpus to a chat: data, agent, and the measures of consistency."""

import numpy as np
import pytest

from keras_gca import chat
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.data.dataset import Dataset, prepare
from keras_gca.data.pairs import Pairs, make_pairs, with_speakers
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.errors import UserError
from keras_gca.evaluation import personas
from tests.factories.gca import make_agent

NAMES = ("Anna", "Tom")


def speaking_agent(**settings):
    return make_agent(persona_size=3, speakers=NAMES, **settings)


def test_the_embedded_corpus_names_the_speakers_of_its_answers():
    spoken = [conversation for conversation in read_conversations() if conversation.speakers]
    assert len(spoken) == 294
    names = {name for conversation in spoken for name in conversation.speakers[1::2]}
    assert len(names) == 12
    assert {name for conversation in spoken for name in conversation.speakers[::2]} == {None}


def test_tags_name_speakers(tmp_path):
    (tmp_path / "tagged.txt").write_text("Ann: Hello.\nBob: Hi there.\nAnn: How are you?\n\nBob: Bye.\nAnn: Bye.\n")
    first, second = read_conversations(tmp_path / "tagged.txt", "speakers")
    assert first.speakers == ("Ann", "Bob", "Ann")
    assert second.speakers == ("Bob", "Ann")


def test_pairs_begin_with_the_speaker_of_the_answer_if_he_speaks_often_enough():
    often = [Conversation(("hello there", "hi", "bye"), speakers=(None, "Anna", "Tom")) for _ in range(20)]
    seldom = [Conversation(("hello", "yes"), speakers=("Anna", "Zoe")) for _ in range(3)]
    settings = {"persona_size": 3, "minimum_count": 1, "sentence_length": 4, "context_utterances": 2}
    data = prepare([*often, *seldom], Config.preset("tiny", **settings))
    vocabulary, pairs = data.vocabulary, data.training
    assert vocabulary.speakers == NAMES
    assert Vocabulary.from_values(vocabulary.to_values()).speakers == NAMES
    assert pairs.contexts.shape[1] == 5
    for context, answer in zip(pairs.contexts, pairs.answers, strict=True):
        said = vocabulary.decode(answer)
        expected = {"hi": "Anna", "bye": "Tom", "yes": None}[said[0]]
        assert context.max() == vocabulary.token_of_speaker(expected) or expected is None
        assert (context >= len(vocabulary)).sum() == (expected is not None)
    with pytest.raises(UserError, match="--persona-size: no named speaker has 10 or more answers"):
        prepare([*seldom, *[Conversation(("hello", "yes"))] * 30], Config.preset("tiny", **settings))


def test_an_agent_speaks_as_a_speaker_of_the_corpus():
    agent = speaking_agent()
    size = len(agent.vocabulary)
    assert agent.encode_contexts([["hello"]]).max() < size
    agent.speak_as("tom")
    assert agent.persona == "Tom"
    assert agent.encode_contexts([["hello"]])[0, -2:].tolist() == [size + 2, agent.vocabulary.encode(["hello"])[0]]
    with pytest.raises(UserError, match=r"'Zoe' is not a speaker of this bot; its speakers are Anna, Tom$"):
        agent.speak_as("Zoe")
    with pytest.raises(UserError, match="this bot does not know any speakers; train a bot with --persona-size"):
        make_agent().speak_as("Anna")


@pytest.mark.thorough
def test_a_chat_answers_as_a_persona(tmp_path, capsys):
    agent = speaking_agent()
    agent.save(tmp_path / "bot.h5")
    said = {}
    for name in (None, *NAMES):
        asked = [str(tmp_path / "bot.h5"), "--say", "Hello!", "--greedy", *(["--persona", name] if name else [])]
        assert chat.main(asked) == 0
        said[name] = capsys.readouterr().out
        if name:
            agent.speak_as(name)
        assert agent.reply("Hello!") in said[name]
    assert len(set(said.values())) > 1


def test_overlap_by_hand():
    assert personas.overlap([4, 5, 5], [5, 6]) == pytest.approx(1 / 3)
    assert personas.overlap([], []) == 1
    assert personas._in_wordings([[[4], [4], [5]], [[6], [6], [6]]]) == pytest.approx((1 + 0 + 0 + 3) / 6)


@pytest.mark.thorough
def test_the_measures_of_personas():
    agent = speaking_agent()
    conversations = [[["hello"], ["there", "tom"]], [["how", "are", "you"], ["fine"]]]
    plain = make_pairs(conversations, agent.vocabulary, 1, agent.longest)
    size = len(agent.vocabulary)
    pairs = {
        kind: Pairs(with_speakers(plain.contexts, speakers), plain.answers, plain.conversation)
        for kind, speakers in (("own", [size + 1, size + 2]), ("nobody", [0, 0]), ("another", [size + 2, size + 1]))
    }
    figures = personas.measure(agent, Dataset(agent.vocabulary, pairs["own"], pairs["own"], [], True))
    for name, by_kind in figures["perplexity"].items():
        for kind, perplexity in by_kind.items():
            assert perplexity == pytest.approx(agent.perplexities(pairs[kind])[name], rel=1e-4)
    assert figures["answers"] == 2
    asked = [wording for wordings in personas.QUESTIONS for wording in wordings]
    replies = {}
    for speaker in NAMES:
        agent.speak_as(speaker)
        rows = agent.decode(agent.generators[0], agent.encode_contexts([[question] for question in asked])).answers
        replies[speaker] = [set(agent.vocabulary.decode(row)) for row in rows]
    overlaps = [len(a & b) / len(a | b) for a, b in zip(*replies.values(), strict=True)]
    assert figures["other speakers"][agent.generators[0]] == pytest.approx(np.mean(overlaps))
    assert "another" in personas.table({"run": figures}).to_text()
    nobody = Dataset(agent.vocabulary, pairs["nobody"], pairs["nobody"], [], True)
    with pytest.raises(UserError, match="no held-out answer is by a named speaker"):
        personas.measure(agent, nobody)
