"""Makes networks, pairs and agents of the first paper, of toy sizes and with random weights."""

import dataclasses

import numpy as np

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.keywords import KeywordModel, Seq2BF
from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import EOS, PAD, SPECIAL_TOKENS, Vocabulary
from keras_gca.models.networks import FORBIDDEN, GenerativeConversationalAgent, Sizes, build
from keras_gca.training.run_folder import GCARun

VOCABULARY, LENGTH = 30, 12
# Settings of a training run with `random_pairs`, besides the preset `tiny`.
SMALL = {
    "sentence_length": LENGTH,
    "word_embedding_size": 6,
    "sentence_embedding_size": 8,
    "discriminator_sentence_embedding_size": 7,
    "batch_size": 5,
    "adversarial_batch_size": 6,
    "dropout": 0.1,
}
CONVENTIONS = {"masked": {}, "original": {"original_padding": True}, "canonical": {"canonical": True}}
WORDS = ["hello", "there", "i", "'m", "fine", ".", "?", "tom", "how", "are", "you", ","]


def toy_topics(topics=3, seed=0, vocabulary=VOCABULARY):
    """Make a topic model in which about half of the words belong to topics."""
    random = np.random.default_rng(seed)
    log_words = np.log(random.dirichlet(np.full(vocabulary, 0.5), topics).T + 1e-6)
    used = np.arange(vocabulary) % 2 == 0
    used[: len(SPECIAL_TOKENS)] = False
    values = np.where(used[:, None], log_words, 0), np.log(random.dirichlet(np.ones(topics)))
    return TopicModel(*(value.astype(np.float16).astype(np.float32) for value in values))


def toy_keywords(vocabulary=VOCABULARY, words=(4, 8, 11), seed=0):
    """Make a keyword model whose candidates are the tokens `words`; contexts contain all tokens except the last one."""
    random, pairs = np.random.default_rng(seed), 50
    together = random.integers(0, 5, (vocabulary, len(words)))
    together[: len(SPECIAL_TOKENS)] = together[-1] = 0
    contexts = np.where(np.arange(vocabulary) < len(SPECIAL_TOKENS), 0, random.integers(5, pairs, vocabulary))
    contexts[-1] = 0
    tokens, columns = np.nonzero(together)
    starts = np.searchsorted(tokens, np.arange(vocabulary + 1))
    answers = together.max(axis=0) + random.integers(5, 20, len(words))
    parts = [pairs], words, answers, contexts, starts, columns, together[tokens, columns]
    return KeywordModel(*(np.array(part, np.int32) for part in parts))


def toy_networks(
    length=LENGTH,
    discriminator_hidden=None,
    utterances=None,
    persona=None,
    speakers=0,
    topics=None,
    topic_words=None,
    **convention,
):
    """Make networks of toy sizes. Their weights are far from zero, so that errors have a visible effect."""
    changed = {"discriminator_hidden": discriminator_hidden, "persona": persona, "speakers": speakers}
    changed["topic_words"] = topic_words
    sizes = Sizes(VOCABULARY, length, 7, 9, 8, utterances=utterances, **changed)
    gca = GenerativeConversationalAgent(sizes, seed=1, topics=topics, **convention)
    random = np.random.default_rng(0)
    for layer in gca.adversarial.layers:
        if layer.name in ("topic", "topic_words"):
            continue  # the topic model
        layer.set_weights([random.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    bias = random.normal(0, 0.5, VOCABULARY)
    bias[EOS] = 1.0 if gca.canonical else 2.0  # so that some answers end early
    if gca.original_padding:
        bias[PAD] = FORBIDDEN
    gca.layers.decision_bot.bias.assign(bias)
    return gca


def random_pairs(count, seed=0, vocabulary=VOCABULARY, length=LENGTH):
    """Make pairs of all lengths: contexts of 0 to `length` tokens, and answers that give 1 to `length` samples."""
    random = np.random.default_rng(seed)

    def words(number):
        return random.integers(len(SPECIAL_TOKENS), vocabulary, number)

    contexts = [words(i % (length + 1)) for i in range(count)]
    answers = [words(i % length) for i in range(count)]
    return Pairs(pad_contexts(contexts, length), frame_answers(answers, length), np.arange(count, dtype=np.int32))


def pairs_of_utterances(count, utterances, seed=0, vocabulary=VOCABULARY, length=LENGTH):
    """Make pairs for a hierarchical encoder.

    Contexts have 0 to `utterances` utterances, and an utterance has 0 to `length` - 1 words before EOS.
    """
    random = np.random.default_rng(seed)

    def context(number):
        words = [random.integers(len(SPECIAL_TOKENS), vocabulary, random.integers(length)) for _ in range(number)]
        return joined(words, length, hierarchical=True)

    contexts = pad_contexts([context(i % (utterances + 1)) for i in range(count)], utterances * length)
    return dataclasses.replace(random_pairs(count, seed, vocabulary, length), contexts=contexts)


def make_agent(words=WORDS, detector=None, speakers=(), **settings) -> Agent:
    """Make an agent that has two generators with random weights."""
    config = Config.preset(
        "tiny",
        sentence_length=8,
        word_embedding_size=5,
        sentence_embedding_size=6,
        discriminator_sentence_embedding_size=7,
        **settings,
    )
    vocabulary = Vocabulary(words, [1] * len(words), {"tom": "Tom"}, speakers)
    generators = {}
    random = np.random.default_rng(0)
    shared = random.normal(size=(len(vocabulary), 5)).astype(np.float32)
    model = None if config.topics is None else toy_topics(config.topics, vocabulary=len(vocabulary))
    gca = build(config, len(vocabulary), speakers=len(speakers), topics=model)
    for name in ("teacher_forcing", "adversarial"):
        shapes = [variable.shape for variable in gca.variables(*gca.yellow)]
        generators[name] = [shared, *(random.normal(0, 0.7, shape).astype(np.float32) for shape in shapes)]
        if config.padding == "original":
            generators[name][-1][PAD] = FORBIDDEN  # the bias of PAD, which never occurs
    green = [random.normal(0, 0.7, variable.shape).astype(np.float32) for variable in gca.variables(*gca.green)]
    topics = None if model is None else model.weights
    return Agent(config, vocabulary, generators, [shared, *green], detector, topics=topics)


def make_keyword_agent(**settings) -> Agent:
    """Make an agent that builds answers around keywords: its second generator writes the words before them."""
    agent = make_agent(**settings)
    seq2bf = Seq2BF(toy_keywords(len(agent.vocabulary)).arrays, agent.weights["adversarial"])
    parts = agent.config, agent.vocabulary, agent.weights, agent.discriminator
    return Agent(*parts, topics=agent.topics, seq2bf=seq2bf)


def make_original_agent() -> Agent:
    """Make an agent of `original` padding, which can be written as the author's files."""
    words = [".", *(word for word in WORDS if word != ".")]
    return make_agent(words, padding="original", contractions="expanded")


def write_run(path) -> None:
    """Write a run folder with the bot of `make_agent`, as a training run leaves it."""
    agent = make_agent()
    pairs = random_pairs(4, vocabulary=len(agent.vocabulary), length=agent.longest)
    run = GCARun.create(path, agent.config, Dataset(agent.vocabulary, pairs, pairs, [], True), {})
    run.write_checkpoint({"position": 0}, {})
    agent.save(run.bot)
