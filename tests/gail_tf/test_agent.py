"""Several conversations answered in one batch."""

import numpy as np
import pytest

from gail_tf.agent import GAILAgent, Replying
from gail_tf.baselines import rl_seq2seq
from gail_tf.discriminator_training import Discriminator
from gail_tf.gail import make_policy
from tests.gail_tf import small_runs
from tests.keras_gca.answers import assert_same_answers

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


@pytest.fixture(scope="module", params=VARIANTS)
def agent(request):
    """Two policies of random weights, and a D of random weights."""
    settings = small_runs.config(**VARIANTS[request.param])
    tokenizer, sizes, emotions, judge = small_runs.tokenizer(), None, None, []
    policies = {}
    for number, name in enumerate(("maximum_likelihood", "imitation")):
        if settings.algorithm == "rl_seq2seq":
            emotions = emotions or rl_seq2seq.learn_emotions(small_runs.trajectories()[0], None, settings)
            policy = make_policy(settings, tokenizer, None, emotions)
        else:
            gpt2 = small_runs.gpt2(settings)
            sizes, policy = gpt2.config, make_policy(settings, tokenizer, gpt2, None)
        draw = np.random.default_rng(number)
        policies[name] = [v.numpy() + draw.normal(0, 0.1, v.shape).astype(np.float32) for v in policy.variables]
    if sizes is not None:
        draw = np.random.default_rng(5)
        variables = Discriminator(sizes, settings).variables
        judge = [draw.normal(0, 0.3, variable.shape).astype(np.float32) for variable in variables]
    return GAILAgent(settings, tokenizer, sizes, policies, "maximum_likelihood", judge, None, emotions)


@pytest.mark.parametrize(
    "replying",
    [Replying(temperature=0), Replying(temperature=0.9, top_p=0.9), Replying(temperature=1.2, top_p=1, candidates=3)],
    ids=str,
)
def test_a_conversation_is_answered_in_any_company_as_alone(agent, replying):
    together = agent.answers_to_all(HISTORIES, None, replying, SEEDS)
    for history, seed, answers in zip(HISTORIES, SEEDS, together, strict=True):
        assert len(answers) == 2 * replying.candidates
        assert_same_answers(answers, agent.answers(history, None, replying, seed))
    reordered = agent.answers_to_all(HISTORIES[::-1], None, replying, SEEDS[::-1])
    for answers, expected in zip(reordered[::-1], together, strict=True):
        assert_same_answers(answers, expected)
    if replying.temperature:
        assert [each.text for each in together[0]] != [each.text for each in together[3]]  # another seed


def test_what_is_no_conversation_is_refused(agent):
    for wrong in ([], "Hello"):
        with pytest.raises(ValueError, match="list of at least one utterance"):
            agent.answers_to_all([["Hello"], wrong], None, Replying(), [1, 1])
