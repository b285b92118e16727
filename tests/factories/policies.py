"""Makes a tiny GPT-2 that ends some responses early, and conditions with all kinds of padding that it can answer."""

import numpy as np

from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.policies.sampling import Sampling
from tests.factories.gail import SIZES, padded, randomise

CONFIG = GPT2Config(**SIZES | {"n_layer": 2})
END = CONFIG.eos_token_id
CONDITION, MASK = padded([0, 3, 7, 1, 5, 2], [0] * 6, 9)
TAUGHT = (CONDITION, MASK, *padded([0] * 6, [0, 2, 1, 0, 3, 1], 5, seed=2))  # the conditions together with responses
SAMPLINGS = {
    "plain": Sampling(8, top_p=0.7),
    "filtered": Sampling(8, top_p=0.7, counting="filtered"),
    "unfiltered": Sampling(8, top_p=1.0, temperature=1.3, counting="filtered"),
    "greedy": Sampling(8, temperature=0.0),
}


def a_gpt2(adapters=None, fond_of_end=0.0):
    """Make a tiny GPT-2. If `fond_of_end` is above 0, END is more likely, so that some responses end early."""
    gpt2 = randomise(GPT2(CONFIG, adapters=adapters), scale=0.25)
    embeddings = gpt2.weights["wte.weight"].numpy()
    embeddings[END] += fond_of_end * gpt2.weights["ln_f.bias"].numpy()
    gpt2.weights["wte.weight"].assign(embeddings)
    return gpt2


def random_assign(variables, seed=5, scale=0.3):
    draw = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(draw.normal(0, scale, variable.shape))


def sample(policy, sampling, rows=slice(None), **others):
    return policy.sample(CONDITION[rows], MASK[rows], (1, 2), sampling, **others)
