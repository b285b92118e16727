"""Where a training's data and pretrained networks come from, as the user names them; imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gail_tf.data.trajectories import Trajectory, read_trajectories
from glove.text_files import SKIP_HINT, BadLines
from keras_gca.errors import UserError, refuse_missing


@dataclass(frozen=True)
class Source:
    """The files that a training of the second paper reads; what is not given is embedded, fitted or from scratch.

    data: conversations. tweets: CSV with a column `text`, or one a line. general: conversations to pretrain on. gpt2,
    roberta: a Hugging Face folder, or a name on the hub. glove: word vectors of RL-Seq2Seq. skip_bad_lines: whether
    lines that cannot be used are passed over and counted; otherwise the first one is an error.

    Raises UserError where two exclude each other, or where a file is missing.
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

        turns: see `GAILConfig.turns`. It needs no TensorFlow: a command reads before it imports that, so that bad input
        is told at once and in little memory. Raises UserError as `read_trajectories` does.
        """
        bad = BadLines(self.skip_bad_lines, UserError, SKIP_HINT)
        return read_trajectories(self.data, self.tweets, turns, bad), bad

    def names(self) -> dict[str, str | list[str] | None]:
        """The sources in words, for config.json."""
        files = {name: [str(path) for path in getattr(self, name)] for name in ("data", "tweets", "general")}
        glove = None if self.glove is None else str(self.glove)
        return files | {"gpt2": self.gpt2, "roberta": self.roberta, "glove": glove}
