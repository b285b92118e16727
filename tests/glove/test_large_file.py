import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

READ = """
import re, sys
import glove
vectors = glove.read_vectors(sys.argv[1], [f"word{i}" for i in range(0, 400_000, 60)], dimension=100)
assert vectors.matrix.shape == (6667, 100)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux' /proc")
def test_a_vocabulary_is_read_out_of_400_000_words_in_less_than_300_mb(tmp_path):
    path = tmp_path / "glove.6B.100d.txt"
    rows = [" ".join(f"{x:.5f}" for x in row) for row in np.random.default_rng(0).normal(size=(1000, 100))]
    with path.open("w") as stream:
        for i in range(400_000):
            stream.write(f"word{i} {rows[i % 1000]}\n")
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300
