"""No file is misread in silence: 213 files are read as their records say, or refused in one line."""

import re

import pytest

from gail_tf.data.trajectories import read_trajectories
from keras_gca.corpora.conversation import one_line
from keras_gca.data.conversations import read_corpus
from keras_gca.errors import UserError
from tests.factories.blind_files import EXPECTED, write

RECORDS = {record["file"]: record for record in EXPECTED}

# Files to be refused, and what the message has to name.
NAMED = {
    "dialogues_act.txt": "numbers or labels without text",
    "movie_lines_alone.txt": "the Cornell layout needs movie_lines.txt and movie_conversations.txt",
    "movie_conversations_alone.txt": "the Cornell layout needs movie_lines.txt and movie_conversations.txt",
    "broken.json": "the file is not JSON",
    "squad.json": "no list of utterances; .* the keys of this object are title, paragraphs",
    "nli.jsonl": "no list of utterances; .* the keys of this object are gold_label, sentence1, sentence2",
    "package.json": "valid JSON, but not a list of conversations",
    "places.geojson": "valid JSON, but not a list of conversations",
    "events.jsonl": "no list of utterances; .* the keys of this object are time, level, event, pid",
    "notebook.ipynb": "valid JSON, but not a list of conversations",
    "feed.xml": "XML or HTML",
    "workflow.yaml": "YAML",
    "settings.toml": "settings in sections",
    "settings.ini": "settings in sections",
    "key_value.txt": "named fields, such as Model:",
    "page.html": "XML or HTML",
    "readme.md": "Markdown",
    "paper.tex": "a program",
    "ducks.py": "a program",
    "code_named.txt": "a program",
    "server.log": "a chat export or a log, whose lines begin with times",
    "treebank.mrg": "the trees of a treebank",
    "tokens.conllu": "the columns of a treebank",
    "entities.conll": "the columns of a treebank",
    "dump.sql": "SQL",
    "letter.rtf": "an RTF document",
    "mail.eml": "an e-mail",
    "change.diff": "a patch",
    "event.ics": "a calendar",
    "sources.bib": "BibTeX",
    "rasa_nlu.yml": "YAML",
    "sales.csv": "a table whose first line, 'date, shop",
    "reviews.tsv": "a table whose first line, 'label, text'",
    "vocabulary.tsv": "a table whose first line, 'the, 9120'",
    "vectors.txt": "word vectors",
    "word_list.txt": "a list of words",
    "numbers.txt": "numbers or labels without text",
    "numbers.csv": "a table whose first line, 'x, y, z'",
    "novel.txt": "prose broken into lines",
    "poem.txt": "verse",
    "one_long_line.txt": "no conversation of two or more utterances",
    "empty.txt": "no conversation of two or more utterances",
    "only_blank_lines.txt": "no conversation of two or more utterances",
    "one_utterance.txt": "no conversation of two or more utterances",
    "bom_only.txt": "no conversation of two or more utterances",
    "binary_nul.txt": "a binary file",
    "photo_named.txt": "a PNG picture",
    "document.pdf": "a PDF document",
    "data.parquet": "the data set is damaged or cannot be read",
    "pickle_named.txt": "a Python pickle",
    "letter.docx": "an archive or an office document",
    "no_text_folder/": "no conversation of two or more utterances",
}

# Their records say that any order of the conversations is right, so the first texts may be those of any conversation.
ANY_ORDER = ("empathetic_folder/", "convokit_reversed.jsonl", "twcs.csv")

# Files whose markup need not be taken away. The record of this one says that the dash may be kept.
MAY_BE_KEPT = {"dash_dialogue.txt": "- "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with all files."""
    made = tmp_path_factory.mktemp("blind_files")
    write(made)
    return made


def test_each_file_that_is_to_be_refused_has_a_message():
    assert set(NAMED) == {name for name, record in RECORDS.items() if record["verdict"] == "refuse"}
    assert len(RECORDS) == 213


@pytest.mark.parametrize("name", RECORDS)
def test_no_file_is_misread(folder, name):
    record, path = RECORDS[name], folder / name
    verdict = record["verdict"]
    try:
        corpus = read_corpus(path)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert verdict in ("refuse", "either"), refusal
        assert "\n" not in refusal
        assert re.search(NAMED.get(name, ""), refusal)
        with pytest.raises(UserError, match=re.escape(refusal)):
            read_trajectories([path])
        return
    assert verdict != "refuse", f"read as {corpus.format}"
    assert record["utterances"], f"the right value is unknown, so the file cannot be read rightly as {corpus.format}"
    conversations = [each.utterances for each in corpus.conversations]
    assert record["utterances"] == sum(map(len, conversations))
    if record["conversations"]:
        assert record["conversations"] == len(conversations)
    first = (record["first_context"], record["first_answer"])
    kept = MAY_BE_KEPT.get(name, "")
    begins = [tuple(text.removeprefix(kept) for text in each[:2]) for each in conversations]
    assert tuple(map(one_line, first)) in (begins if name in ANY_ORDER else begins[:1])
