import pytest

from benchmarks import costs, several_devices
from benchmarks.exercise import SIZES, Exercise
from benchmarks.several_devices import Devices, loopback_bytes


def test_the_bytes_of_the_loopback_device(tmp_path, monkeypatch):
    path = tmp_path / "dev"
    monkeypatch.setattr(several_devices, "TRAFFIC", path)
    assert loopback_bytes() == 0
    numbers = " ".join(str(n) for n in range(1, 17))
    path.write_text(f"Inter-| Receive | Transmit\n face |bytes |bytes\n  eth0: {numbers}\n    lo:{numbers}\n")
    assert loopback_bytes() == 9


def test_titles():
    titles = [devices.title for devices in (Devices(), Devices("mirrored", 2), Devices("multi_worker", 4))]
    assert titles == ["one device", "2 parts of the CPU", "4 processes"]


@pytest.mark.thorough
@pytest.mark.skipif(not several_devices.TRAFFIC.exists(), reason="bytes are counted on Linux alone")
def test_two_processes_send_their_gradients():
    exercise = Exercise(SIZES["tiny"], 32, prompt=8, response=4)
    found = Devices("multi_worker", 2).measure(exercise, rounds=2)
    gradients = 2 * costs.traffic(exercise.sizes, "full", steps=4, workers=2)
    assert found["seconds"] > 0
    assert found["bytes"] > gradients  # and what else goes over the device meanwhile
