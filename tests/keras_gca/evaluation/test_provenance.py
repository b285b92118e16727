import platform

import numpy as np
import pytest

from keras_gca.errors import UserError
from keras_gca.evaluation.provenance import command_of, read_experiment, versions, with_command, write_experiment
from keras_gca.evaluation.tables import Table


def test_an_experiment_says_where_it_comes_from(tmp_path):
    command = command_of("keras_gca.evaluate", ["runs/a b", "--seed", "1"])
    assert command == "python -m keras_gca.evaluate 'runs/a b' --seed 1"
    write_experiment(tmp_path / "a.json", command, {"sampling": 1}, {"distinct-1": 0.5})
    values = read_experiment(tmp_path / "a.json")
    assert (values["command"], values["seeds"], values["results"]) == (command, {"sampling": 1}, {"distinct-1": 0.5})
    assert values["versions"]["python"] == platform.python_version()
    assert values["versions"]["numpy"] == np.__version__
    assert values["versions"] == versions()
    text = with_command(Table(None, "A table.", ("", "x"), [("a", "1")]), values)
    assert text.startswith("A table.\n\n|")
    assert f"`{command}` (python {platform.python_version()}, " in text


def test_nan_and_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_experiment(tmp_path / "a.json", "", {}, float("nan"))
    (tmp_path / "b.json").write_text('{"format": "experiment 1"}')
    with pytest.raises(UserError, match=r"b\.json: not the results of an experiment"):
        read_experiment(tmp_path / "b.json")
