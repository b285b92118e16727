"""Opens token files as training data, and finds them again when a run is resumed."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_folder import TEST, TRAINING, VALIDATION, TokenFolder
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine import devices
from keras_gca.engine.shard_order import Lane
from keras_gca.errors import UserError


def prepared(path: str | os.PathLike, config: Config) -> tuple[Config, Dataset]:
    """Open a folder of token files for a new training run, and check the files that this process reads.

    Args:
        path: The folder.
        config: The settings of the training run.

    Returns:
        The settings, including those that the folder was prepared with, and the data.

    Raises:
        UserError: The folder is damaged, the settings given by the user differ from those that the folder was prepared
            with, or token files do not support a setting.
    """
    folder = TokenFolder.open(path)
    config = folder.settings_of(config)
    for lacking, option in (
        (config.hierarchical, "--encoder hierarchical"),
        (config.detects_changes, "--context-changes detect"),
        (config.names_speakers, "--persona-size"),
        (config.keyword_epochs, "--keyword-epochs"),
    ):
        if lacking:
            raise UserError(f"{path}: token files do not support {option}; name the corpus itself with --data")
    training = _training(folder, config)
    training.verify()
    validation = _held_out(folder, config, VALIDATION)
    test = _held_out(folder, config, TEST) if folder.pairs(TEST) else None
    return config, Dataset(folder.vocabulary, training, validation, [], folder.whole_conversations, test)


def reference(pairs: TokenPairs) -> dict[str, str]:
    """Return facts that a run stores to find its token files again."""
    return {"folder": str(pairs.folder.path.resolve()), "fingerprint": pairs.folder.fingerprint}


def referred(facts: Any, config: Config, path: Path) -> TokenPairs:
    """Return the training pairs of a run that was trained on token files.

    Args:
        facts: The facts returned by `reference`.
        config: The settings of the run.
        path: The file that contains the facts, for error messages.

    Raises:
        UserError: The token files are missing, are damaged, or are not those that the run was trained on.
        KeyError: A fact is missing.
    """
    where = Path(str(facts["folder"]))
    if not where.is_dir():
        raise UserError(f"{where}: this folder, which contained the token files of the run, does not exist ({path})")
    folder = TokenFolder.open(where)
    if folder.fingerprint != facts["fingerprint"]:
        raise UserError(f"{where}: these are not the token files that the run was trained on ({path})")
    training = _training(folder, config)
    training.verify()
    return training


def _training(folder: TokenFolder, config: Config) -> TokenPairs:
    strategy = tf.distribute.get_strategy()
    count = devices.workers()
    index = strategy.cluster_resolver.task_id if count > 1 else 0
    lane = Lane(index, count, strategy.num_replicas_in_sync)
    return _pairs(folder, config, TRAINING, lane)


def _held_out(folder: TokenFolder, config: Config, role: int) -> Pairs:
    """Read a fixed selection of held-out pairs into memory: whole conversations, if these were held out."""
    held_out = _pairs(folder, config, role)
    return held_out.some_conversations() if folder.whole_conversations else held_out.some()


def _pairs(folder: TokenFolder, config: Config, role: int, lane: Lane | None = None) -> TokenPairs:
    return TokenPairs(folder, config.sentence_length, config.context_utterances, config.predict, role, lane)
