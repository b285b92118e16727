"""`python -m keras_gca.baselines.mmi`: reranking by maximum mutual information (Li et al. 2016).

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
from typing import TYPE_CHECKING, Any

from keras_gca import command_line
from keras_gca.aggregate import columns
from keras_gca.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from keras_gca.agent import Agent
    from keras_gca.pairs import Pairs

DESCRIPTION = """\
Reranks the N-best lists of a run's held-out contexts by maximum mutual information, both forms of Li et al. 2016, and
measures the chosen replies beside those of plain beam search and of people. Writes RUN/mmi.json.

  python -m keras_gca.train --run R ...                                                   the run
  python -m keras_gca.train --run U --predict unconditional --adversarial-epochs 0 ...    its p(y), the same settings
  python -m keras_gca.train --run B --predict context --adversarial-epochs 0 ...          its p(x|y)
  python -m keras_gca.baselines.mmi R --language-model U --backward B
"""

WEIGHTS = (0.25, 0.5)
BATCH = 64
SHOWN = ("distinct-1", "distinct-2", "tokens", "repeated", "most frequent", "entropy, bits", "BLEU")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if not all(0 <= weight < 1 for weight in options.weights):
        raise UserError(f"--weights {options.weights}: values from 0 to below 1 are expected")
    with command_line.quiet_imports():
        from keras_gca.agent import Agent
        from keras_gca.run_folder import GCARun

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


def candidates(
    agent: "Agent", generator: str, language_model: "Agent", backward: "Agent", pairs: "Pairs", width: int
) -> dict[str, "np.ndarray"]:
    """N-best lists for the contexts of `pairs`, and what three networks hold of each candidate.

    Returns "answers", (n, width, s_s + 1) int32, the beam's favourite (by log p(y|x) a token) first; "forward" and
    "backward", (n, width) float32, log p(y|x) and log p(x|y); "alone", (n, width, s_s) float32, log p of each token of
    y without a context, NaN after the end.
    """
    import numpy as np

    from keras_gca import pairs as transformations
    from keras_gca.agent import Decoding
    from keras_gca.pairs import Pairs

    parts = []
    for start in range(0, len(pairs), BATCH):
        contexts = pairs.contexts[start : start + BATCH]
        found = agent.n_best(generator, contexts, Decoding(beam=width))
        rows = found.answers.reshape(-1, found.answers.shape[-1])
        flat = Pairs(np.repeat(contexts, width, axis=0), rows, np.zeros(len(rows), np.int32))
        shape = found.answers.shape[:2]
        alone = language_model.token_log_probabilities(transformations.unconditional(flat))
        reverse = backward.token_log_probabilities(transformations.backward(flat))
        parts.append(
            {
                "answers": found.answers,
                "forward": found.log_probabilities,
                "backward": np.nansum(reverse, axis=-1).reshape(shape),
                "alone": alone.reshape(*shape, -1),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def anti_language_model(
    choices: dict[str, "np.ndarray"], weight: float, words: int, length_bonus: float
) -> "np.ndarray":
    """log p(y|x) - weight * (log p of y's first `words` tokens without a context) + length_bonus * N: (n, width)."""
    import numpy as np

    penalty = np.nansum(choices["alone"][..., :words], axis=-1)
    return choices["forward"] - weight * penalty + length_bonus * _tokens(choices)


def bidirectional(choices: dict[str, "np.ndarray"], weight: float, length_bonus: float) -> "np.ndarray":
    """(1 - weight) * log p(y|x) + weight * log p(x|y) + length_bonus * N: (n, width)."""
    both = (1 - weight) * choices["forward"] + weight * choices["backward"]
    return both + length_bonus * _tokens(choices)


def _tokens(choices: dict[str, "np.ndarray"]) -> "np.ndarray":
    import numpy as np

    return np.sum(~np.isnan(choices["alone"]), axis=-1)


def measure(
    agent: "Agent",
    choices: dict[str, "np.ndarray"],
    pairs: "Pairs",
    weights: tuple[float, ...],
    words: int,
    length_bonus: float,
) -> dict[str, dict[str, Any]]:
    """The figures (see `evaluate.reply_figures`) of the human replies, of plain beam search, and of both forms."""
    import numpy as np

    from keras_gca.evaluate import reply_figures

    chosen = {"human": pairs.answers, "beam search": choices["answers"][:, 0]}
    for weight in weights:
        for name, scores in (
            ("anti-language model", anti_language_model(choices, weight, words, length_bonus)),
            ("bidirectional", bidirectional(choices, weight, length_bonus)),
        ):
            best = np.argmax(scores, axis=1)
            chosen[f"{name}, lambda {weight:g}"] = choices["answers"][np.arange(len(best)), best]
    return reply_figures(agent, chosen)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m keras_gca.baselines.mmi", description=DESCRIPTION)
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
