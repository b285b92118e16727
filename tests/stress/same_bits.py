"""`python -m tests.stress.same_bits`: checks whether a change of the code changes what training runs learn, to the bit.

    python -m tests.stress.same_bits record before.json --checkout ../old     training runs of another checkout
    python -m tests.stress.same_bits compare before.json                      the same of this one, and what differs

Each variant is a run with `--preset tiny --seed 0`. Its fingerprint is the SHA-256 of the arrays in `bot.h5` and
of the metrics in the log. Fingerprints can be compared on one machine only. Two variants run at the same time.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py

WALL_CLOCK = ("tokens_per_second",)  # columns of log.csv
HERE = Path(__file__).resolve().parents[2]

# Every algorithm of both papers, and every setting that is implemented by code of its own.
VARIANTS = {
    "keras_gca": {
        "backpropagation": "",
        "reinforce": "--algorithm reinforce",
        "canonical": "--generator canonical",
        "original": "--padding original",
        "context": "--predict context --adversarial-epochs 0",
        "unconditional": "--predict unconditional --adversarial-epochs 0",
        "regularised": "--dropout 0.1 --hidden-dropout 0.4 --average-epochs 1 --learning-rate-decay 0.9 --patience 1",
        "bfloat16": "--precision bfloat16",
        "hidden_layer_of_d": "--discriminator-hidden-size 8",
        "machine_pairs": "--machine-contexts utterances --machine-temperature 0.8 --machine-top-p 0.9 --replay 0.5 "
        "--adversarial-epochs 2",
        "regularised_d": "--label-smoothing 0.1 --instance-noise 0.1 --spectral-normalisation on",
        "tokens": "--generator-loss log --generator-tokens gumbel --discriminator-hidden-size 8 --final-epochs 1",
    },
    "gail_tf": {
        "gail": "",
        "mle": "--algorithm mle",
        "textgail": "--algorithm textgail",
        "trpo": "--algorithm trpo",
        "rl_seq2seq": "--algorithm rl_seq2seq",
        "head": "--trainable head",
        "lora": "--trainable lora",
        "filtered": "--counting filtered --top-p 0.5",
        "bfloat16": "--precision bfloat16",
        "token": "--discriminator token --level token --value-baseline on",
        "trainable_encoder": "--discriminator-encoder trainable --discriminator contrastive",
        "noise": "--instance-noise 0.1 --label-smoothing 0.1 --entropy-bonus 0.01 --value-baseline on",
        "permuted": "--reward-control permuted",
        "reference_kl": "--reference-kl adaptive --reference-kl-coefficient 0.1 --reward-control zero",
        "adapters_of_d": "--discriminator-encoder adapters",
        "extra_likelihood": "--algorithm extra_likelihood",
        "iqlearn": "--algorithm iqlearn",
        "selection": "--algorithm selection",
        "clip": "--objective clip --ppo-epochs 2 --old-log-probs recomputed --reward-form logit",
    },
}


def main() -> int:
    options = _parser().parse_args()
    wanted = [(package, name) for package, variants in VARIANTS.items() for name in variants]
    if options.only:
        wanted = [each for each in wanted if "/".join(each) in options.only or each[0] in options.only]
    with ThreadPoolExecutor(options.processes) as pool, tempfile.TemporaryDirectory() as folder:
        runs = pool.map(lambda each: fingerprint(*each, options.checkout, Path(folder)), wanted)
        found = {}
        for (package, name), value in zip(wanted, runs, strict=True):
            found[f"{package}/{name}"] = value
            print(f"{package}/{name}: {value[:16]}", flush=True)
    if options.action == "record":
        options.file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.file}")
        return 0
    before = json.loads(options.file.read_text(encoding="utf-8"))
    other = [name for name, value in found.items() if before.get(name) != value]
    print(
        f"{len(found) - len(other)} of {len(found)} have the same bits" + (f"; not: {', '.join(other)}" * bool(other))
    )
    return int(bool(other))


def fingerprint(package: str, name: str, checkout: Path, folder: Path) -> str:
    """Train one variant with the code of a checkout. Return the SHA-256 of its weights and metrics."""
    run = folder / package / name
    command = [sys.executable, "-m", f"{package}.train", "--preset", "tiny", "--seed", "0", "--run", str(run)]
    done = subprocess.run(
        [*command, *VARIANTS[package][name].split()],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{package}/{name}: {done.stderr or done.stdout}")
    digest = hashlib.sha256()
    with h5py.File(run / "bot.h5") as file:
        arrays = []
        file["arrays"].visititems(lambda path, node: arrays.append(path) if isinstance(node, h5py.Dataset) else None)
        for path in sorted(arrays):
            digest.update(path.encode())
            digest.update(file["arrays"][path][()].tobytes())
    with (run / "log.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            digest.update(json.dumps({key: row[key] for key in sorted(row) if key not in WALL_CLOCK}).encode())
    return digest.hexdigest()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.same_bits", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path, metavar="FILE", help="the fingerprints, as JSON")
    parser.add_argument("--checkout", type=Path, default=HERE, metavar="DIR", help="the code that trains [this one]")
    names = [*VARIANTS, *(f"{package}/{name}" for package, variants in VARIANTS.items() for name in variants)]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="a package, or package/variant [all]")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="trainings at a time [2]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
