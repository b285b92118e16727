r"""Shows whether bots reply better to prompts that resemble a message in the training corpus.

`nearest` is a control that needs no training. It answers each prompt with the answer to the most similar context in a
run's training pairs, as measured by an independent encoder. `similarity` then relates the judgements of all systems'
replies to each prompt's similarity to its nearest context.

    python -m benchmarks.coverage nearest docs/judging/first_messages.csv RUN --output replies/nearest.csv \
        --similarities similar.csv
    python -m benchmarks.judging sheets replies/*.csv --folder sheets
    python -m benchmarks.coverage similarity sheets similar.csv --experiment similarity.json
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.judging import REPLY, ROW, Table, judgements, read, read_sheets, write
from gail_tf.base_models.known_models import ENCODER
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import UNK
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance
from keras_gca.evaluation.tables import Table as Compared
from keras_gca.training.run_folder import GCARun

SIMILARITY = "similarity"  # the column with the cosine similarity of the most similar context
THIRDS = ("lowest third", "middle third", "highest third")


class Nearest(NamedTuple):
    """The most similar context for each of n prompts.

    Attributes:
        rows: The indices of the contexts, shape (n,) and dtype int64.
        similarities: The cosine similarities, shape (n,) and dtype float32.
    """

    rows: np.ndarray
    similarities: np.ndarray


def nearest(prompts: np.ndarray, contexts: np.ndarray) -> Nearest:
    """Find the context most similar to each prompt, or the first of several equally similar contexts.

    Args:
        prompts: A vector of norm 1 for each prompt, shape (n, E) and dtype float32.
        contexts: A vector of norm 1 for each context, shape (m, E) and dtype float32.
    """
    cosines = prompts @ contexts.T
    rows = cosines.argmax(axis=1)
    return Nearest(rows, cosines[np.arange(len(rows)), rows])


def accepted(sheets: dict[str, Table], key: Table) -> dict[str, np.ndarray]:
    """For each system, return a bool array that is true at the prompts whose replies every reader accepts.

    Args:
        sheets: The completed sheet of each reader.
        key: The rows of `key.csv`.

    Raises:
        UserError: A judgement is neither 0 nor 1.
    """
    judged = judgements(sheets)
    count = max(int(row["prompt"]) for row in key)
    systems = {row["system"]: np.ones(count, bool) for row in key}
    for row in key:
        systems[row["system"]][int(row["prompt"]) - 1] &= judged[row["reader"], row[ROW]] == 1
    return systems


def compare(replies: dict[str, np.ndarray], similarities: np.ndarray) -> Compared:
    """Relate the judgements of each system's replies to the similarity of the prompts to the training corpus.

    Args:
        replies: Which replies are accepted, as returned by `accepted`, for n prompts.
        similarities: The similarity of each prompt to its nearest training context, shape (n,).

    Returns:
        A table with one row per system. The prompts are divided into thirds of low, middle and high similarity; each
        row contains the number of accepted replies in each third, and Spearman's rank correlation of similarity and
        judgement.
    """
    thirds = np.array_split(np.argsort(similarities, kind="stable"), len(THIRDS))
    limits = [f"{similarities[rows].min():.2f} to {similarities[rows].max():.2f}" for rows in thirds]
    header = [f"{third} ({limit})" for third, limit in zip(THIRDS, limits, strict=True)]
    rows = [
        [
            system,
            *(f"{good[third].sum()} of {len(third)}" for third in thirds),
            f"{stats.spearmanr(similarities, good).statistic:+.2f}",
        ]
        for system, good in replies.items()
    ]
    return Compared(None, "", ["accepted by both readers", *header, "Spearman"], rows)


def main(arguments: list[str] | None = None) -> int:
    """Run one command, and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    options.command = provenance.command_of("benchmarks.coverage", given)
    return options.run(options)


def _nearest(options: argparse.Namespace) -> int:
    from gail_tf.base_models.locate import locate
    from gail_tf.evaluation.sentence_encoder import SentenceEncoder

    prompts = read(options.prompts)
    dataset = GCARun.open(options.run_folder, "read").dataset()
    vocabulary, training = dataset.vocabulary, dataset.training
    known = [row for row in range(len(training)) if UNK not in training[row : row + 1].answers]
    texts = [detokenise(vocabulary.decode_context(training.contexts[row]), vocabulary.surfaces) for row in known]
    encoder = SentenceEncoder.read(locate(ENCODER, options.yes))
    found = nearest(encoder([next(iter(row.values())) for row in prompts]), encoder(texts))
    rows = []
    for prompt, index, similarity in zip(prompts, found.rows, found.similarities, strict=True):
        answer = detokenise(vocabulary.decode(training.answers[known[index]]), vocabulary.surfaces)
        rows.append({**prompt, SIMILARITY: f"{similarity:.4f}", "context": texts[index], REPLY: answer})
        print(f"{next(iter(prompt.values()))}\n    {similarity:.2f} {texts[index]}\n    {answer}")
    write(options.similarities, rows)
    write(options.output, [{name: row[name] for name in (*prompts[0], REPLY)} for row in rows])
    print(f"wrote {options.output} and {options.similarities}")
    return 0


def _similarity(options: argparse.Namespace) -> int:
    sheets, key = read_sheets(options.folder)
    similarities = np.array([float(row[SIMILARITY]) for row in read(options.similarities)])
    good = accepted(sheets, key)
    if any(len(replies) != len(similarities) for replies in good.values()):
        raise UserError(
            f"{options.similarities}: the file has {len(similarities)} prompts; the sheets have a different number"
        )
    table = compare(good, similarities)
    print(table.to_markdown())
    results = {
        "similarities": similarities.tolist(),
        "accepted": {system: replies.astype(int).tolist() for system, replies in good.items()},
    }
    provenance.write_if_asked(options.experiment, options.command, provenance.Outcome({}, results, [table]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m benchmarks.coverage",
        description="Relate the judgements of replies to the similarity of the prompts to the training corpus.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    finding = commands.add_parser("nearest", help="answer prompts with the answer to the most similar training context")
    finding.add_argument("prompts", type=Path, help="a CSV file whose first column contains the prompts")
    finding.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder of the first paper")
    finding.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file for the replies")
    finding.add_argument(
        "--similarities",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file for the contexts found and their similarities",
    )
    finding.add_argument("--yes", action="store_true", help=f"fetch {ENCODER} without asking")
    finding.set_defaults(run=_nearest)
    comparing = commands.add_parser("similarity", help="compare judgements with the similarity")
    comparing.add_argument("folder", type=Path, help="the folder with the completed sheets and the key")
    comparing.add_argument("similarities", type=Path, help="the file that `nearest` wrote with --similarities")
    reporting.add_experiment(comparing)
    comparing.set_defaults(run=_similarity)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "coverage"))
