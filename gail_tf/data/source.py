"""The files and pretrained networks of a training, as the user names them; imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gail_tf.config import GAILConfig
from gail_tf.data.trajectories import Trajectory, read_trajectories
from glove.text_files import SKIP_HINT, BadLines
from keras_gca.errors import UserError, refuse_missing


@dataclass(frozen=True)
class Source:
    """The files and pretrained networks that a training of the second paper reads.

    Args:
        data: Files of conversations; if empty, the embedded ones are used.
        tweets: Files of tweets: CSV with a column `text`, or one tweet a line.
        general: Files of conversations to pretrain a GPT-2 from scratch on; if empty, the first paper's corpus is used.
        model: The pretrained language model: a folder or file, a known name (`base_models`), or a name on the Hub. None
            trains a GPT-2 from scratch.
        roberta: D's RoBERTa: a folder, or a name on the Hub.
        glove: A file of word vectors for RL-Seq2Seq; None fits vectors to the prompts.
        skip_bad_lines: Whether lines that cannot be used are skipped and counted; otherwise the first is an error.
        agreed: Whether a network that is not on this machine may be fetched without asking.

    Raises:
        UserError: `model` and `general` are both given, or a file is missing.

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
    agreed: bool = False

    def __post_init__(self) -> None:
        if self.model is not None and self.general:
            raise UserError("--general is text to pretrain on, and --model is pretrained; leave one out")
        refuse_missing(*self.data, *self.tweets, *self.general, self.glove)

    def refuse_misfits(self, config: GAILConfig) -> None:
        """Check that the settings use every file and network that is given.

        Raises:
            UserError: Something is given that the settings do not use.
        """
        seq2seq = config.algorithm == "rl_seq2seq"
        if self.roberta is not None and config.judge.discriminator_encoder != "roberta":
            raise UserError("--roberta: D has another encoder; --discriminator-encoder roberta is expected")
        if seq2seq and self.model is not None:
            raise UserError("--model: --algorithm rl_seq2seq trains two LSTMs instead; leave it out")
        if self.glove and not seq2seq:
            raise UserError("--glove: only --algorithm rl_seq2seq uses word vectors; leave it out")

    def read(self, turns: str) -> tuple[list[Trajectory], BadLines]:
        """Read the expert trajectories.

        Reading does not import TensorFlow, so that a command reports bad input at once.

        Args:
            turns: See `DataSettings.turns`.

        Returns:
            The trajectories, and the counts of bad lines, which later readers continue.

        Raises:
            UserError: A file is missing or damaged; the message names file and line.
        """
        bad = BadLines(self.skip_bad_lines, UserError, SKIP_HINT)
        return read_trajectories(self.data, self.tweets, turns, bad), bad

    def names(self) -> dict[str, str | list[str] | None]:
        """Return the names of all sources, for config.json."""
        files = {name: [str(path) for path in getattr(self, name)] for name in ("data", "tweets", "general")}
        glove = None if self.glove is None else str(self.glove)
        return files | {"model": self.model, "roberta": self.roberta, "glove": glove}
