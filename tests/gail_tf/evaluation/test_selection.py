"""Selection among the responses of the policy after maximum likelihood, with an agent of toy size."""

from types import SimpleNamespace

import numpy as np
import pytest

from gail_tf.agent import GAILAgent
from gail_tf.bot import Bot
from gail_tf.evaluation import selection
from gail_tf.evaluation.report import chooser
from gail_tf.imitation.phases import DISCRIMINATOR, MAXIMUM_LIKELIHOOD, schedule
from gail_tf.policies.sampling import Sampling
from tests.factories import gail_agents, small_runs

ROWS, SEED, COUNT = np.array([4, 1, 9, 12, 3]), 7, 4
SAMPLING = Sampling(8, top_p=1.0, temperature=1.0)


@pytest.fixture(scope="module")
def agent():
    settings = small_runs.config(algorithm="selection", updates=0, selection_candidates=COUNT)
    bot = gail_agents.of_gpt2(settings).bot
    policies = {MAXIMUM_LIKELIHOOD: bot.policies[MAXIMUM_LIKELIHOOD]}
    return GAILAgent(Bot(settings, bot.tokenizer, bot.sizes, policies, MAXIMUM_LIKELIHOOD, bot.discriminator))


@pytest.fixture(scope="module")
def selector(agent):
    return selection.Selector(agent, small_runs.samples(), size=8)  # two prompts at a time


def test_each_choice_takes_what_it_should():
    logits, likelihoods = np.array([0.0, 3.0, 1.0, -2.0]), np.array([-9.0, -7.0, -5.0, -6.0])
    assert selection.choice(selection.BY_LIKELIHOOD, logits, likelihoods, np.random.default_rng(0)) == 2
    for name, odds in ((selection.BY_ODDS, np.exp(logits)), (selection.AT_RANDOM, np.ones(4))):
        draw = np.random.default_rng(1)
        taken = [selection.choice(name, logits, likelihoods, draw) for _ in range(4000)]
        np.testing.assert_allclose(np.bincount(taken, minlength=4) / 4000, odds / odds.sum(), atol=0.03)


@pytest.mark.thorough
def test_the_candidates_are_the_policys_responses_and_their_scores_are_the_agents(agent, selector):
    texts, logits, likelihoods = selector._candidates(tuple(ROWS.tolist()), SEED, SAMPLING)
    batch, trajectories = small_runs.samples().batch, small_runs.trajectories()[0]
    assert len({text for said in texts for text in said}) > len(ROWS)
    for place, row in enumerate(ROWS[:2]):
        one = [array[[row]] for array in (batch.condition, batch.condition_mask)]
        numbers = row * COUNT + np.arange(COUNT)
        drawn = agent.policies[MAXIMUM_LIKELIHOOD].sample(*one, (SEED, 0), SAMPLING, numbers.astype(np.int32), COUNT)
        tokens, mask, log_probs = (array.numpy() for array in drawn)
        assert texts[place] == [
            agent.tokenizer.decode(row[seen]).strip() for row, seen in zip(tokens, mask, strict=True)
        ]
        np.testing.assert_allclose(likelihoods[place], log_probs.sum(1), rtol=1e-4)
        asked = type(batch)(*one, *(array[[row]] for array in batch[2:]))
        read = [(*trajectories[row].history, trajectories[row].prompt)]
        found = agent.expert_logits(asked, tokens, mask, read, texts[place])
        np.testing.assert_allclose(logits[place], found, atol=1e-3)


@pytest.mark.thorough
def test_a_choice_does_not_depend_on_the_order_of_the_prompts_or_on_other_prompts(selector):
    candidates, _, likelihoods = selector._candidates(tuple(ROWS.tolist()), SEED, SAMPLING)
    chosen = {name: selector.respond(name, ROWS, SEED, SAMPLING) for name in selection.SELECTIONS}
    for name, texts in chosen.items():
        assert all(
            text in [" ".join(one.split()) for one in said] for text, said in zip(texts, candidates, strict=True)
        )
        assert selector.respond(name, ROWS[::-1][:3], SEED, SAMPLING) == texts[::-1][:3]
    likeliest = [" ".join(said[i].split()) for said, i in zip(candidates, likelihoods.argmax(1), strict=True)]
    assert chosen[selection.BY_LIKELIHOOD] == likeliest
    assert len(set(map(tuple, chosen.values()))) > 1


def test_a_run_trains_d_alone_and_its_choices_are_speakers():
    settings = small_runs.config(algorithm="selection", updates=0)
    phases = [stage.phase for stage in schedule(settings, from_scratch=False)]
    assert phases == [MAXIMUM_LIKELIHOOD, DISCRIMINATOR, DISCRIMINATOR]
    names = selection.speakers_of(SimpleNamespace(generators=(MAXIMUM_LIKELIHOOD,), config=settings))
    assert names == (MAXIMUM_LIKELIHOOD, *selection.SELECTIONS)
    assert chooser(None)(names) == list(selection.SELECTIONS)
    two = MAXIMUM_LIKELIHOOD, "imitation"
    assert selection.speakers_of(SimpleNamespace(generators=two, config=small_runs.config())) == two
    assert chooser(None)(two) == ("imitation",)
