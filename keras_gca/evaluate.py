"""`python -m keras_gca.evaluate`: held-out perplexity of a run's generators, beside a Kneser-Ney trigram's."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keras_gca import command_line

if TYPE_CHECKING:
    from keras_gca.agent import Agent
    from keras_gca.pairs import Dataset

DESCRIPTION = """\
Perplexity on a run's held-out pairs: exp of the total negative log-likelihood over the total of tokens, EOS counted.
The trigram model (interpolated Kneser-Ney, NLTK's) is fitted to the same training answers and measured on the same
tokens. The results are also written to RUN/evaluation.json.
"""

DISCOUNTS = (0.1, 0.75)  # NLTK's default, and one that suits small corpora better
BATCH = 32


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.agent import Agent
        from keras_gca.run_folder import RunFolder
    run = RunFolder.open(options.run)
    dataset, agent = run.dataset(), Agent.load(run.path)
    results = evaluate(agent, dataset)
    print(f"{run.path}: {results['tokens']:,} held-out tokens, {results['unknown_share']:.2%} of them the unknown word")
    print("perplexity")
    for name, value in results["perplexity"].items():
        print(f"  {name:40} {value:8.2f}")
    target = run.path / "evaluation.json"
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {target}")
    return 0


def evaluate(agent: "Agent", dataset: "Dataset") -> dict:
    """Perplexities of all generators and of the trigram, on the held-out pairs."""
    import numpy as np

    from keras_gca.baselines.trigram import TrigramModel
    from keras_gca.vocabulary import UNK

    held_out = dataset.validation
    perplexity = {name.replace("_", " "): value for name, value in agent.perplexities(held_out, BATCH).items()}
    for discount in DISCOUNTS:
        trigram = TrigramModel(dataset.training.answers, len(agent.vocabulary), discount)
        perplexity[f"Kneser-Ney trigram, discount {discount}"] = trigram.perplexity(held_out.answers)
    return {
        "tokens": held_out.tokens,
        "unknown_share": float(np.count_nonzero(held_out.answers == UNK) / held_out.tokens),
        "perplexity": perplexity,
    }


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m keras_gca.evaluate", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
