"""Measures a run's policies on the run's test trajectories: perplexity and all response metrics."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import glove
from gail_tf.agent import GAILAgent
from gail_tf.base_models.locate import locate
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.config import GAILConfig
from gail_tf.data.dataset import Data
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import estimate, metrics
from gail_tf.evaluation.comparability import phases_of, refuse_incomparable
from gail_tf.evaluation.finer_parts import finer_parts, known_responses
from gail_tf.evaluation.held_out_emotions import HeldOutEmotions, fit_linear
from gail_tf.evaluation.independent import MAUVE, IndependentMeasures
from gail_tf.evaluation.mauve import mauve
from gail_tf.evaluation.metrics import Likelihoods
from gail_tf.evaluation.responses import measured_units, respond_to
from gail_tf.evaluation.results_file import Figures, Options, PolicyEvaluation, Stored, read, write
from gail_tf.evaluation.selection import SELECTIONS, Selector, speakers_of
from gail_tf.evaluation.sentence_encoder import SentenceEncoder
from gail_tf.evaluation.text_reader import TextReader
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD
from gail_tf.training.run_folder import GAILRun
from glove import cost
from glove.progress import Progress
from glove.text_files import BadLines
from keras_gca.engine import reporting
from keras_gca.engine.training_loop import progress
from keras_gca.errors import UserError, refuse_missing
from keras_gca.evaluation.statistics import Estimate

DIMENSION, WINDOW, X_MAX, EPOCHS = 50, 5, 10.0, 20  # the settings with which word vectors are fitted
MAUVE_TEXTS = 100  # with fewer texts, there are too few clusters for a meaningful value


@dataclass(frozen=True)
class RunEvaluation:
    """The results of a run on its test trajectories.

    Attributes:
        run: The run.
        config: The run's settings.
        test: The run's test trajectories.
        options: How responses were sampled and measured.
        updates: The number of imitation updates recorded in the run's log.
        policies: The results of each chosen policy, by name.
        human: The metrics of the human responses to the answered trajectories.
    """

    run: GAILRun
    config: GAILConfig
    test: tuple[Trajectory, ...]
    options: Options
    updates: int
    policies: dict[str, PolicyEvaluation]
    human: Figures


def evaluate(
    run: GAILRun, options: Options, choose: Callable[[Sequence[str]], Sequence[str]], batch_size: int = 32
) -> RunEvaluation:
    """Measure a run's policies on its test trajectories, or read stored results from RUN/evaluation.json.

    The file is reused if it is newer than the bot and was written with the same options. Policies missing from the file
    are measured and added.

    Args:
        run: The run.
        options: How responses are sampled and measured.
        choose: A function that takes the names of all policies and returns the names of those to measure.
        batch_size: The number of trajectories in a batch.

    Raises:
        UserError: The run is not finished, or the file of word vectors cannot be read.
    """
    data, config, stored, agent, encoder = read_files(run, options, choose)
    if agent is not None:
        policies, speakers = stored.policies, speakers_of(agent)
        names = [name for name in choose(speakers) if name not in policies]
        measuring = _Measuring(run, config, agent, data, options, batch_size, encoder)
        reporting.say_cost(measuring.cost(names))
        stored = Stored(list(speakers), policies | measuring.policies(names), measuring.human())
        write(run, options, stored)
    chosen = {name: stored.policies[name] for name in choose(stored.generators)}
    return RunEvaluation(run, config, data.test, options, phases_of(run).count(IMITATION), chosen, stored.human)


class Files(NamedTuple):
    """The data, settings and models that are read before a run is measured.

    Attributes:
        data: The data of the run.
        config: The run's settings.
        stored: The content of RUN/evaluation.json, or empty results if the file cannot be reused.
        agent: The agent, or None if `stored` contains all chosen policies.
        encoder: The independent encoder. None if the options name no encoder, or if `stored` contains all chosen
            policies.
    """

    data: Data
    config: GAILConfig
    stored: Stored
    agent: GAILAgent | None
    encoder: SentenceEncoder | None


def read_files(run: GAILRun, options: Options, choose: Callable[[Sequence[str]], Sequence[str]]) -> Files:
    """Read all files that `evaluate` needs, including word vectors.

    The files are read first, so errors in them are reported before hours of computation begin.

    Args:
        run: The run.
        options: How responses are sampled and measured.
        choose: See `evaluate`.

    Raises:
        UserError: A file is missing or damaged, or the run is not finished.
    """
    data, config = run.data(), run.config()
    refuse_incomparable([run])
    stored = read(run, options)
    if stored is not None and all(name in stored.policies for name in choose(stored.generators)):
        return Files(data, config, stored, None, None)
    agent = GAILAgent.load(run.path)
    speakers = speakers_of(agent)
    choose(speakers)
    if options.glove is not None:
        texts = [*(trajectory.response for trajectory in data.test), *(trajectory.prompt for trajectory in data.train)]
        refuse_missing(options.glove)
        words = {word for text in texts for word in metrics.words(text)}
        glove.read_vectors(options.glove, words, bad=BadLines(error=UserError))
    encoder = None if options.encoder is None else SentenceEncoder.read(locate(options.encoder))
    return Files(data, config, stored or Stored(list(speakers), {}, {}), agent, encoder)


class _Measuring:
    """The measurement of one agent's policies."""

    def __init__(
        self,
        run: GAILRun,
        config: GAILConfig,
        agent: GAILAgent,
        data: Data,
        options: Options,
        batch_size: int,
        encoder: SentenceEncoder | None,
    ):
        self._run, self._agent, self._test, self._options = run, agent, data.test, options
        self._sampling, self._size = options.sampling(config.data.response_tokens), batch_size
        self._samples = agent.samples(data.test)
        self._selector = Selector(agent, self._samples, batch_size)
        self._rows = metrics.spread(len(data.test), options.max_responses)
        self._answered = [data.test[row] for row in self._rows]
        known = known_responses(data.test, data.train)
        self._parts = metrics.parts(data.test) | finer_parts(data.test, known)
        self._data, self._seed = data, config.seed
        self._encoder = encoder
        self._emotions: HeldOutEmotions | None = None
        self._conversations = np.array([trajectory.conversation for trajectory in data.test])
        self._reader = TextReader(agent.policies[agent.bot.reference], agent.tokenizer, config.data.response_tokens)
        self._independent = None
        if encoder is not None:
            answered = set(self._rows.tolist())
            left = [one for i, one in enumerate(data.test) if i not in answered]
            further = [left[i] for i in metrics.spread(len(left), len(self._rows))]
            further += [data.train[i] for i in metrics.spread(len(data.train), len(self._rows))]
            self._independent = IndependentMeasures(encoder, self._answered, further)

    def cost(self, names: Sequence[str]) -> cost.Estimate:
        policies = {name: self._agent.policies[name] for name in names if name not in SELECTIONS}
        if len(policies) < len(names):  # D is assumed to read a candidate as fast as MAUVE does
            candidates = range(self._agent.config.rollout.selection_candidates)
            policies |= {f"candidate {i}": self._agent.policies[MAXIMUM_LIKELIHOOD] for i in candidates}
        return estimate.of_evaluation(self._agent.config, policies, self._samples.batch, self._rows, self._size)

    def policies(self, names: Sequence[str]) -> dict[str, PolicyEvaluation]:
        likelihoods = {name: self._likelihoods(name) for name in names}
        responses = {name: self._respond(name) for name in names}
        texts = [*(trajectory.response for trajectory in self._answered), *itertools.chain(*responses.values())]
        texts += [trajectory.prompt for trajectory in self._data.train]
        vectors = self._vectors({word for text in texts for word in metrics.words(text)})
        self._learn_emotions(vectors)
        return {name: self._policy(name, likelihoods[name], responses[name], vectors) for name in names}

    def human(self) -> Figures:
        figures: Figures = {}
        for part in self._parts:
            at = self._places(part)
            if len(at):
                figures[part] = metrics.human_figures(self._answered_at(at))
                if self._emotions is not None:
                    figures[part] |= self._emotions.of_humans(self._answered_at(at))
                if self._independent is not None:
                    ceiling = self._independent.ceiling(at)
                    figures[part] |= {
                        title: Estimate(value)
                        for title, value in ceiling.items()
                        if title != MAUVE or part in self._for_mauve
                    }
        return figures

    def _learn_emotions(self, vectors: Mapping[str, np.ndarray]) -> None:
        """Train emotion classifiers on held-out conversations if these have labels; see `held_out_emotions`."""

        def fit(prompts: Sequence[str], labels: Sequence[str]) -> metrics.Classifier:
            if self._encoder is not None:
                return fit_linear(self._encoder, prompts, labels)
            return EmotionClassifier.fit(prompts, labels, vectors, self._seed + 1).classify

        if self._encoder is not None or vectors:
            self._emotions = HeldOutEmotions.learn(fit, self._data.test, self._data.validation, self._seed)

    def _policy(
        self, name: str, likelihoods: Likelihoods, responses: list[str], vectors: Mapping[str, np.ndarray]
    ) -> PolicyEvaluation:
        scores = metrics.response_scores(responses, self._answered)
        if self._emotions is not None:
            scores |= self._emotions.scores(responses, self._answered)
        vectors_of_responses = None
        if self._independent is not None:
            vectors_of_responses = self._independent.vectors(responses)
            scores |= self._independent.scores(vectors_of_responses)
        figures: Figures = {}
        for part, numbers in self._parts.items():
            of_part = Likelihoods(*(array[numbers] for array in likelihoods))
            figures[part] = {}
            if name not in SELECTIONS:  # the probability that a response is chosen is not known
                figures[part] |= metrics.likelihood_figures(of_part, self._conversations[numbers])
            at = self._places(part)
            if len(at):
                said, scored = [responses[i] for i in at], {title: column[at] for title, column in scores.items()}
                figures[part] |= metrics.response_figures(said, self._answered_at(at), scored, vectors)
                if self._emotions is not None:
                    figures[part] |= self._emotions.beside(said, self._answered_at(at))
        for part, at in self._for_mauve.items():
            if self._independent is not None and vectors_of_responses is not None:
                figures[part][MAUVE] = Estimate(self._independent.mauve(vectors_of_responses, at))
            else:
                features = self._features([responses[i] for i in at], name)
                human = self._features([trajectory.response for trajectory in self._answered_at(at)], "human")
                figures[part][MAUVE] = Estimate(mauve(features, human))
        return PolicyEvaluation(likelihoods, self._rows, responses, scores, figures)

    @property
    def _for_mauve(self) -> dict[str, np.ndarray]:
        places = {part: self._places(part) for part in (metrics.ALL, metrics.TWEETS) if part in self._parts}
        return {part: at for part, at in places.items() if len(at) >= MAUVE_TEXTS}

    def _places(self, part: str) -> np.ndarray:
        """Return the indices of a part's trajectories among the answered trajectories."""
        return np.flatnonzero(np.isin(self._rows, self._parts[part]))

    def _answered_at(self, places: np.ndarray) -> list[Trajectory]:
        return [self._answered[i] for i in places]

    def _likelihoods(self, name: str) -> Likelihoods:
        with self._progress(len(self._test), name, "perplexity") as bar:
            measure = Perplexity(self._agent.policies[MAXIMUM_LIKELIHOOD if name in SELECTIONS else name])
            nll = measure.losses(self._samples.batch, self._size, bar.update)
        return Likelihoods(nll, *measured_units(self._agent.tokenizer, self._samples.batch))

    def _respond(self, name: str) -> list[str]:
        with self._progress(len(self._rows), name, "responses") as bar:
            if name in SELECTIONS:
                drawn = self._rows, self._options.seed, self._sampling, bar.update
                return self._selector.respond(name, *drawn)
            return respond_to(
                self._agent.policies[name],
                self._agent.tokenizer,
                self._samples.batch,
                self._rows,
                self._options.seed,
                self._sampling,
                self._size,
                bar.update,
            )

    def _features(self, texts: Sequence[str], name: str) -> np.ndarray:
        with self._progress(len(texts), name, "features") as bar:
            return self._reader(texts, self._size, bar.update)

    def _vectors(self, words: Iterable[str]) -> Mapping[str, np.ndarray]:
        """Read the vectors of the given words from the file named in the options, or fit vectors to the training set.

        Vectors are not fitted to text for pretraining, because only some of the compared runs have such text.

        `read_files` has already checked the lines of words that occur in prompts and human responses. The line of a
        word that occurs only in a policy's responses may still be damaged. Damaged lines are skipped, because an error
        would waste the responses that have already been sampled.
        """
        if self._options.glove is not None:
            bad = BadLines(skip=True)
            vectors = glove.read_vectors(self._options.glove, words, bad=bad)
            if bad.counts:
                print(bad.summary())
        else:
            text = dataclasses.replace(self._data, general=()).training_text
            documents = [[word for utterance in utterances for word in metrics.words(utterance)] for utterances in text]
            with progress(total=EPOCHS, desc="fitting word vectors") as bar:
                vectors = glove.fit(
                    documents,
                    dimension=DIMENSION,
                    window=WINDOW,
                    x_max=X_MAX,
                    epochs=EPOCHS,
                    seed=self._seed,
                    report=lambda epoch, error: bar.update(),
                )
        return dict(zip(vectors.words, vectors.matrix, strict=True))

    def _progress(self, total: int, name: str, what: str) -> Progress:
        return progress(total=total, desc=f"{self._run.path}, {name.replace('_', ' ')}: {what}")
