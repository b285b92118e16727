"""Makes data, settings and runs that are small enough for tests of a whole training run: 16 units, 16 rollouts."""

from functools import cache

import numpy as np

from gail_tf.build import make_gpt2, make_networks
from gail_tf.config import GAILConfig
from gail_tf.data.layouts import END_OF_TEXT, Layout
from gail_tf.data.samples import CONTROL_TOKENS, Samples, control_tokens, running_text
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import read_trajectories, split
from gail_tf.imitation.gail import GAILTraining

SMALL = {
    "condition_tokens": 24,
    "response_tokens": 8,
    "n_positions": 32,
    "rollouts": 16,
    "sample_batch_size": 8,
    "minibatch_size": 8,
    "batch_size": 8,
    "discriminator_steps": 3,
    "pretraining_epochs": 1,
    "mle_epochs": 1,
    "updates": 3,
    "validation_frequency": 2,
    "warmup_steps": 2,
    "dropout": 0.1,
}
TRAINING, VALIDATION = 20, 6  # numbers of trajectories


def config(**changes) -> GAILConfig:
    return GAILConfig.preset("tiny", **SMALL | changes)


@cache
def trajectories():
    """Return some trajectories of each part of the embedded corpus, from conversations and from tweets."""
    parts = split(read_trajectories(), seed=0)
    counts = (parts.train, TRAINING), (parts.validation, VALIDATION)
    some = [[part[i] for i in np.linspace(0, len(part) - 1, count).astype(int)] for part, count in counts]
    assert {each.source for each in some[0]} == {"empathetic", "tweets"}
    return some


@cache
def tokenizer(layout: Layout = END_OF_TEXT, controls: tuple[str, ...] = CONTROL_TOKENS) -> Tokenizer:
    texts = [text for each in trajectories()[0] for text in (*each.history, each.prompt, each.response)]
    return Tokenizer.fit(texts, 300, controls, layout)


@cache
def samples(part: int = 0, with_sentiment: bool = True) -> Samples:
    """Return the samples of training (0) or of validation (1)."""
    limits = SMALL["condition_tokens"], SMALL["response_tokens"]
    return Samples.encode(tokenizer(), trajectories()[part], *limits, with_sentiment)


def gpt2(settings: GAILConfig, layout: Layout = END_OF_TEXT):
    """Make a GPT-2 whose weights give long and short responses, all of them different."""
    known = tokenizer(layout, control_tokens(settings.data))
    made = make_gpt2(settings, known)
    draw = np.random.default_rng(3)
    for name, variable in made.weights.items():
        centre = 1.0 if (".ln" in name and name.endswith("weight")) or name == "ln_f.weight" else 0.0
        variable.assign(draw.normal(centre, 0.3, variable.shape))
    embeddings = made.weights["wte.weight"].numpy()
    embeddings[known.end] += 1.0 * made.weights["ln_f.bias"].numpy()
    made.weights["wte.weight"].assign(embeddings)
    return made


def training(settings: GAILConfig, from_scratch: bool = False) -> GAILTraining:
    general = None
    if from_scratch:
        general = running_text(tokenizer(), [(each.prompt, each.response) for each in trajectories()[0]], 31)
    with_sentiment = settings.data.sentiment == "on"
    parts = samples(0, with_sentiment), samples(1, with_sentiment)
    networks = make_networks(settings, tokenizer(), gpt2(settings), from_scratch=general is not None)
    return GAILTraining(settings, tokenizer(), networks, *parts, general)
