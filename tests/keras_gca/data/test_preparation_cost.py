"""The estimate of a preparation, compared with numbers worked out by hand."""

import pytest

from keras_gca.data.preparation_cost import IMPORTS, OF_A_TOKEN, OF_A_WORD, SHARED, Rates, estimate
from keras_gca.engine.preparing_cost import Read

RATES = Rates(utterances=1000, pairs=800, tokens=8000, tokenising=2.0, counting=0.1, encoding=0.5)
READ = Read(seconds=0.25, lines=50_000, text=40_000, files=5_000_000)  # one of 100 chunks


def test_a_corpus_has_as_many_chunks_as_its_files_have_lines_of_the_first_one():
    assert (READ.chunks, READ.whole) == (100, 25)
    whole_file = READ._replace(lines=5_000_000)  # a reader that holds the file in memory
    assert (whole_file.chunks, whole_file.whole) == (125, 0.25)
    without_lines = READ._replace(lines=0)  # a data set
    assert (without_lines.chunks, without_lines.whole) == (125, 31.25)
    assert READ._replace(lines=0, text=9_000_000).chunks == 1


@pytest.mark.parametrize(
    ("processes", "cores", "first", "at_once"),
    [
        (1, 2, 25 + 200, 1),
        (2, 2, (25 + 200) / 2, 2),  # three processes share two cores
        (2, 8, 200 / 2, 2),
        (16, 32, 25, 16),  # the reading takes longest
        (8, 2, (25 + 200) / 2, 2),
    ],
)
def test_steps_are_divided_among_processes_and_cores(processes, cores, first, at_once):
    made = estimate(RATES, READ, processes, chunks=0, shards=0, shard_pairs=4000, cores=cores)
    expected = {"reading_and_tokenising": first, "counting_words": 10 / at_once, "writing_shards": 50 / at_once}
    assert dict(made.seconds) == pytest.approx(expected)
    of_processes = processes * (IMPORTS - SHARED + OF_A_TOKEN * 10 * 4000)
    assert made.memory == pytest.approx(SHARED + of_processes + OF_A_WORD * 800_000)
    assert "this machine tokenises 500 utterances per second in each process" in str(made)


def test_what_an_interrupted_preparation_has_written_is_not_counted():
    made = estimate(RATES, READ, 1, chunks=60, shards=10, shard_pairs=4000, cores=2)
    assert dict(made.seconds) == pytest.approx(
        {"reading_and_tokenising": 25 + 80, "counting_words": 10, "writing_shards": 25}
    )
    made = estimate(RATES, READ, 1, chunks=101, shards=21, shard_pairs=4000, cores=2)
    assert dict(made.seconds) == pytest.approx(
        {"reading_and_tokenising": 25, "counting_words": 10, "writing_shards": 0}
    )
