"""What a run's test part says about its policies; kept in RUN/evaluation.json, so that tables need no model."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import glove
from gail_tf.agent import GAILAgent
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.dataset import Data
from gail_tf.data.samples import Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import metrics
from gail_tf.evaluation.comparability import phases_of, refuse_incomparable
from gail_tf.evaluation.mauve import mauve
from gail_tf.evaluation.metrics import Estimate, Likelihoods
from gail_tf.evaluation.text_reader import TextReader
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.phases import IMITATION
from gail_tf.imitation.rollouts import respond
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling
from gail_tf.training.run_folder import GAILRun
from glove.text_files import BadLines
from keras_gca.engine.training_loop import progress
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

FORMAT = "gail_tf evaluation 1"
OWN_VECTORS = "fitted to the training text"
VECTORS = {"dimension": 50, "window": 5, "x_max": 10, "epochs": 20}  # of those; enough to tell words apart
MAUVE_TEXTS = 100  # fewer make too few clusters to say anything

# Of each part of the test trajectories, by the names of gail_tf.evaluation.metrics
Figures = dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class Options:
    """How responses are drawn and measured: what must be the same for evaluations to be comparable.

    temperature, top_p, seed: see Sampling and Policy.sample. max_responses: answer so many test trajectories, evenly
    spread. glove: a file of word vectors; None fits some to the run's training text. Raises UserError on a temperature
    or top_p that is out of range.
    """

    temperature: float = 0.9
    top_p: float = 0.9
    seed: int = 0
    max_responses: int = 1000
    glove: str | None = None

    def __post_init__(self):
        self.sampling(1)

    def sampling(self, response_tokens: int) -> Sampling:
        return Sampling(response_tokens, self.top_p, self.temperature)


@dataclass(frozen=True)
class PolicyEvaluation:
    """One policy on a run's test part.

    likelihoods: of all test trajectories. rows: (m,), those that were answered; responses: the answers. scores: of each
    answer, see `metrics.response_scores`.
    """

    likelihoods: Likelihoods
    rows: np.ndarray
    responses: list[str]
    scores: dict[str, np.ndarray]
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        return _plain(vars(self) | {"likelihoods": self.likelihoods._asdict()})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PolicyEvaluation":
        likelihoods = Likelihoods(**{name: np.array(array) for name, array in values["likelihoods"].items()})
        scores = {name: np.array(array) for name, array in values["scores"].items()}
        rows = np.array(values["rows"], np.int64)
        return cls(likelihoods, rows, values["responses"], scores, _figures(values["figures"]))


@dataclass(frozen=True)
class RunEvaluation:
    """What a run's test part says.

    updates: how many updates of imitation were made. policies: those that were measured. human: figures of the human
    responses to what was answered.
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
    """Measure a run's policies on its test part, or read what RUN/evaluation.json has of them.

    choose: names of the policies of a bot -> those to measure. The file is used again where it is newer than the bot
    and was made with the same options; policies that it lacks are added.

    Raises UserError where there is no finished run, or a vector file cannot be read.
    """
    data, config, stored, agent = read_files(run, options, choose)
    generators, policies, human = stored or (None, {}, None)
    if agent is not None:
        generators = agent.generators
        names = [name for name in choose(generators) if name not in policies]
        measuring = _Measuring(run, config, agent, data, options, batch_size)
        policies, human = policies | measuring.policies(names), measuring.human()
        stored = {
            "format": FORMAT,
            "options": dataclasses.asdict(options),
            "vectors": options.glove or OWN_VECTORS,
            "generators": generators,
            "policies": {name: policy.to_json() for name, policy in policies.items()},
            "human": _plain(human),
        }
        write_text(run.path / "evaluation.json", json.dumps(stored, ensure_ascii=False, allow_nan=False) + "\n")
    chosen = {name: policies[name] for name in choose(generators)}
    return RunEvaluation(run, config, data.test, options, phases_of(run).count(IMITATION), chosen, human)


class Files(NamedTuple):
    """All that is read of a run before anything is computed.

    stored: what RUN/evaluation.json has, see `_stored`. agent: None where that is all that is asked for.
    """

    data: Data
    config: GAILConfig
    stored: tuple[list[str], dict[str, PolicyEvaluation], Figures] | None
    agent: GAILAgent | None


