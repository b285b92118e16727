"""The agent answers several conversations in one batch, and answers a message about a crisis with a note."""

import numpy as np
import pytest

from gail_tf.agent import GAILAgent, Replying
from gail_tf.data.layouts import CHATML
from keras_gca.errors import UserError
from keras_gca.safety.crisis import NOTE
from keras_gca.storage.arrays import read_arrays, write_arrays
from tests.answers import assert_same_answers
from tests.factories import small_runs
from tests.factories.gail_agents import of_gpt2, of_lstms

HISTORIES = [
    ["I lost my job today."],
    ["Hello!", "Hi, how are you?", "Not so well. My dog is ill, and I am afraid that it will die."],
    ["?"],
    ["I lost my job today."],
]
SEEDS = [1, 3, 1, 2]
VARIANTS = {
    "whole responses": {},
    "tokens": {"discriminator": "token"},
    "contrastive": {"discriminator": "contrastive", "reward_form": "probability"},
    "rl_seq2seq": {"algorithm": "rl_seq2seq", "discriminator_steps": 0, "discriminator_passes": 0},
}


GREEDY, NUCLEUS, CANDIDATES = Replying(temperature=0), Replying(), Replying(1.2, 1.0, candidates=3)


@pytest.mark.parametrize(
    ("variant", "replying"),
    [
        pytest.param("whole responses", GREEDY, marks=pytest.mark.thorough),
        pytest.param("whole responses", NUCLEUS, marks=pytest.mark.thorough),
        pytest.param("tokens", CANDIDATES, marks=pytest.mark.thorough),
        pytest.param("contrastive", CANDIDATES, marks=pytest.mark.thorough),
        ("rl_seq2seq", CANDIDATES),
    ],
    ids=str,
)
def test_a_conversation_is_answered_in_any_company_as_alone(variant, replying):
    settings = small_runs.config(**VARIANTS[variant])
    agent = of_lstms(settings) if variant == "rl_seq2seq" else of_gpt2(settings)
    together = agent.answers_to_all(HISTORIES, None, replying, SEEDS)
    for history, seed, answers in zip(HISTORIES, SEEDS, together, strict=True):
        assert len(answers) == 2 * replying.candidates
        assert_same_answers(answers, agent.answers(history, None, replying, seed))
    if replying.temperature:
        assert [each.text for each in together[0]] != [each.text for each in together[3]]  # another seed
    assert_same_answers(agent.answers_to_all([HISTORIES[0][0]], None, replying, [1])[0], together[0])
    for wrong in ([], "", ["Hello", " "]):
        with pytest.raises(UserError, match="nothing to answer"):
            agent.answers_to_all([["Hello"], wrong], None, replying, [1, 1])
    network = "two LSTMs" if variant == "rl_seq2seq" else "GPT-2 of 2 blocks"
    assert repr(agent) == f"<GAILAgent: {network}, by maximum likelihood and imitation; the last 24 tokens are read>"


@pytest.mark.thorough
def test_messages_are_read_as_training_text_is():
    """A phone writes ’ for an apostrophe, and VADER does not know "don’t"."""
    agent = of_lstms(small_runs.config(**VARIANTS["rl_seq2seq"]))
    typed = ["Hello ,  Sam .", "How are you ?", "I don’t feel happy  ."]
    written = ["Hello, Sam.", "How are you?", "I don't feel happy."]
    first, second = (agent.answers(history, None, NUCLEUS, 1) for history in (typed, written))
    assert_same_answers(first, second)


def test_a_bot_of_half_precision_has_rounded_weights_that_are_float32_again(tmp_path):
    agent = of_gpt2(small_runs.config())
    agent.save(tmp_path / "whole.h5")
    agent.save(tmp_path / "half.h5", weight_format="float16")
    assert (tmp_path / "half.h5").stat().st_size < 0.6 * (tmp_path / "whole.h5").stat().st_size
    half, whole = (GAILAgent.load(tmp_path / f"{name}.h5") for name in ("half", "whole"))
    for name, weights in whole.bot.policies.items():
        for value, other in zip(weights, half.bot.policies[name], strict=True):
            assert other.dtype == np.float32
            np.testing.assert_allclose(other, value, rtol=2**-11, atol=1e-7)
    assert half.reply("Hello.", GREEDY)


def test_a_message_that_speaks_of_a_crisis_is_answered_by_a_note_unless_the_user_does_not_want_it():
    agent = of_gpt2(small_runs.config())
    assert agent.crisis_note("I want to die.") == NOTE
    assert agent.crisis_note("I lost my job today.") is None
    agent.notes_crises = False
    assert agent.crisis_note("I want to die.") is None


@pytest.mark.thorough
def test_a_bot_keeps_the_layout_of_its_conversations(tmp_path):
    agent = of_gpt2(small_runs.config(condition_tokens=30, n_positions=38), CHATML)
    assert (agent.tokenizer.layout, agent.tokenizer.end) == (CHATML, agent.tokenizer.special("<|im_end|>"))
    agent.save(tmp_path / "bot.h5")
    again = GAILAgent.load(tmp_path / "bot.h5")
    assert again.tokenizer.layout == CHATML
    answers = (one.answers(HISTORIES[1], None, CANDIDATES, 1) for one in (agent, again))
    assert_same_answers(*answers)


@pytest.mark.thorough
def test_a_bot_of_an_older_version_has_the_layout_of_that_version(tmp_path):
    """A bot of an older version has only one file of its tokenizer, tokenizer.json, and its settings have no layout."""
    agent = of_gpt2(small_runs.config())
    agent.save(tmp_path / "bot.h5")
    facts, arrays = read_arrays(tmp_path / "bot.h5")
    del facts["tokenizer"]["tokenizer_config.json"], facts["config"]["layout"]
    write_arrays(tmp_path / "old.h5", arrays, facts)
    old = GAILAgent.load(tmp_path / "old.h5")
    assert old.tokenizer.layout == agent.tokenizer.layout
    assert old.config == agent.config
    assert old.tokenizer.encode("Hello.") == agent.tokenizer.encode("Hello.")
