import h5py
import numpy as np
import pytest

from keras_gca.agent import Agent, Decoding
from keras_gca.data.pairs import pad_contexts
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models import scoring
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import GREEN, WHITE, build
from keras_gca.storage.arrays import read_arrays, write_arrays
from tests.answers import assert_same_answers
from tests.oracles.equations import Equations


def test_both_generators_answer_and_the_discriminator_chooses_by_equation_10(agent):
    history = ["Nobody hears this.", "Hello there, Tom!", "How are you?"]
    answers = agent.answers(history)
    assert {answer.generator for answer in answers} == {"teacher_forcing", "adversarial"}
    assert agent.reply(history) == answers[0].text
    assert answers[0].score >= answers[1].score or scoring.is_tie(answers[0].score, answers[1].score)
    context = pad_contexts([agent.vocabulary.encode(["hello", "there", ",", "tom", "!", "how", "are", "you", "?"])], 8)
    judge = build(agent.config, len(agent.vocabulary))
    assign(judge.variables(*WHITE, *GREEN), agent.discriminator)
    for answer in answers:
        decoded = Decoder(agent.networks.decoders[answer.generator].gca).greedy(context, allow_unknown=False)
        row = [token for token in decoded.answers[0] if token != PAD]
        equations = Equations(judge)
        one_hot = np.eye(len(agent.vocabulary))
        l = [equations.human(context[0], row[:k], one_hot[row[k]]) for k in range(1, len(row))]  # noqa: E741
        assert [token for token, _ in answer.token_scores] == [agent.vocabulary.tokens[t] for t in row[1:]]
        np.testing.assert_allclose([score for _, score in answer.token_scores], l, rtol=1e-4)
        assert answer.token_probabilities == pytest.approx(decoded.token_probabilities[0, : len(row) - 1])
        assert answer.human == pytest.approx(np.prod(l), rel=1e-4)
        assert answer.score == pytest.approx(np.prod(l) ** (1 / len(l)), rel=1e-4)
        assert answer.probability == pytest.approx(decoded.probabilities[0])


def test_a_discriminator_of_whole_answers_scores_their_ends(agent):
    config = agent.config.changed(algorithm="reinforce")
    whole = Agent(config, agent.vocabulary, agent.weights, agent.discriminator)
    for answer in whole.answers(["Hello, Tom."]):
        by_token = next(each for each in agent.answers(["Hello, Tom."]) if each.generator == answer.generator)
        *before, (_, last) = answer.token_scores
        assert all(np.isnan(score) for _, score in before)
        assert last == pytest.approx(by_token.token_scores[-1][1])
        assert answer.score == pytest.approx(last)
        assert answer.human == pytest.approx(last)


def test_only_the_last_n_u_utterances_are_read(agent):
    assert agent.answers(["Fine.", "Hello", "there"]) == agent.answers(["Tom?", "Hello", "there"])
    assert agent.answers(["Hello", "there"], context_utterances=1) == agent.answers(["there"])
    assert agent.answers(["Hello", "there"]) != agent.answers(["there"])


def test_a_text_is_a_conversation_of_one_utterance(agent):
    assert agent.answers("Hello") == agent.answers(["Hello"])
    assert agent.reply("How are you?") == agent.reply(["How are you?"])
    together = agent.answers_to_all(["Hello", ["there"]], None, Decoding(), [0, 0])
    assert_same_answers(together[0], agent.answers("Hello"))


@pytest.mark.parametrize("wrong", [[], (), "", "  \n", [""], ["Hello", " "], [1], ["Hello", None]], ids=repr)
def test_what_is_no_conversation_is_one_clear_line(agent, wrong):
    def ask_with_another(history):
        return agent.answers_to_all([["Hi"], history], None, Decoding(), [0, 0])

    for ask in (agent.answers, agent.reply, ask_with_another):
        with pytest.raises(UserError, match=r"^(there is nothing to answer: |an utterance is not a text; )"):
            ask(wrong)


def test_a_text_in_place_of_several_conversations_is_refused(agent):
    with pytest.raises(UserError, match="a list of conversations is expected"):
        agent.answers_to_all("Hello", None, Decoding(), [0] * 5)


def test_an_agent_says_what_it_is(agent):
    assert repr(agent) == "<Agent: generators: teacher forcing and adversarial; vocabulary: 16 words>"


def test_a_saved_bot_says_the_same(agent, tmp_path):
    agent.save(tmp_path / "bot.h5")
    again = Agent.load(tmp_path / "bot.h5")
    history = ["Hello, Tom.", "How are you?"]
    assert again.answers(history) == agent.answers(history)
    assert again.config == agent.config
    assert again.generators == agent.generators == ("teacher_forcing", "adversarial")


def test_a_bot_of_half_precision_has_rounded_weights_that_are_float32_again(agent, tmp_path):
    agent.weights["adversarial"][-1][PAD] = -1e9  # as after training with `original` padding
    agent.save(tmp_path / "whole.h5")
    agent.save(tmp_path / "half.h5", weight_format="float16")
    _, stored = read_arrays(tmp_path / "half.h5")
    assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
    half = Agent.load(tmp_path / "half.h5")
    assert half.generators == agent.generators
    for name, weights in [*agent.weights.items(), ("discriminator", agent.discriminator)]:
        read = half.discriminator if name == "discriminator" else half.weights[name]
        for value, other in zip(weights, read, strict=True):
            assert other.dtype == np.float32
            np.testing.assert_allclose(other, np.maximum(value, -65504), rtol=2**-11, atol=1e-7)
    assert half.reply("Hello.")


