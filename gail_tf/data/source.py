"""Where a training's data and pretrained networks come from, as the user names them; imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gail_tf.data.trajectories import Trajectory, read_trajectories
from glove.text_files import SKIP_HINT, BadLines
from keras_gca.errors import UserError, refuse_missing


@dataclass(frozen=True)
class Source:
    """The files and pretrained networks that a training of the second paper reads.

    Args:
        data: Files of conversations; the embedded ones if empty.
        tweets: Files of tweets: CSV with a column `text`, or one a line.
        general: Files of conversations to pretrain a GPT-2 from scratch on; the first paper's corpus if empty.
        gpt2: A Hugging Face folder, or a name on the Hub; from scratch if None.
        roberta: The same of D's RoBERTa.
        glove: Word vectors of RL-Seq2Seq; None fits some to the prompts.
        skip_bad_lines: Whether lines that cannot be used are passed over and counted; otherwise the first is an error.

    Raises:
        UserError: Two of them exclude each other, or a file is missing.

    Examples:
        >>> from gail_tf import Source
        >>> trajectories, bad = Source().read(turns="disjoint")
        >>> trajectories[0].response
        'That would have frozen me to the spot. Were you on your own?'
    """

    data: Sequence[Path] = ()
    tweets: Sequence[Path] = ()
    general: Sequence[Path] = ()
    gpt2: str | None = None
    roberta: str | None = None
    glove: Path | None = None
    skip_bad_lines: bool = False

    def __post_init__(self) -> None:
        if self.gpt2 is not None and self.general:
            raise UserError("--general is text to pretrain on, and --gpt2 is pretrained; leave one out")
        refuse_missing(*self.data, *self.general)

    def read(self, turns: str) -> tuple[list[Trajectory], BadLines]:
        """The expert trajectories, and what becomes of bad lines, which readers count there.

        turns: see `DataSettings.turns`. It needs no TensorFlow: a command reads before it imports that, so that bad
        input is told at once and in little memory. Raises UserError as `read_trajectories` does.
        """
        bad = BadLines(self.skip_bad_lines, UserError, SKIP_HINT)
        return read_trajectories(self.data, self.tweets, turns, bad), bad

    def names(self) -> dict[str, str | list[str] | None]:
        """The sources in words, for config.json."""
        files = {name: [str(path) for path in getattr(self, name)] for name in ("data", "tweets", "general")}
        glove = None if self.glove is None else str(self.glove)
        return files | {"gpt2": self.gpt2, "roberta": self.roberta, "glove": glove}
