"""Trains the generator for p(x|y), with which a chat ranks the answers of its beam search (`ranking_epochs`).

The source is Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models"
(`models/bidirectional.py`). Training happens after Algorithm 2, in the folder `backward` of the run folder. This folder
is itself a run folder with a checkpoint, so an interrupted training run can be resumed.
"""

import copy
from pathlib import Path
from typing import Self

import numpy as np

from glove.cost import Estimate, TimeLimit, in_turn
from keras_gca.config import Config, predicting_contexts
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import PREDICTED, Pairs, without_speakers
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.training.estimate import estimate
from keras_gca.training.inner_runs import InnerSession, finished_weights, weights_of
from keras_gca.training.run_folder import BACKWARD_FOLDER, GCARun
from keras_gca.training.schedule import Stage, schedule
from keras_gca.training.session import GCASession
from keras_gca.training.token_data import reference, referred


def dataset_of(dataset: Dataset, config: Config, path: Path) -> Dataset:
    """Return the data of the generator for p(x|y), in which contexts and answers have changed places.

    Args:
        dataset: The data of the run.
        config: The settings of the run.
        path: The run folder, for error messages.
    """
    vocabulary = copy.copy(dataset.vocabulary)
    vocabulary.speakers = ()

    def swapped(pairs: Pairs) -> Pairs:
        contexts = pairs.contexts
        if config.names_speakers:
            contexts = without_speakers(contexts, len(vocabulary))
        return PREDICTED["context"](Pairs(contexts, pairs.answers, pairs.conversation), config.hierarchical)

    training = dataset.training
    return Dataset(
        vocabulary,
        referred(reference(training), predicting_contexts(config), path)
        if isinstance(training, TokenPairs)
        else swapped(training),
        swapped(dataset.validation),
        [],
        dataset.whole_conversations,
    )


class BackwardSession(InnerSession):
    """The training of the generator for p(x|y), together with its run folder."""

    label, predicts = "ranking", "p(x|y)"


class RankedSession(GCASession):
    """A training run of Algorithm 2, followed by the training of the generator for p(x|y) if there is to be one.

    Attributes:
        dataset: The data of the run.
    """

    dataset: Dataset

    @classmethod
    def of(cls, run: GCARun, config: Config, dataset: Dataset, embedding: np.ndarray | None = None) -> Self:
        """Make a session with new networks; see `GCASession.of`."""
        session = super().of(run, config, dataset, embedding)
        session.dataset = dataset
        if config.ranking_epochs:
            session.backward = finished_weights(run.path / BACKWARD_FOLDER)
        return session

    @property
    def finished(self) -> bool:
        """Whether Algorithm 2 is finished and, if there is to be a generator for p(x|y), its training too."""
        return self.training.finished and (not self.training.config.ranking_epochs or self.backward is not None)

    def cost(self, left: list[Stage]) -> Estimate:
        """Estimate the cost of the remaining stages and of the generator for p(x|y)."""
        algorithm_2, config = super().cost(left), predicting_contexts(self.training.config)
        if self.backward is not None or not self.training.config.ranking_epochs:
            return algorithm_2
        pairs = self.training.training, self.training.validation
        ranking = estimate(config, len(self.vocabulary), *pairs, schedule(config))
        return in_turn([algorithm_2, ranking._replace(seconds={"ranking": ranking.total})])

    def complete(self, limit: TimeLimit) -> None:
        """Train the generator for p(x|y), or resume its training, and write it to the bot.

        It starts from the word vectors that the generator for p(y|x) has learned in line 3.

        Args:
            limit: The time limit of the whole command.
        """
        config, path = self.training.config, self.run.path
        if self.backward is not None or not config.ranking_epochs:
            return
        session = BackwardSession.within(
            self, path / BACKWARD_FOLDER, predicting_contexts(config), lambda: dataset_of(self.dataset, config, path)
        )
        session.walk(limit.remaining)
        if session.finished:
            self.backward = weights_of(session.run)
            self.write()
