import platform
import re

import numpy as np
import pytest

from docs.experiments import MEASUREMENTS, PAGES, filled
from keras_gca.errors import UserError
from keras_gca.evaluation.provenance import command_of, read_experiment, table_of, versions, write_experiment
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
    assert table_of(values).to_markdown() == TABLE.to_markdown()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "b.json").write_text('{"format": "experiment 1"}')
    with pytest.raises(UserError, match=r"b\.json: the file does not contain the results of an experiment"):
        read_experiment(tmp_path / "b.json")
    write_experiment(tmp_path / "a.json", "the command", {}, 1, [TABLE])
    with pytest.raises(UserError, match="the command: the results of this command have no table 1"):
        table_of(read_experiment(tmp_path / "a.json"), 1)


def test_tables_of_a_page_are_generated(tmp_path):
    write_experiment(tmp_path / "a.json", "the command", {}, 1, [TABLE, TABLE])
    page = "# Page\n\n<!-- experiment: a.json 0 -->\nold\n<!-- /experiment -->\n\nThe end.\n"
    text = filled(page, tmp_path)
    assert text.startswith("# Page\n\n<!-- experiment: a.json 0 -->\n\nA table.\n\n|")
    assert "old" not in text
    assert text.endswith("\n\n`the command`\n\n<!-- /experiment -->\n\nThe end.\n")
    assert filled(text, tmp_path) == text
    with pytest.raises(UserError, match=r"b\.json: cannot be read"):
        filled(page.replace("a.json", "b.json"), tmp_path)


def test_a_command_and_the_usual_versions_are_stated_once(tmp_path):
    write_experiment(tmp_path / "a.json", "command a", {}, 1, [TABLE, TABLE])
    write_experiment(tmp_path / "b.json", "command b", {}, 1, [TABLE])
    values = (tmp_path / "b.json").read_text(encoding="utf-8")
    (tmp_path / "c.json").write_text(values.replace("command b", "command c").replace(np.__version__, "1.0"))
    blocks = [f"<!-- experiment: {name} -->\n<!-- /experiment -->\n" for name in ("a.json 0", "a.json 1", "c.json 0")]
    page = "<!-- versions -->\n<!-- /versions -->\n" + "".join([*blocks, blocks[0].replace("a.json", "b.json")])
    text = filled(page, tmp_path)
    assert filled(text, tmp_path) == text
    assert re.findall(r"`(command .)`( \(python .*numpy 1\.0, .*\))?\n", text) == [
        ("command a", ""),
        (
            "command c",
            f" ({', '.join(f'{name} {version}' for name, version in {**versions(), 'numpy': '1.0'}.items())})",
        ),
        ("command b", ""),
    ]
    assert text.startswith(f"<!-- versions -->\n\npython {platform.python_version()}, ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_with_results_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert filled(text, MEASUREMENTS) == text


@pytest.mark.parametrize("path", sorted(MEASUREMENTS.glob("*.json")), ids=lambda path: path.stem)
def test_commands_of_measurements_name_no_place_of_one_machine(path):
    assert not re.search(r'"command": "[^"]*[ =][/~]', path.read_text(encoding="utf-8"))