def read_files(run: GAILRun, options: Options, choose: Callable[[Sequence[str]], Sequence[str]]) -> Files:
    """Read a run as `evaluate` needs it, and the file of word vectors for the first time: hours of computing follow.

    choose: see `evaluate`. Raises UserError or VectorFileError where a file is missing or damaged, or the run is not
    finished.
    """
    data, config = run.data(), run.config()
    refuse_incomparable([run])
    stored = _stored(run, options)
    if stored is not None and all(name in stored[1] for name in choose(stored[0])):
        return Files(data, config, stored, None)
    agent = GAILAgent.load(run.path)
    choose(agent.generators)
    if options.glove is not None:
        texts = [*(trajectory.response for trajectory in data.test), *(trajectory.prompt for trajectory in data.train)]
        glove.read_vectors(options.glove, {word for text in texts for word in metrics.words(text)})
    return Files(data, config, stored, agent)


def options_of(run: GAILRun) -> Options:
    """What a run was measured with at last, so that `evaluate` need not measure it again; else the defaults."""
    try:
        return Options(**json_files.read(run.path / "evaluation.json")["options"])
    except (OSError, ValueError, KeyError, TypeError):
        return Options()


def _stored(run: GAILRun, options: Options) -> tuple[list[str], dict[str, PolicyEvaluation], Figures] | None:
    path = run.path / "evaluation.json"
    try:
        if path.stat().st_mtime < run.bot.stat().st_mtime:
            return None
        values = json_files.read(path)
        if (values["format"], values["options"]) != (FORMAT, dataclasses.asdict(options)):
            return None
        policies = {name: PolicyEvaluation.from_json(policy) for name, policy in values["policies"].items()}
        return values["generators"], policies, _figures(values["human"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is made again


class _Measuring:
    """Measures the policies of one agent."""

    def __init__(
        self, run: GAILRun, config: GAILConfig, agent: GAILAgent, data: Data, options: Options, batch_size: int
    ):
        self._run, self._agent, self._test, self._options = run, agent, data.test, options
        self._sampling, self._size = options.sampling(config.data.response_tokens), batch_size
        limits = config.data.condition_tokens, config.data.response_tokens
        self._samples = Samples.encode(
            agent.tokenizer, data.test, *limits, config.data.sentiment == "on", agent.emotions
        )
        self._rows = metrics.spread(len(data.test), options.max_responses)
        self._answered = [data.test[row] for row in self._rows]
        self._parts = metrics.parts(data.test)
        self._data, self._seed = data, config.seed
        self._classifiers = dict(metrics.CLASSIFIERS)
        self._conversations = np.array([trajectory.conversation for trajectory in data.test])
        self._reader = TextReader(agent.policies[agent.reference], agent.tokenizer, config.data.response_tokens)

    def policies(self, names: Sequence[str]) -> dict[str, PolicyEvaluation]:
        likelihoods = {name: self._likelihoods(name) for name in names}
        responses = {name: self._respond(name) for name in names}
        texts = [*(trajectory.response for trajectory in self._answered), *itertools.chain(*responses.values())]
        texts += [trajectory.prompt for trajectory in self._data.train]
        vectors = self._vectors({word for text in texts for word in metrics.words(text)})
        self._learn_emotions(vectors)
        return {name: self._policy(name, likelihoods[name], responses[name], vectors) for name in names}

    def human(self) -> Figures:
        places = {part: self._places(part) for part in self._parts}
        return {
            part: metrics.human_figures(self._answered_at(at), self._classifiers)
            for part, at in places.items()
            if len(at)
        }

    def _learn_emotions(self, vectors: Mapping[str, np.ndarray]) -> None:
        """A classifier of the labels of the training prompts, where there are any; not the one of RL-Seq2Seq's reward.

        Its seed is another, so that no policy is judged by what it was trained to please.
        """
        labelled = [trajectory for trajectory in self._data.train if trajectory.emotion is not None]
        if vectors and len({trajectory.emotion for trajectory in labelled}) > 1:
            prompts, labels = (
                [trajectory.prompt for trajectory in labelled],
                [trajectory.emotion for trajectory in labelled],
            )
            emotions = EmotionClassifier.fit(prompts, labels, vectors, self._seed + 1)
            self._classifiers["emotion"] = emotions.classify

    def _policy(
        self, name: str, likelihoods: Likelihoods, responses: list[str], vectors: Mapping[str, np.ndarray]
    ) -> PolicyEvaluation:
        scores = metrics.response_scores(responses, self._answered, self._classifiers)
        figures: Figures = {}
        for part, numbers in self._parts.items():
            of_part = Likelihoods(*(array[numbers] for array in likelihoods))
            figures[part] = metrics.likelihood_figures(of_part, self._conversations[numbers])
            at = self._places(part)
            if len(at):
                said, scored = [responses[i] for i in at], {title: column[at] for title, column in scores.items()}
                figures[part] |= metrics.response_figures(said, self._answered_at(at), scored, vectors)
        for part, at in self._for_mauve.items():
            features = self._features([responses[i] for i in at], name)
            human = self._features([trajectory.response for trajectory in self._answered_at(at)], "human")
            figures[part]["MAUVE"] = Estimate(mauve(features, human))
        return PolicyEvaluation(likelihoods, self._rows, responses, scores, figures)

    @property
    def _for_mauve(self) -> dict[str, np.ndarray]:
        places = {part: self._places(part) for part in (metrics.ALL, metrics.TWEETS) if part in self._parts}
        return {part: at for part, at in places.items() if len(at) >= MAUVE_TEXTS}

    def _places(self, part: str) -> np.ndarray:
        """The places of a part's trajectories among those that are answered."""
        return np.flatnonzero(np.isin(self._rows, self._parts[part]))

    def _answered_at(self, places: np.ndarray) -> list[Trajectory]:
        return [self._answered[i] for i in places]

    def _likelihoods(self, name: str) -> Likelihoods:
        with self._progress(len(self._test), name, "perplexity") as bar:
            measure = Perplexity(self._agent.policies[name])
            nll = measure.losses(self._samples.batch, self._size, bar.update)
        return Likelihoods(nll, *measured_units(self._agent.tokenizer, self._samples.batch))

    def _respond(self, name: str) -> list[str]:
        with self._progress(len(self._rows), name, "responses") as bar:
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
        """Word vectors: of a file, those of some words; or fitted to what the run has learned from.

        `read_files` has found the file to be good. Only a line of a word that the responses alone have can still be a
        bad one: it is passed over, since the responses are there by now.
        """
        if self._options.glove is not None:
            bad = BadLines(skip=True)
            vectors = glove.read_vectors(self._options.glove, words, bad=bad)
            if bad.counts:
                print(bad.summary())
        else:
            text = self._data.training_text
            documents = [[word for utterance in utterances for word in metrics.words(utterance)] for utterances in text]
            with progress(total=VECTORS["epochs"], desc="fitting word vectors") as bar:
                vectors = glove.fit(documents, seed=self._seed, report=lambda epoch, error: bar.update(), **VECTORS)
        return dict(zip(vectors.words, vectors.matrix, strict=True))

    def _progress(self, total: int, name: str, what: str) -> tqdm:
        return progress(total=total, desc=f"{self._run.path}, {name.replace('_', ' ')}: {what}")


def respond_to(
    policy: LanguagePolicy,
    tokenizer: Tokenizer,
    batch: Batch,
    rows: np.ndarray,
    seed: int,
    sampling: Sampling,
    size: int,
    report: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """A policy's responses to some conditions of a batch, as text with single spaces; see `rollouts.respond`."""
    order = np.argsort(batch.condition_lengths[rows], kind="stable")
    tokens, mask, _ = respond(policy, batch, rows[order], (seed, 0), sampling, size, report)
    texts = [" ".join(tokenizer.decode(said[seen]).split()) for said, seen in zip(tokens, mask, strict=True)]
    return [texts[i] for i in np.argsort(order)]


def measured_units(tokenizer: Tokenizer, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`tokens`, `words` and `cut` of Likelihoods, of a batch's responses."""
    tokens = batch.response_lengths.astype(np.int64)
    rows = [row[mask] for row, mask in zip(batch.response, batch.response_mask, strict=True)]
    cut = np.array([row[-1] != tokenizer.end for row in rows], bool)
    counts = np.array([len(metrics.words(tokenizer.decode(row))) for row in rows], np.int64)
    return tokens, counts + ~cut, cut


def _figures(values: dict[str, dict[str, list]]) -> Figures:
    """What `_plain` has made of figures; None is NaN where it is no interval's end."""
    return {
        part: {name: Estimate(np.nan if value is None else value, *ends) for name, (value, *ends) in figures.items()}
        for part, figures in values.items()
    }


def _plain(value: Any) -> Any:
    """A tree of arrays and numbers for JSON; NaN, which JSON has not, as None."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return None if isinstance(value, float) and np.isnan(value) else value
