"""Writes the model card of an exported agent: the README.md that the Hugging Face Hub shows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_gca.sharing.hub import CARD
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.config_file import read_source

WITHOUT_CHECK = (
    "**The crisis check is not part of this model.** The chat programs of Keras conversational agents "
    "answer messages about suicide, self-harm, or danger with a fixed note, without running a model. The files of this "
    "model do not include that check. If you let people chat with the model, add one (see `keras_gca.safety.crisis`)."
)
LIMITS = (
    "This is a small research model of English conversation. It knows no facts, contradicts itself, and makes "
    "up what it says about itself.",
    "Its answers may be wrong or hurtful, and it repeats what its training text contains. It is not a person, a "
    "counsellor, or a doctor. Do not use it for advice or in an emergency.",
)
OF_METRICS = (
    "The metrics above were measured on held-out conversations from the training corpus. They do not show how "
    "well the model performs in other conversations, and they do not measure harm."
)

# The beginning of a path outside the working folder (on POSIX or Windows, or as an address), up to the end of the text.
_OUTSIDE_PATH = re.compile(r"(?<![^\s\"'(=])(?:(?:file:)?/|~\w*[/\\]|\.\.[/\\]|[A-Za-z]:[/\\]|\\\\)\S.*", re.DOTALL)


@dataclass(frozen=True)
class Card:
    """The content of a model card, as Markdown text.

    Args:
        title: The title.
        library: The library that loads the files, in the Hub's spelling.
        summary: A description of the model, which includes the name of the paper.
        usage: Python code that loads the files and generates a reply.
        files: The description of each file, by file name.
        source: The source of the training data, as stored in the run's `config.json`, or None if it is unknown. The
            card shows only the last part of an absolute path, because the other parts describe the computer on which
            the model was trained.
        embedded: The name of the embedded corpus. The card lists it as the training data if `source` names no data.
        settings: The values of training settings, by name.
        metrics: The metrics by name, as nested dictionaries. Empty if nothing was measured. A metric is a number, or a
            list of a number and the lower and upper bounds of its interval.
        limits: Further limitations of the model, to be listed after LIMITS and, if there are metrics, after OF_METRICS.
    """

    title: str
    library: str
    summary: str
    usage: str
    files: Mapping[str, str]
    source: Mapping[str, Any] | None
    embedded: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    limits: Sequence[str] = ()

    def write(self, folder: Path) -> None:
        """Write the card to README.md in a folder."""
        write_text(folder / CARD, self.text())

    def text(self) -> str:
        """Return the card as Markdown, preceded by the metadata that the Hub reads."""
        limits = [*LIMITS, *([OF_METRICS] if self.metrics else []), *self.limits]
        sections = {
            "Use": f"```python\n{self.usage.strip()}\n```",
            "Files": "\n".join(f"- `{name}`: {what}" for name, what in self.files.items()),
            "Safety": WITHOUT_CHECK,
            "Training data": self._data(),
            "Training": f"Seed {self.settings['seed']}. All settings:\n\n{self._settings()}",
            "Metrics": self._metrics(),
            "Limits": "\n".join(f"- {limit}" for limit in limits),
        }
        parts = [f"# {self.title}", self.summary, *(f"## {name}\n\n{text}" for name, text in sections.items())]
        tags = "\n".join(f"- {tag}" for tag in ("conversational", "dialogue"))
        metadata = f"language: en\nlibrary_name: {self.library}\npipeline_tag: text-generation\ntags:\n{tags}"
        return f"---\n{metadata}\n---\n\n" + "\n\n".join(parts) + "\n"

    def _data(self) -> str:
        if self.source is None:
            return (
                "Unknown: the model was exported from a bot file, which does not store the source of the training data."
            )
        named = {name: _without_folders(value) for name, value in self.source.items() if value}
        if not named.keys() & {"data", "tweets"}:
            named = {"data": self.embedded, **named}
        return (
            f"{_table(('source', 'value'), named.items())}\n\nNo licence is stated here, because the model's "
            "licence depends on the licence of this data. If you share the model, state its licence."
        )

    def _settings(self) -> str:
        return _table(("setting", "value"), ((name, _without_folders(value)) for name, value in self.settings.items()))

    def _metrics(self) -> str:
        rows = list(_rows(self.metrics))
        if not rows:
            return "The run was not evaluated before the export."
        return "From the run's last evaluation, on held-out conversations:\n\n" + _table(("metric", "value"), rows)


def facts_of(run: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the source of a run's data, and the content of its evaluation.json.

    Args:
        run: A run folder. For a bot.h5 or a name on the Hub, the source is unknown, and there is no evaluation.

    Returns:
        The source, which is None if it is unknown, and the evaluation, which is empty if the run was not evaluated.

    Raises:
        UserError: A file in the run folder is damaged.
    """
    if not run.is_dir():
        return None, {}
    evaluation = run / "evaluation.json"
    return read_source(run / "config.json"), json_files.read_object(evaluation) if evaluation.exists() else {}


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the names and values of metrics in nested dictionaries."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}, ")
        elif isinstance(value, list) and len(value) == 3:
            number, low, high = map(_number, value)
            yield f"{prefix}{name}", number if None in value[1:] else f"{number} [{low}, {high}]"
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", _number(value)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _without_folders(value: Any) -> str:
    """Format a value as text, keeping only the last part of a path that is outside the working folder.

    The path may follow other words, as in "from /home/ann/tokens". A path may contain spaces, so all text after its
    beginning belongs to it.
    """
    if isinstance(value, list):
        return ", ".join(map(_without_folders, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_without_folders(name)}: {_without_folders(part)}" for name, part in value.items())
    if not isinstance(value, str):
        return json.dumps(value)
    return _OUTSIDE_PATH.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], value)


def _table(head: tuple[str, str], rows: Any) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {left} | {str(right).replace('|', chr(92) + '|')} |" for left, right in lines)
