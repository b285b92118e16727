"""Fits the keywords of `--keyword-epochs`, and trains the generator of the words before a keyword (seq2BF).

The source is Mou et al. 2016, "Sequence to Backward and Forward Sequences" (`models/seq2bf.py`). The keywords are
fitted to the training pairs before line 3. The generator is trained after Algorithm 2, in the folder `beginnings` of
the run folder (`inner_runs.py`).
"""

import dataclasses
from typing import Self

import numpy as np

from glove.cost import Estimate, TimeLimit, in_turn
from glove.text_files import counted
from keras_gca.config import Config, predicting_beginnings
from keras_gca.data.dataset import Dataset
from keras_gca.data.keywords import KeywordModel, Seq2BF, beginnings, fit_keywords
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.training.estimate import estimate
from keras_gca.training.inner_runs import InnerSession, finished_weights, weights_of
from keras_gca.training.ranking import RankedSession
from keras_gca.training.run_folder import BEGINNINGS_FOLDER, GCARun
from keras_gca.training.schedule import Stage, schedule

SHOWN_PAIRS = 6


def with_keywords(dataset: Dataset, config: Config) -> Dataset:
    """Fit the keywords to the training pairs, and return the dataset with their arrays.

    Args:
        dataset: The data of a new run.
        config: The settings.

    Returns:
        The dataset, without keywords if the settings have none.

    Raises:
        UserError: No word can be a keyword, or the training pairs are in token files.
    """
    if not config.keyword_epochs:
        return dataset if dataset.keywords is None else dataclasses.replace(dataset, keywords=None)
    if isinstance(dataset.training, TokenPairs):
        raise UserError("--keyword-epochs: token files do not support keywords; name the corpus itself with --data")
    model = fit_keywords(dataset.training, dataset.vocabulary)
    reporting.say(*described(model, dataset))
    return dataclasses.replace(dataset, keywords=model.arrays)


def described(model: KeywordModel, dataset: Dataset) -> list[str]:
    """Return lines with the number of candidates, and some held-out contexts with their keywords."""
    vocabulary, some = dataset.vocabulary, dataset.validation.contexts[:SHOWN_PAIRS]
    shown = [
        f"  {' '.join(vocabulary.decode_context(context))}  ->  {vocabulary.tokens[keyword] if keyword else '(none)'}"
        for context, keyword in zip(some, model.keywords_of(some), strict=True)
    ]
    return [f"keywords:   {counted(len(model.words), 'word')} of the training answers; for held-out contexts:", *shown]


class BeginningsSession(InnerSession):
    """The training of the generator of the words before a keyword, together with its run folder."""

    label, predicts = "keywords", "words before them"


class Seq2BFSession(RankedSession):
    """A training run of Algorithm 2, followed by the training of the further generators that its settings ask for.

    These are the generator for p(x|y), or the generator of the words before a keyword.
    """

    @classmethod
    def of(cls, run: GCARun, config: Config, dataset: Dataset, embedding: np.ndarray | None = None) -> Self:
        """Make a session with new networks; see `GCASession.of`."""
        session = super().of(run, config, dataset, embedding)
        network = finished_weights(run.path / BEGINNINGS_FOLDER) if config.keyword_epochs else None
        if network is not None and dataset.keywords is not None:
            session.seq2bf = Seq2BF(dataset.keywords, network)
        return session

    @property
    def finished(self) -> bool:
        """Whether Algorithm 2 is finished and, if there are to be further generators, their training too."""
        return super().finished and (not self.training.config.keyword_epochs or self.seq2bf is not None)

    def cost(self, left: list[Stage]) -> Estimate:
        """Estimate the cost of the remaining stages and of the further generators."""
        others, config = super().cost(left), self.training.config
        if self.seq2bf is not None or not config.keyword_epochs:
            return others
        split_words = KeywordModel.of_arrays(self.dataset.keywords or ()).candidates
        pairs: list[Pairs] = [
            beginnings(part.some(), split_words, config.seed)
            for part in (self.dataset.training, self.dataset.validation)
        ]
        config = predicting_beginnings(config)
        further = estimate(config, len(self.vocabulary), pairs[0], pairs[1], schedule(config))
        return in_turn([others, further._replace(seconds={"keywords": further.total})])

    def complete(self, limit: TimeLimit) -> None:
        """Train the further generators, or resume their training, and write them to the bot.

        Args:
            limit: The time limit of the whole command.
        """
        super().complete(limit)
        config = self.training.config
        if self.seq2bf is not None or not config.keyword_epochs:
            return
        path = self.run.path / BEGINNINGS_FOLDER
        session = BeginningsSession.within(self, path, predicting_beginnings(config), lambda: dataset_of(self.dataset))
        session.walk(limit.remaining)
        if session.finished and self.dataset.keywords is not None:
            self.seq2bf = Seq2BF(self.dataset.keywords, weights_of(session.run))
            self.write()


def dataset_of(dataset: Dataset) -> Dataset:
    """Return the data of the generator of the words before a keyword: those of the run, with complete answers.

    The answers are split when the generator is trained, in each epoch at other words. The detector of context changes
    is left out, because the contexts are already limited.
    """
    return dataclasses.replace(dataset, documents=[], test=None, detector=None)
