"""The files and pretrained networks that a training run reads.

This module imports neither TensorFlow nor other slow libraries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gail_tf.config import GAILConfig
from gail_tf.data.trajectories import Trajectory, read_trajectories
from glove.text_files import SKIP_HINT, BadLines
from keras_gca.errors import UserError, refuse_missing
from keras_gca.storage.token_files import is_token_folder


def refuse_general_text(model: str | None, general: Sequence[Path]) -> None:
    """Raise UserError if text for pretraining is given together with a pretrained model."""
    if model is not None and general:
        raise UserError(
            "--general is text for pretraining a model, but --model is already pretrained; leave out one of the two"
        )


@dataclass(frozen=True)
class Source:
    """The files and pretrained networks that a training run of the second paper reads.

    Args:
        data: Files with conversations, or a single folder of token files (`python -m gail_tf.prepare`). If empty, the
            embedded conversations are used.
        tweets: Files with tweets; see `read_tweets`.
        general: Files with conversations for pretraining a GPT-2 with random weights. If empty, the embedded corpus of
            the first paper is used.
        model: The pretrained language model: a folder, a file, the name of a known model
            (`base_models/known_models.py`), or a name on the Hub. If None, a GPT-2 is trained from scratch.
        roberta: The pretrained RoBERTa of the discriminator: a folder, or a name on the Hub. If None, settings that
            require a RoBERTa use a small one with random weights.
        glove: A file with word vectors for RL-Seq2Seq. If None, word vectors are fitted to the prompts.
        skip_bad_lines: Whether to skip and count unusable lines. If False, the first unusable line raises an error.
        format: The format of all files in `data` and `general`, one of `keras_gca.data.conversations.FORMATS`. If None,
            the format is detected for each file.
        agreed: Whether missing networks may be downloaded without asking the user first.

    Raises:
        UserError: Both `model` and `general` are given, a file is missing, or `data` is a folder of token files and
            other corpora are also given.

    Examples:
        >>> from gail_tf import Source
        >>> trajectories, bad = Source().read(turns="disjoint")
        >>> trajectories[0].response
        'That would have frozen me to the spot. Were you on your own?'
    """

    data: Sequence[Path] = ()
    tweets: Sequence[Path] = ()
    general: Sequence[Path] = ()
    model: str | None = None
    roberta: str | None = None
    glove: Path | None = None
    skip_bad_lines: bool = False
    format: str | None = None
    agreed: bool = False

    def __post_init__(self) -> None:
        refuse_general_text(self.model, self.general)
        if self.format and not self.data and not self.general:
            raise UserError("--format applies only to --data and --general, which are not given")
        refuse_missing(*self.data, *self.tweets, *self.general, self.glove)
        if any(map(is_token_folder, self.data)):
            named = "tweets", "general", "format"
            others = [f"--{name}" for name in named if getattr(self, name)] + ["further --data"] * (len(self.data) > 1)
            if others:
                raise UserError(
                    f"{', '.join(others)}: this has no effect on {self.prepared}, a folder of token files; leave it out"
                )

    @property
    def prepared(self) -> Path | None:
        """The folder of token files, or None if the data are corpora."""
        return next((Path(path) for path in self.data if is_token_folder(path)), None)

    def refuse_misfits(self, config: GAILConfig) -> None:
        """Check that `model`, `roberta` and `glove`, if given, would be used by a run with these settings.

        Raises:
            UserError: A network or file is given but would not be used.
        """
        seq2seq = config.algorithm == "rl_seq2seq"
        if self.roberta is not None and config.judge.discriminator_encoder != "roberta":
            raise UserError("--roberta: D has another encoder; use --discriminator-encoder roberta")
        if seq2seq and self.model is not None:
            raise UserError("--model: --algorithm rl_seq2seq trains two LSTMs and no other network; leave out --model")
        if self.glove and not seq2seq:
            raise UserError("--glove: only --algorithm rl_seq2seq uses word vectors; leave out --glove")

    def read(self, turns: str, splits: str = "random") -> tuple[list[Trajectory], BadLines]:
        """Read the expert trajectories.

        This method does not import TensorFlow, so a command can report bad input immediately.

        Args:
            turns: See `DataSettings.turns`.
            splits: See `DataSettings.splits`.

        Returns:
            The trajectories, and the counts of bad lines. Bad lines in files that are read later are added to these
            counts.

        Raises:
            UserError: A file is missing or damaged. The message names the file and the line.
        """
        bad = BadLines(self.skip_bad_lines, UserError, SKIP_HINT)
        return read_trajectories(self.data, self.tweets, turns, bad, self.format, splits), bad

    def names(self) -> dict[str, str | list[str] | None]:
        """Return the names of all files and networks, for config.json."""
        files = {name: [str(path) for path in getattr(self, name)] for name in ("data", "tweets", "general")}
        glove = None if self.glove is None else str(self.glove)
        return files | {"model": self.model, "roberta": self.roberta, "glove": glove}
