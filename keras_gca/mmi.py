"""`python -m keras_gca.mmi`: reranking by maximum mutual information (Li et al. 2016).

"A Diversity-Promoting Objective Function for Neural Conversation Models" chooses, from the N-best list of a beam search
for an answer y to a context x, the answer with the highest

    anti-language model   log p(y|x) - lambda * log U(y) + gamma * N      U: p(y) of the first k words alone
    bidirectional         (1 - lambda) * log p(y|x) + lambda * log p(x|y) + gamma * N

where N is the number of tokens. p(y) and p(x|y) are networks of their own, of the same form: runs trained with
`--predict unconditional` and `--predict context`.
"""

import argparse
import json
import sys
from pathlib import Path

from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.evaluation.reranking import SHOWN, candidates, measure
from keras_gca.evaluation.tables import columns

DESCRIPTION = """\
Reranks the N-best lists of a run's held-out contexts by maximum mutual information, both forms of Li et al. 2016, and
measures the chosen replies beside those of plain beam search and of people. Writes RUN/mmi.json.

  python -m keras_gca.train --run R ...                                                   the run
  python -m keras_gca.train --run U --predict unconditional --adversarial-epochs 0 ...    its p(y), the same settings
  python -m keras_gca.train --run B --predict context --adversarial-epochs 0 ...          its p(x|y)
  python -m keras_gca.mmi R --language-model U --backward B
"""

WEIGHTS = (0.25, 0.5)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if not all(0 <= weight < 1 for weight in options.weights):
        raise UserError(f"--weights {options.weights}: values from 0 to below 1 are expected")
    with command_line.quiet_imports():
        from keras_gca.agent import Agent
        from keras_gca.training.run_folder import GCARun

    run = GCARun.open(options.run)
    agent = Agent.load(run.path)
    generator = options.generator or agent.generators[0]
    if generator not in agent.generators:
        raise UserError(f"--generator {generator}: {run.path} has {' and '.join(agent.generators)}")
    others = {}
    for name, path, predict in (
        ("--language-model", options.language_model, "unconditional"),
        ("--backward", options.backward, "context"),
    ):
        others[name] = other = Agent.load(path)
        if other.config.predict != predict:
            raise UserError(f"{name} {path}: a run of --predict {predict} is expected, not of {other.config.predict}")
        if other.vocabulary.tokens != agent.vocabulary.tokens:
            raise UserError(f"{name} {path}: its vocabulary is not that of {run.path}; train both on the same data")
    choices = candidates(agent, generator, *others.values(), run.dataset().validation, options.candidates)
    figures = measure(agent, choices, run.dataset().validation, options.weights, options.words, options.length_bonus)
    rows = [
        ["replies", *SHOWN],
        *([name, *(f"{each[title]:.3g}" for title in SHOWN)] for name, each in figures.items()),
    ]
    print(columns(rows))
    target = run.path / "mmi.json"
    target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"\nwrote {target}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m keras_gca.mmi", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="the run whose N-best lists are reranked")
    parser.add_argument("--language-model", type=Path, required=True, metavar="RUN", help="p(y)")
    parser.add_argument("--backward", type=Path, required=True, metavar="RUN", help="p(x|y)")
    parser.add_argument("--generator", metavar="NAME", help="teacher_forcing (if not given) or adversarial")
    parser.add_argument(
        "--candidates", type=command_line.at_least_one, default=20, metavar="N", help="length of the lists [20]"
    )
    parser.add_argument("--weights", type=float, nargs="+", default=WEIGHTS, metavar="X", help=f"lambda {WEIGHTS}")
    parser.add_argument(
        "--words", type=command_line.at_least_one, default=5, metavar="N", help="words that U counts [5]"
    )
    parser.add_argument("--length-bonus", type=float, default=0.0, metavar="X", help="gamma, for each token [0]")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "mmi"))
