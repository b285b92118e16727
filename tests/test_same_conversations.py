"""The same file gives the same conversations in both packages, in every format; docs/formats.md lists every format."""

import itertools
import re
from pathlib import Path

import pytest

import gail_tf
import keras_gca
from gail_tf.data.spelling import as_written
from keras_gca.data.conversations import FORMATS
from tests.keras_gca.corpora.test_data_sets import PAIRS, made
from tests.keras_gca.corpora.test_detection import READ
from tests.keras_gca.corpora.test_published import CORNELL
from tests.places import PROJECT


def write(folder: Path, format: str) -> list[Path]:
    """Write the samples of a format, and return the files or folders to name by --data."""
    if format == "cornell":
        for name, content in CORNELL.items():
            (folder / name).write_text(content)
        return [folder, *(folder / name for name in CORNELL)]
    if format == "datasets":
        made(PAIRS).to_parquet(folder / "a.parquet")
        made(PAIRS).save_to_disk(folder / "saved")
        return [folder / "a.parquet", folder / "saved"]
    paths = []
    for number, (name, content, _, _) in enumerate(sample for sample in READ.values() if sample[2] == format):
        (folder / str(number)).mkdir()
        paths.append(folder / str(number) / name)
        paths[-1].write_text(content, encoding="utf-8")
    return paths


@pytest.mark.parametrize("insisted", [False, True], ids=["detected", "by --format"])
@pytest.mark.parametrize("format", FORMATS)
def test_the_same_file_gives_the_same_conversations_in_both_packages(tmp_path, format, insisted):
    paths = write(tmp_path, format)
    assert paths
    for path in paths:
        name = format if insisted else None
        conversations, first_notes = keras_gca.Source(data=path, format=name).read()
        trajectories, second_notes = gail_tf.Source(data=[path], format=name).read("staggered")
        # The second paper's data have one spelling of quotation marks and apostrophes; the conversations are the same.
        assert [(each.conversation, each.prompt, each.response) for each in trajectories] == [
            (number, as_written(prompt), as_written(response))
            for number, conversation in enumerate(conversations)
            for prompt, response in itertools.pairwise(conversation.utterances)
        ]
        assert {each.source for each in trajectories} == {format}
        assert first_notes.notes == second_notes.notes


def test_the_table_of_formats_is_complete():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (.+?) \| `(corpora/\w+\.py)` \| `(\w+/test_\w+\.py)` \|$",
        (PROJECT / "docs" / "formats.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {format for format, *_ in rows} == set(FORMATS)
    assert len(rows) == len(FORMATS)
    for format, _, _, reader, test in rows:
        assert FORMATS[format].__module__ == f"keras_gca.{reader.removesuffix('.py').replace('/', '.')}"
        assert (PROJECT / "tests" / "keras_gca" / test).exists()
