import pytest

from keras_gca.engine import command_line, loading
from keras_gca.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "tf_config", "message"),
    [
        (
            ["--replicas", "2"],
            None,
            "--replicas applies only to --strategy mirrored; leave it out with --strategy none",
        ),
        (["--strategy", "multi_worker"], None, "TF_CONFIG does not name all workers"),
        (["--strategy", "multi_worker"], "{", "TF_CONFIG does not name all workers"),
        (
            ["--strategy", "multi_worker"],
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "TF_CONFIG does not name all workers",
        ),
    ],
)
def test_devices_that_are_not_there(arguments, tf_config, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf_config is not None:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    parser = command_line.Parser("train")
    command_line.add_devices(parser)
    with pytest.raises(UserError, match=message):
        loading.set_up_tensorflow(parser.parse_args(arguments))
