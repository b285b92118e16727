"""`python -m keras_gca.evaluate`: what held-out conversations say about the generators of one run or several."""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_gca import command_line

if TYPE_CHECKING:
    import numpy as np

    from keras_gca.agent import Agent, Decoding
    from keras_gca.pairs import Dataset

DESCRIPTION = """\
Measures the generators of a run on its held-out pairs; several runs (seeds) give mean and standard deviation.

perplexity   exp of the total negative log-likelihood over the total of tokens, EOS counted; beside a trigram model
             (interpolated Kneser-Ney, NLTK's) fitted to the same training answers, measured on the same tokens
replies      diversity, length, repeated replies, entropy, BLEU and word-vector similarities, beside the human replies'
Table 1      whose answer the discriminator takes for human (Eq. 10, ties left out): the run's own, and an independent
             one, trained afresh on human answers and those of all generators

The results are also written to RUN/evaluation.json.
"""

DISCOUNTS = (0.1, 0.75)  # NLTK's default, and one that suits small corpora better
BATCH = 32
DECODING_BATCH = 128


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.agent import Agent, Decoding
        from keras_gca.run_folder import RunFolder

    decoding = Decoding(options.temperature, beam=options.beam)
    results = []
    for path in options.runs:
        run = RunFolder.open(path)
        results.append(evaluate(Agent.load(run.path), run.dataset(), decoding, options.seed))
        target = run.path / "evaluation.json"
        target.write_text(json.dumps(results[-1], indent=2) + "\n", encoding="utf-8")
    print(f"{', '.join(map(str, options.runs))}: {_mean([r['tokens'] for r in results], ',.0f')} held-out tokens, "
          f"{_mean([r['unknown_share'] for r in results], '.2%')} of them the unknown word")  # fmt: skip
    for section in ("perplexity", "replies", "table_1"):
        print("\n" + _section(section, results))
    print(f"\nwrote {', '.join(str(path / 'evaluation.json') for path in options.runs)}")
    return 0


def evaluate(agent: "Agent", dataset: "Dataset", decoding: "Decoding | None" = None, seed: int = 0) -> dict[str, Any]:
    """All figures of one run, for JSON.

    decoding: how the generators answer the held-out contexts; greedily if None. seed: of the independent
    discriminator, and of sampling.
    """
    import numpy as np

    from keras_gca.adversarial_evaluation import independent_judge, judge
    from keras_gca.agent import Decoding
    from keras_gca.baselines.trigram import TrigramModel
    from keras_gca.vocabulary import UNK

    held_out = dataset.validation
    perplexity = agent.perplexities(held_out, BATCH)
    for discount in DISCOUNTS:
        trigram = TrigramModel(dataset.training.answers, len(agent.vocabulary), discount)
        perplexity[f"Kneser-Ney trigram, discount {discount}"] = trigram.perplexity(held_out.answers)
    answers = {
        name: answers_to(agent, name, held_out.contexts, decoding or Decoding(), seed) for name in agent.generators
    }
    judges = {"own": agent, "independent": independent_judge(agent, dataset.training, seed)}
    return {
        "tokens": held_out.tokens,
        "unknown_share": float(np.count_nonzero(held_out.answers == UNK) / held_out.tokens),
        "perplexity": perplexity,
        "replies": _figures(agent, {"human": held_out.answers, **answers}),
        "table_1": {name: judge(each, held_out, answers)._asdict() for name, each in judges.items()},
    }


def answers_to(agent: "Agent", name: str, contexts: "np.ndarray", decoding: "Decoding", seed: int) -> "np.ndarray":
    """One generator's answers to many contexts: (n, s_s + 1) int32."""
    import numpy as np

    starts = range(0, len(contexts), DECODING_BATCH)
    parts = [agent.decode(name, contexts[i : i + DECODING_BATCH], decoding, seed + i).answers for i in starts]
    return np.concatenate(parts)


def _figures(agent: "Agent", answers: "dict[str, np.ndarray]") -> dict[str, dict[str, float | str]]:
    """The figures of each system's replies; "human" is the reference."""
    from keras_gca import metrics
    from keras_gca.text import detokenise

    vocabulary = agent.vocabulary
    vectors = dict(zip(vocabulary.tokens, agent.discriminator[0], strict=True))
    replies = {name: [vocabulary.decode(row[1:]) for row in rows] for name, rows in answers.items()}
    texts = {name: [detokenise(tokens, vocabulary.surfaces) for tokens in each] for name, each in replies.items()}
    figures = {}
    for name, each in replies.items():
        score, signature = metrics.bleu(texts[name], texts["human"])
        similarities = metrics.embedding_similarities(each, replies["human"], vectors)
        figures[name] = {
            "distinct-1": metrics.distinct(each, 1),
            "distinct-2": metrics.distinct(each, 2),
            "tokens": metrics.mean_length(each),
            "repeated": metrics.repeated(each),
            "entropy, bits": metrics.entropy(each),
            "BLEU": score,
            **{f"vectors, {kind}": value for kind, value in similarities.items()},
            "BLEU signature": signature,
        }
    return figures


# Printing


def _section(name: str, results: Sequence[dict[str, Any]]) -> str:
    if name == "perplexity":
        rows = [[title, _mean([r["perplexity"][title] for r in results], ".2f")] for title in results[0]["perplexity"]]
        return _columns([["perplexity", ""], *rows])
    if name == "replies":
        systems = results[0]["replies"]
        titles = [title for title in systems["human"] if title != "BLEU signature"]
        rows = [
            [system, *(_mean([r["replies"][system][title] for r in results], ".3g") for title in titles)]
            for system in systems
        ]
        signature = systems["human"]["BLEU signature"]
        return _columns([["replies", *titles], *rows]) + f"\nBLEU: {signature}"
    rows = []
    for judge, judgement in results[0]["table_1"].items():
        for system in judgement["wins"]:
            wins = [r["table_1"][judge]["wins"][system] for r in results]
            share = [w / max(1, sum(r["table_1"][judge]["wins"].values())) for w, r in zip(wins, results, strict=True)]
            score = [r["table_1"][judge]["scores"][system] for r in results]
            rows.append([judge, system, _mean(wins, ".0f"), _mean(share, ".2%"), _mean(score, ".3f")])
        rows.append([judge, "tie", _mean([r["table_1"][judge]["ties"] for r in results], ".0f"), "", ""])
        human = [r["table_1"][judge]["scores"]["human"] for r in results]
        rows.append([judge, "human", "", "", _mean(human, ".3f")])
    return _columns([["discriminator", "answers of", "best (Table 1)", "share", "mean score (Eq. 10)"], *rows])


def _mean(values: Sequence[float], form: str) -> str:
    """The mean, and the standard deviation where there are several values."""
    text = format(statistics.fmean(values), form)
    return text if len(values) == 1 else f"{text} ± {format(statistics.stdev(values), form)}"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    rows = [[cell.replace("_", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m keras_gca.evaluate", description=DESCRIPTION)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders; several are averaged")
    parser.add_argument("--temperature", type=float, metavar="X", help="sample the replies; greedy if not given")
    parser.add_argument("--beam", type=int, metavar="N", help="replies by a beam search of this width")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the independent discriminator and sampling"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
