"""Opens token files as the data for a training run, and finds them again for a run that was trained on them."""

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
        The settings, including those with which the folder was prepared, and the data.

    Raises:
        UserError: The folder is damaged, the user has given settings that differ from those with which it was prepared,
            or token files do not support one of the settings.
    """
    folder = TokenFolder.open(path)
    config = folder.settings_of(config)
    for lacking, option in (
        (config.hierarchical, "--encoder hierarchical"),
        (config.detects_changes, "--context-changes detect"),
        (config.names_speakers, "--persona-size"),
    ):
        if lacking:
            raise UserError(f"{path}: token files do not support {option}; give the corpus itself with --data")
    training = _training(folder, config)
    training.verify()
    validation = _held_out(folder, config, VALIDATION)
    test = _held_out(folder, config, TEST) if folder.pairs(TEST) else None
    return config, Dataset(folder.vocabulary, training, validation, [], folder.whole_conversations, test)


def reference(pairs: TokenPairs) -> dict[str, str]:
    """Return the facts with which a run can find its token files again."""
    return {"folder": str(pairs.folder.path.resolve()), "fingerprint": pairs.folder.fingerprint}


def referred(facts: Any, config: Config, path: Path) -> TokenPairs:
    """Return the training pairs of a run that was trained on token files.

    Args:
        facts: The facts that `reference` returned.
        config: The settings of the run.
        path: The file that contains the facts, for messages.

    Raises:
        UserError: The token files are missing or damaged, or are not those that the run was trained on.
        KeyError: A fact is missing.
    """
    where = Path(str(facts["folder"]))
    if not where.is_dir():
        raise UserError(f"{where}: no such folder, but the run was trained on its token files ({path})")
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
    """Read a fixed sample of held-out pairs into memory."""
    return _pairs(folder, config, role).some()


def _pairs(folder: TokenFolder, config: Config, role: int, lane: Lane | None = None) -> TokenPairs:
    return TokenPairs(folder, config.sentence_length, config.context_utterances, config.predict, role, lane)