def test_many_contexts_at_once_are_answered_like_each(agent):
    contexts = pad_contexts([[4, 5], [6], [7, 8, 9]], 8)
    together = agent.answer_contexts(contexts)
    for i in range(3):
        alone = agent.answer_contexts(contexts[i : i + 1])[0]
        assert [a.text for a in alone] == [a.text for a in together[i]]
        assert alone[0].score == pytest.approx(together[i][0].score, rel=1e-4)


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(beam=3), Decoding(temperature=1.5, top_p=0.9)], ids=str)
def test_a_conversation_is_answered_in_any_company_as_alone(agent, decoding):
    histories = [["Hello, Tom."], ["How are you?", "Hello there. I'm fine. How are you, Tom?"], ["?"], ["Hello, Tom."]]
    seeds = [1, 2, 1, 3]
    together = agent.answers_to_all(histories, None, decoding, seeds)
    for history, seed, answers in zip(histories, seeds, together, strict=True):
        alone = agent.answers(history, None, decoding, seed)
        assert_same_answers(answers, alone)
    reordered = agent.answers_to_all(histories[::-1], None, decoding, seeds[::-1])
    for answers, expected in zip(reordered[::-1], together, strict=True):
        assert_same_answers(answers, expected)


def test_a_beam_does_not_repeat_the_agents_own_last_reply(agent):
    beam = Decoding(beam=4)
    before = [answer.text for answer in agent.answers(["How are you?"], 1, beam)]
    for said in before:
        again = [answer.text for answer in agent.answers(["Hello.", said, "How are you?"], 1, beam)]
        assert said not in again
        assert len(set(before) & set(again)) == len(set(before)) - 1  # the other generator's answer stays
    assert [answer.text for answer in agent.answers(["Hello.", "Tom!", "How are you?"], 1, beam)] == before


def test_decoding_options(agent):
    history = ["Hello"]
    greedy = {a.generator: a.text for a in agent.answers(history)}
    assert {a.generator: a.text for a in agent.answers(history, decoding=Decoding(temperature=0.01))} == greedy
    assert {a.generator: a.text for a in agent.answers(history, decoding=Decoding(beam=1))} == greedy
    sampled = {agent.reply(history, Decoding(temperature=2.0), seed) for seed in range(5)}
    assert len(sampled) > 1
    assert agent.reply(history, Decoding(temperature=2.0), 3) == agent.reply(history, Decoding(temperature=2.0), 3)


def test_unknown_words(agent):
    assert agent.unknown_words("Hello zebra, are <eos> you?") == ["zebra", "eos"]


def test_a_discriminators_judgement_ends_with_the_answer(agent):
    answers = np.array([[1, 4, 5, EOS, 0, 0, 0, 0, 0], [1, 4, EOS, 0, 0, 0, 0, 0, 0]], np.int32)
    log_l = agent.judge(pad_contexts([[4], [5]], 8), answers)
    assert log_l.shape == (2, 8)
    assert (~np.isnan(log_l)).sum(1).tolist() == [3, 2]
    assert (log_l[~np.isnan(log_l)] < 0).all()


def test_damaged_and_foreign_files_are_one_clear_line(agent, tmp_path):
    path = tmp_path / "bot.h5"
    for content, message in ((b"no HDF5", "incomplete, or was not written"), (b"", "incomplete, or was not written")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            Agent.load(path)
    agent.save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UserError, match="incomplete, or was not written"):
        Agent.load(path)
    agent.save(path)
    facts, arrays = read_arrays(path)
    del arrays["discriminator/0"]
    write_arrays(path, arrays, facts)
    with pytest.raises(UserError, match="damaged; its parts do not fit together"):
        Agent.load(path)
    with h5py.File(path, "w") as file:
        file["something"] = [1]
    with pytest.raises(UserError, match="incomplete, or was not written"):
        Agent.load(path)
    with pytest.raises(UserError, match=r"none\.h5: no such file"):
        Agent.load(tmp_path / "none.h5")
    with pytest.raises(UserError, match="no run here"):
        Agent.load(tmp_path)
    (tmp_path / "checkpoint.h5").write_bytes(b"")
    path.unlink()
    with pytest.raises(UserError, match=r"bot\.h5: the bot has not been written yet; .* --resume"):
        Agent.load(tmp_path)


@pytest.mark.thorough
def test_every_network_may_have_word_vectors_of_its_own(agent, tmp_path):
    assert len(WHITE) == 1
    history = ["Hello, Tom.", "How are you?"]
    (weights, green), before = (dict(agent.weights), agent.discriminator), agent.answers(history)
    weights["adversarial"] = [weights["adversarial"][0] + 1, *weights["adversarial"][1:]]
    other = Agent(agent.config, agent.vocabulary, weights, green)
    by_name = [{each.generator: each for each in answers} for answers in (before, other.answers(history))]
    assert by_name[0]["teacher_forcing"] == by_name[1]["teacher_forcing"]
    assert by_name[0]["adversarial"] != by_name[1]["adversarial"]

    judged = Agent(agent.config, agent.vocabulary, weights, [green[0] * 2, *green[1:]])
    answer = {each.generator: each for each in judged.answers(history)}["teacher_forcing"]
    assert answer.text == by_name[0]["teacher_forcing"].text
    assert answer.score != by_name[0]["teacher_forcing"].score
    judged.save(tmp_path / "bot.h5")
    assert Agent.load(tmp_path / "bot.h5").answers(history) == judged.answers(history)
