"""`Source` names the files that a training run reads. Importing this module is fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glove.text_files import SKIP_HINT, BadLines
from keras_gca.data.conversations import EMBEDDED, Conversation, read_conversations
from keras_gca.errors import UserError, refuse_missing
from keras_gca.storage.token_files import is_token_folder


@dataclass(frozen=True)
class Source:
    """The files that a training run of the first paper reads.

    Args:
        data: The file or folder of a corpus, several of them, a folder of token files, or None for the embedded corpus.
        format: One of `conversations.FORMATS`, the format of all corpora, or None to detect the format of each corpus.
        vocabulary: A file with the words of the vocabulary, one per line, or the author's pickle. If None, the words
            are taken from the training text.
        glove: A file of word vectors, or None to fit vectors to the training text.
        glove_member: The name of the file inside a .zip of word vectors, or None to choose the file by the dimension of
            its vectors.
        skip_bad_lines: Whether to skip and count lines that cannot be used. If False, the first such line raises an
            error.

    Raises:
        UserError: `format` is given without `data`, or `glove_member` without `glove`, or a file is missing, or a
            folder of token files is given together with other corpora.

    Examples:
        >>> from keras_gca import Source
        >>> conversations, bad = Source().read()
        >>> len(conversations)
        14889
    """

    data: Path | Sequence[Path] | None = None
    format: str | None = None
    vocabulary: Path | None = None
    glove: Path | None = None
    glove_member: str | None = None
    skip_bad_lines: bool = False

    def __post_init__(self) -> None:
        if self.format and not self.data:
            raise UserError("--format applies only to --data, which is not given")
        if self.glove_member and not self.glove:
            raise UserError("--glove-member applies only to --glove, which is not given")
        refuse_missing(*self.corpora, self.vocabulary, self.glove)
        if self.prepared is None:
            return
        if len(self.corpora) > 1:
            raise UserError(
                f"--data: {self.prepared} is a folder of token files, which cannot be combined with other corpora; "
                "prepare all corpora together with keras_gca.prepare"
            )
        if self.format or self.vocabulary:
            unwanted = "--format" if self.format else "--vocabulary"
            raise UserError(
                f"{unwanted} has no effect on {self.prepared}, a folder of token files; leave out the option"
            )

    @property
    def corpora(self) -> tuple[Path, ...]:
        """The files and folders in `data`, in the order in which they are read."""
        if self.data is None:
            return ()
        return (Path(self.data),) if isinstance(self.data, str | Path) else tuple(map(Path, self.data))

    @property
    def prepared(self) -> Path | None:
        """The folder of token files, or None if the data are corpora."""
        return next((Path(path) for path in self.corpora if is_token_folder(path)), None)

    def read(self, splits: str = "random") -> tuple[list[Conversation], BadLines]:
        """Read the corpus, or several corpora one after the other.

        Reading does not need TensorFlow, so a command can report bad input before it imports TensorFlow.

        Args:
            splits: See `Config.splits`.

        Returns:
            The conversations of all corpora, and the `BadLines` object that counted the skipped lines.

        Raises:
            UserError: A corpus cannot be read; see `read_conversations`.
        """
        bad = BadLines(self.skip_bad_lines, UserError, SKIP_HINT)
        conversations: list[Conversation] = []
        for path in self.corpora or (None,):  # None stands for the embedded corpus
            conversations += read_conversations(path, self.format, bad, splits)
        return conversations, bad

    def names(self) -> dict[str, str | list[str]]:
        """Describe where the data, the vocabulary and the word vectors come from, for messages and for config.json."""
        corpora = [str(path) for path in self.corpora] or [EMBEDDED]
        return {
            "data": corpora if len(corpora) > 1 else corpora[0],
            "vocabulary": str(self.vocabulary or "from the training text"),
            "glove": str(self.glove or "fitted to the training text"),
        }
