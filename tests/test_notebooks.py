"""Each notebook runs from top to bottom at toy sizes, and is stored with the outputs of one whole run."""

import re

import nbclient
import nbformat
import pytest

from tests.places import PROJECT

FOLDER = PROJECT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# In place of the cell tagged "parameters". Short sentences: few shapes to compile. EXPERIMENTS stands for the folder of
# the fixture small_experiments.
TINY = {
    "01_generative_conversational_agent": 'preset = "tiny"\nchanges = {"sentence_length": 16, "max_pairs": 600}',
    "02_adversarial_training": 'preset = "tiny"\nchanges = {"sentence_length": 16, "adversarial_epochs": 2}',
    "03_empathy_gail": 'preset = "tiny"\nchanges = {"batch_size": 128, "n_layer": 1, "warmup_steps": 0}',
    "04_results": 'runs = Path("EXPERIMENTS")\ntemperatures = (0.5, 1.0)\nresponses = 8',
}
# The contents that the cell "parameters" has in the stored notebooks.
STORED = dict.fromkeys(TINY, 'preset = "default"') | {"04_results": 'runs = Path("runs/experiments")'}
SHOWN = {"stdout", "image/png", "text/markdown"}  # not allowed are errors, log lines and the bare repr of an object
MOST_BYTES = 1_500_000
FOREIGN_PATH = re.compile(r"(?:/(?:home|root|tmp|usr|opt|Users)/|[A-Z]:\\{2})[\w./-]+")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(notebook, folder):
    """Run a notebook in a folder. If a cell fails, raise CellExecutionError with the cell and its traceback."""
    where = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()


def parameters(cells):
    [cell] = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


def kinds(cells):
    """Return the kinds of each cell's outputs: the stream's name, or the richest form in which a value is shown."""
    return [{output.get("name") or _richest(output) for output in cell.outputs} for cell in cells]


def _richest(output):
    forms = output.get("data", {output.output_type: ""})
    return next((form for form in ("image/png", "text/markdown") if form in forms), next(iter(forms)))


def test_every_notebook_has_its_toy_sizes():
    assert [path.stem for path in NOTEBOOKS] == list(TINY)


@pytest.fixture
def tiny(path, request):
    """Return the settings that give a notebook toy sizes."""
    if "EXPERIMENTS" not in TINY[path.stem]:
        return TINY[path.stem]
    return TINY[path.stem].replace("EXPERIMENTS", request.getfixturevalue("small_experiments").folder.as_posix())


@pytest.mark.thorough
@every_notebook
def test_it_runs_from_top_to_bottom_and_is_stored_with_such_outputs(
    path, tiny, monkeypatch, tmp_path, tmp_path_factory
):
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.getbasetemp() / "matplotlib"))  # no cache of old fonts
    stored = kinds(read(path)[1])
    assert {kind for each in stored for kind in each} <= SHOWN
    assert sum("image/png" in each for each in stored) >= 5

    notebook, cells = read(path)
    parameters(cells).source = tiny
    execute(notebook, tmp_path)
    # A slow machine prints lines of progress as well.
    assert [each - {"stderr"} for each in kinds(cells)] == stored
    assert list(tmp_path.iterdir()) == []  # it leaves no files behind


@every_notebook
def test_it_is_stored_as_one_whole_run_left_it(path):
    _, cells = read(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert STORED[path.stem] in parameters(cells).source


@pytest.mark.thorough
def test_results_without_runs_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    notebook, _ = read(FOLDER / "04_results.ipynb")
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        execute(notebook, tmp_path)
    *_, last = (
        output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type == "error"
    )
    command = "python -m gail_tf.experiments all --runs runs/experiments"
    assert last.traceback == [
        f"error: runs/experiments: there is no finished training run of an experiment; train with {command}"
    ]


@every_notebook
def test_it_is_small_and_knows_no_machine(path):
    assert path.stat().st_size < MOST_BYTES
    notebook, cells = read(path)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    for output in (output for cell in cells for output in cell.outputs):
        output.get("data", {}).pop("image/png", None)  # letters without a meaning
    text = nbformat.writes(notebook)
    assert str(FOLDER.parent) not in text
    assert FOREIGN_PATH.findall(text) == []


TAUGHT = [path for path in NOTEBOOKS if path.stem != "04_results"]


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_it_begins_with_one_import_and_every_part_ends_with_an_exercise_and_its_solution(path):
    notebook, codes = read(path)
    assert re.fullmatch(r"from keras_gca\.engine\.notebook import [\w, ]+", codes[0].source)
    assert "To change the notebook and run it elsewhere" in notebook.cells[0].source
    texts = [cell.source if cell.cell_type == "markdown" else "" for cell in notebook.cells]
    starts = [number for number, text in enumerate(texts) if text.startswith("## ")]
    assert sum(text.count("\n## ") for text in texts) == 0  # a heading begins a cell
    assert len(starts) >= 12
    for end in [*starts[1:], len(texts)]:
        question, _, solution = texts[end - 1].partition("<details><summary>Solution</summary>\n\n")
        assert question.startswith("**Exercise.** ")
        assert solution.endswith("\n\n</details>")
    assert len({texts[end - 1] for end in starts[1:]}) == len(starts) - 1
