"""Makes agents of the second paper, of toy sizes and with random weights."""

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.baselines import rl_seq2seq
from gail_tf.bot import Bot
from gail_tf.build import make_judge, make_policy
from gail_tf.data.dataset import Data
from gail_tf.data.layouts import END_OF_TEXT
from gail_tf.data.samples import CONTROL_TOKENS, control_tokens, emotion_token
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.training.run_folder import GAILRun
from tests.factories import small_runs


def write_run(path, **changes):
    """Write a run folder with a bot, as a training run with these settings leaves it."""
    settings = small_runs.config(**changes)
    agent = of_gpt2(settings)
    train, validation = small_runs.trajectories()
    data = Data(tuple(train), tuple(validation[:2]), tuple(validation[2:]))
    run = GAILRun.create(path, settings, data, agent.tokenizer, agent.bot.sizes, {})
    run.write_checkpoint({"position": 0}, {})
    agent.save(run.bot)


def of_gpt2(settings, layout=END_OF_TEXT):
    """Make an agent with two GPT-2s and a discriminator, all with random weights."""
    tokenizer, gpt2 = small_runs.tokenizer(layout, control_tokens(settings.data)), small_runs.gpt2(settings, layout)
    draw = np.random.default_rng(5)
    variables = make_judge(settings, gpt2.config).variables
    judge = [draw.normal(0, 0.3, variable.shape).astype(np.float32) for variable in variables]
    policies = two_of(make_policy(settings, tokenizer, gpt2, None))
    return GAILAgent(Bot(settings, tokenizer, gpt2.config, policies, "maximum_likelihood", judge))


def of_lstms(settings):
    """Make an agent with two LSTM encoder-decoders and a classifier of emotions."""
    trajectories = small_runs.trajectories()[0]
    emotions = rl_seq2seq.learn_emotions(trajectories, None, settings)
    tokens = [*CONTROL_TOKENS, *map(emotion_token, emotions.labels)]
    tokenizer = Tokenizer.fit([each.prompt for each in trajectories], 350, tokens)
    policies = two_of(make_policy(settings, tokenizer, None, emotions))
    return GAILAgent(Bot(settings, tokenizer, None, policies, "maximum_likelihood", emotions=emotions))


def two_of(policy):
    draw = np.random.default_rng(0)
    return {
        name: [v.numpy() + draw.normal(0, 0.1, v.shape).astype(np.float32) for v in policy.variables]
        for name in ("maximum_likelihood", "imitation")
    }
