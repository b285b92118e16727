"""XLA, which TPUs need, can compile the functions of both papers with static shapes, and computes the same values."""

import numpy as np
import pytest

from gail_tf.baselines.seq2seq_policy import Seq2SeqPolicy
from gail_tf.baselines.textgail import TextReader
from gail_tf.build import make_judge
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood, Perplexity
from gail_tf.imitation.ppo import PPO
from gail_tf.imitation.reference import Reference
from gail_tf.imitation.trpo import TRPO
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.config import Config
from keras_gca.engine.compiled import Compiled
from keras_gca.models.decoding import Decoder
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.training.discriminator import DiscriminatorTraining
from keras_gca.training.generator import GeneratorTraining
from keras_gca.training.reinforce import ReinforceTraining
from keras_gca.training.teacher_forcing import TeacherForcing

ROWS, WIDTH, WORDS = 4, 8, 60
SIZES = GPT2Config(
    WORDS, n_positions=32, n_embd=16, n_layer=2, n_head=2, embd_pdrop=0, attn_pdrop=0, resid_pdrop=0, eos_token_id=0
)
SAMPLING = Sampling(WIDTH, 0.9, 0.9)
RANDOM = np.random.default_rng(0)
MASK = np.arange(WIDTH) < RANDOM.integers(1, WIDTH + 1, ROWS)[:, None]
BATCH = Batch(
    RANDOM.integers(1, WORDS, (ROWS, WIDTH), np.int32), MASK[::-1, ::-1],
    RANDOM.integers(1, WORDS, (ROWS, WIDTH), np.int32), MASK,
)  # fmt: skip
EXPERT = BATCH._replace(response=BATCH.response[:, ::-1], response_mask=MASK[::-1])
CONTEXTS = RANDOM.integers(4, WORDS, (ROWS, WIDTH), np.int32)
ANSWERS = np.where(np.pad(MASK, [(0, 0), (1, 0)], constant_values=True), np.pad(CONTEXTS, [(0, 0), (1, 0)]) + 2, 0)
ANSWERS = np.where(ANSWERS < WORDS, ANSWERS, 5).astype(np.int32)
ALL, SEED = np.arange(ROWS, dtype=np.int32), np.int32([1, 2])
LABELS = MASK[:, 2].astype(np.float32)
FEATURES = RANDOM.normal(size=(ROWS, 2 * SIZES.n_embd)).astype(np.float32)
GENERATED = JudgedResponses(BATCH, FEATURES, np.zeros((ROWS, 3), np.float32), [((), "")] * ROWS)


def gail_policy():
    return Policy(GPT2(SIZES, seed=1))


def likelihood():
    made = gail_policy()
    return MaximumLikelihood(made, 1e-3, gradient_clip=1.0).train_step(BATCH, ALL, SEED).sums


def ppo():
    training = PPO(gail_policy(), GAILConfig.preset("tiny", value_baseline="on", warmup_steps=0), SAMPLING)
    ones = np.ones(ROWS, np.float32)
    old = np.where(MASK, np.float32(-4), 0)
    return *training.step(BATCH, old, ones, ones, MASK[:, 1], 0.1).values(), training.values(BATCH)


def seq2seq_policy():
    return Seq2SeqPolicy(WORDS, 0, word_embedding_size=6, sentence_embedding_size=8, hidden_size=10)


def trpo():
    made = Policy(GPT2(SIZES, seed=1), "head")
    training = TRPO(made, GAILConfig.preset("tiny", algorithm="trpo"), SAMPLING)
    advantages = np.float32([1, -1, 0.5, 2])
    figures = training.step(BATCH, made.features(*BATCH).numpy(), advantages, MASK[:, 1])
    return *figures.values(), made.log_probs(*BATCH).log_probs


def discriminator(reads_text=False, **settings):
    settings = GAILConfig.preset("tiny", n_embd=SIZES.n_embd, **settings)
    reader = TextReader.make(settings, ["good and warm", "cold noise"]) if reads_text else None
    training = make_judge(settings, SIZES, reader, learns=True)
    expert = JudgedResponses(EXPERT, FEATURES[::-1], GENERATED.sentiments, [(("cold",), "warm")] * ROWS)
    figures = training.step(expert, GENERATED, MASK[:, 1], (1, 2))
    return *figures.values(), training.expert_logits(GENERATED)


