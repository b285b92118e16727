import platform
import re

import numpy as np
import pytest

from docs.experiments import MEASUREMENTS, PAGE, filled
from keras_gca.errors import UserError
from keras_gca.evaluation.provenance import command_of, read_experiment, table_with_command, versions, write_experiment
from keras_gca.evaluation.tables import Table

TABLE = Table(None, "A table.", ("", "x"), [("a", "1")])


def test_an_experiment_says_where_it_comes_from(tmp_path):
    command = command_of("keras_gca.evaluate", ["runs/a b", "--seed", "1"])
    assert command == "python -m keras_gca.evaluate 'runs/a b' --seed 1"
    write_experiment(tmp_path / "a.json", command, {"sampling": 1}, {"distinct-1": 0.5, "x": [float("nan")]}, [TABLE])
    values = read_experiment(tmp_path / "a.json")
    assert (values["command"], values["seeds"], values["results"]) == (
        command,
        {"sampling": 1},
        {"distinct-1": 0.5, "x": [None]},
    )
    assert values["versions"]["python"] == platform.python_version()
    assert values["versions"]["numpy"] == np.__version__
    assert values["versions"] == versions()
    text = table_with_command(values)
    assert text.startswith("A table.\n\n|")
    assert f"`{command}` (python {platform.python_version()}, " in text


def test_other_files_are_refused(tmp_path):
    (tmp_path / "b.json").write_text('{"format": "experiment 1"}')
    with pytest.raises(UserError, match=r"b\.json: the file does not contain the results of an experiment"):
        read_experiment(tmp_path / "b.json")
    write_experiment(tmp_path / "a.json", "the command", {}, 1, [TABLE])
    with pytest.raises(UserError, match="the command: the results of this command have no table 1"):
        table_with_command(read_experiment(tmp_path / "a.json"), 1)


def test_tables_of_a_page_are_generated(tmp_path):
    write_experiment(tmp_path / "a.json", "the command", {}, 1, [TABLE])
    page = "# Page\n\n<!-- experiment: a.json 0 -->\nold\n<!-- /experiment -->\n\nThe end.\n"
    text = filled(page, tmp_path)
    assert text.startswith("# Page\n\n<!-- experiment: a.json 0 -->\n\nA table.\n\n|")
    assert "old" not in text
    assert text.endswith("\n<!-- /experiment -->\n\nThe end.\n")
    assert "`the command` (python" in text
    assert filled(text, tmp_path) == text
    with pytest.raises(UserError, match=r"b\.json: cannot be read"):
        filled(page.replace("a.json", "b.json"), tmp_path)


def test_the_page_of_results_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, MEASUREMENTS) == text


@pytest.mark.parametrize("path", sorted(MEASUREMENTS.glob("*.json")), ids=lambda path: path.stem)
def test_commands_of_measurements_name_no_place_of_one_machine(path):
    assert not re.search(r'"command": "[^"]*[ =][/~]', path.read_text(encoding="utf-8"))
