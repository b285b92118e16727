"""A small corpus in a file, for commands that do not read the embedded corpus."""

from pathlib import Path

from keras_gca.data.conversations import read_conversations


def write_conversations(path: Path, count: int) -> None:
    """Write the first conversations of the first paper's embedded corpus as plain text."""
    chosen = read_conversations()[:count]
    text = "\n\n".join("\n".join(conversation.utterances) for conversation in chosen)
    path.write_text(text + "\n", encoding="utf-8")