def gca():
    return build(Config.preset("tiny"), WORDS)


def learned(learner, *labels):
    """Make a step. Return its loss and sums, and the sums after the step."""
    result = learner.train_step(CONTEXTS, ANSWERS, *labels)
    return result.loss, *result.sums, *learner.test_step(CONTEXTS, ANSWERS, *labels)


def reference():
    """Return what the reference computes from responses and from the experts' responses to the same prompts."""
    reading, experts = Reference(gail_policy(), SAMPLING, keep_states=True).read_with_experts(BATCH, EXPERT, ROWS)
    return *reading, experts


FUNCTIONS = {
    "log-probabilities": lambda: gail_policy().log_probs(*BATCH, SAMPLING),
    "maximum likelihood": likelihood,
    "perplexity": lambda: [Perplexity(gail_policy())(BATCH)],
    "reference": reference,
    "D's features": lambda: [Reference(gail_policy(), SAMPLING).features(BATCH, ROWS)],
    "PPO": ppo,
    "TRPO": trpo,
    "D": discriminator,
    "D's own encoder": lambda: discriminator(discriminator_encoder="trainable"),
    "D's RoBERTa": lambda: discriminator(True, algorithm="textgail", dropout=0.0),
    "RL-Seq2Seq": lambda: [seq2seq_policy().log_probs(*BATCH, SAMPLING).log_probs],
    "RL-Seq2Seq's reference": lambda: [Reference(seq2seq_policy(), SAMPLING).read(BATCH, ROWS).log_probs],
    "line 3": lambda: TeacherForcing(gca(), (*WHITE, *YELLOW), 1e-3).train_step(CONTEXTS, ANSWERS, SEED).sums,
    "line 3, held out": lambda: Evaluator(gca()).evaluate(CONTEXTS, ANSWERS),
    "line 5": lambda: Decoder(gca()).greedy(CONTEXTS),
    "line 5, sampling": lambda: Decoder(gca()).sample(CONTEXTS, 1, top_k=1),
    "line 5, a seed for each row": lambda: Decoder(gca()).sample(CONTEXTS, range(ROWS), top_k=1),
    "line 6": lambda: learned(DiscriminatorTraining(gca(), 1e-2), LABELS),
    "line 6, whole answers": lambda: learned(DiscriminatorTraining(gca(), 1e-2, True), LABELS),
    "line 9": lambda: learned(GeneratorTraining(gca(), 1e-2)),
    "line 9, REINFORCE": lambda: learned(ReinforceTraining(gca(), 1e-2)),
}


@pytest.fixture
def with_xla(monkeypatch):
    """Compile every function of the test by XLA.

    As on a TPU, there is one graph for batches of all sizes. When it runs, XLA compiles it for each size.
    """
    plain = Compiled.__init__

    def initialise(self, function, jit_compile=False, **settings):
        plain(self, function, jit_compile=True, **settings)
        self._static = False

    monkeypatch.setattr(Compiled, "__init__", initialise)


QUICK = ("D", "RL-Seq2Seq", "line 3, held out", "line 5")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.thorough) for name in FUNCTIONS]
)
def test_xla_computes_the_same(name, request):
    plain = FUNCTIONS[name]()
    request.getfixturevalue("with_xla")
    for found, expected in zip(FUNCTIONS[name](), plain, strict=True):
        np.testing.assert_allclose(found, expected, rtol=5e-4, atol=1e-5)  # XLA has its own tanh and exp


@pytest.mark.thorough
def test_xla_samples(with_xla):
    """XLA draws other random numbers than the plain runtime, but the returned log-probabilities must fit its tokens."""
    made = gail_policy()
    drawn = made.sample(BATCH.condition, BATCH.condition_mask, (1, 2), SAMPLING)
    scores = made.log_probs(BATCH.condition, BATCH.condition_mask, drawn.tokens, drawn.mask, SAMPLING)
    np.testing.assert_allclose(scores.log_probs, drawn.log_probs, atol=1e-4)
    again = made.sample(BATCH.condition, BATCH.condition_mask, (1, 2), SAMPLING)
    np.testing.assert_array_equal(drawn.tokens, again.tokens)
