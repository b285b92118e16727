"""A short form of the search of `tests/stress/fuzz.py`: spoiled seeds and random bytes, the same in every run."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz_targets import FAMILIES, TARGETS
from tests.stress import fuzz

SPOILED = 150  # the number of inputs that are made from the seeds
ODD = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b" ",
    b",",
    b'"',
    b"\\",
    b"[" * 60,
    b"9" * 30,
    b"-1",
    b"nan",
    b"\xed\xa0\x80",
    b"1e400",
]


def spoiled(seed: bytes, draw: random.Random) -> bytes:
    """Return a seed in which parts are left out, doubled, or replaced by random bytes or by an item of ODD."""
    content = bytearray(seed)
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(content) + 1)
        end = min(len(content), start + draw.choice((0, 1, 1, 4, 30)))
        new = draw.choice((b"", bytes(content[start:end]) * 2, draw.randbytes(end - start), draw.choice(ODD)))
        content[start:end] = new
    return bytes(content)


@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_files_give_a_value_or_one_line(name):
    draw = random.Random(0)
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)
    for _ in range(SPOILED):
        target.run(spoiled(draw.choice(target.seeds), draw))


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_give_a_value_or_one_line(name):
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=300))
    def run(content):
        TARGETS[name].run(content)

    run()


def test_families_name_targets_and_divide_their_time():
    members = [target for family in FAMILIES.values() for target in family]
    assert len(members) == len(set(members))
    assert set(members) < set(TARGETS)
    planned = fuzz.planned([fuzz.ALL_FAMILIES, "words"], 10)
    assert [target for target, _ in planned] == [*members, "words"]
    assert sum(minutes for _, minutes in planned) == pytest.approx(10 * (len(FAMILIES) + 1))
    assert [target for target, _ in fuzz.planned([], 1)] == list(TARGETS)
    with pytest.raises(SystemExit, match="no target nothing; choose from plain_readers, "):
        fuzz.planned(["nothing"], 1)
