"""`python -m keras_gca.evaluate`: what held-out conversations say about the generators of one run or several."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_gca import command_line
from keras_gca.aggregate import as_json, columns, over_runs

if TYPE_CHECKING:
    import numpy as np

    from keras_gca.agent import Agent, Decoding
    from keras_gca.pairs import Dataset

DESCRIPTION = """\
Measures the generators of a run on its held-out pairs; several runs (seeds) give mean and standard deviation, and
with --summary a 95 % confidence interval of the mean (Student's t) as well.

perplexity   exp of the total negative log-likelihood over the total of tokens, EOS counted; beside a trigram model
             (interpolated Kneser-Ney, NLTK's) fitted to the same training answers, measured on the same tokens
replies      diversity, length, repeated replies, the share of the most frequent one, entropy, BLEU and similarities by
             word vectors (--glove, or the run's own), beside the human replies'
Table 1      whose answer the discriminator takes for human (Eq. 10, ties left out): the run's own, and an independent
             one, trained afresh on human answers and those of all generators; then what choosing by Eq. 9 and by
             Eq. 10 does: how often the shorter answer wins, and how often the human answer is put above a machine's

The results are also written to RUN/evaluation.json.
"""

DISCOUNTS = (0.1, 0.75)  # NLTK's default, and one that suits small corpora better
BATCH = 32
DECODING_BATCH = 128
OWN_VECTORS = "the run's own"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        import glove
        from keras_gca.agent import Agent, Decoding
        from keras_gca.run_folder import GCARun

    decoding = Decoding(options.temperature, beam=options.beam)
    results = []
    for path in options.runs:
        run = GCARun.open(path)
        agent = Agent.load(run.path)
        vectors = None
        if options.glove:
            found = glove.read_vectors(options.glove, list(agent.vocabulary.counts))
            vectors = dict(zip(found.words, found.matrix, strict=True))
        results.append(evaluate(agent, run.dataset(), decoding, options.seed, vectors))
        results[-1]["vectors"] = str(options.glove or OWN_VECTORS)
        target = run.path / "evaluation.json"
        target.write_text(json.dumps(results[-1], indent=2) + "\n", encoding="utf-8")
    summary = over_runs(results)
    print(f"{', '.join(map(str, options.runs))}: {summary['tokens']:,.0f} held-out tokens, "
          f"{summary['unknown_share']:.2%} of them the unknown word")  # fmt: skip
    for section in _sections(summary):
        print("\n" + section)
    written = [path / "evaluation.json" for path in options.runs]
    if options.summary:
        options.summary.write_text(json.dumps(as_json(summary), indent=2) + "\n", encoding="utf-8")
        written.append(options.summary)
    print(f"\nwrote {', '.join(map(str, written))}")
    return 0


def evaluate(
    agent: "Agent",
    dataset: "Dataset",
    decoding: "Decoding | None" = None,
    seed: int = 0,
    vectors: "Mapping[str, np.ndarray] | None" = None,
) -> dict[str, Any]:
    """All figures of one run, for JSON.

    decoding: how the generators answer the held-out contexts; greedily if None. seed: of the independent
    discriminator, and of sampling. vectors: of words, {word: (size,)}, for the similarities; None: the run's own.
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
        "replies": reply_figures(agent, {"human": held_out.answers, **answers}, vectors),
        "table_1": {name: judge(each, held_out, answers) for name, each in judges.items()},
    }


def answers_to(agent: "Agent", name: str, contexts: "np.ndarray", decoding: "Decoding", seed: int) -> "np.ndarray":
    """One generator's answers to many contexts: (n, s_s + 1) int32."""
    import numpy as np

    starts = range(0, len(contexts), DECODING_BATCH)
    parts = [agent.decode(name, contexts[i : i + DECODING_BATCH], decoding, seed + i).answers for i in starts]
    return np.concatenate(parts)


def reply_figures(
    agent: "Agent", answers: "dict[str, np.ndarray]", vectors: "Mapping[str, np.ndarray] | None" = None
) -> dict[str, dict[str, float | str]]:
    """The figures of each system's replies to the same contexts, {system: (n, s_s + 1) int32}.

    "human" is one of the systems, and the reference of the others. vectors: as for `evaluate`.
    """
    from keras_gca import metrics
    from keras_gca.text import detokenise

    vocabulary = agent.vocabulary
    if vectors is None:
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
            "most frequent": metrics.most_frequent(each),
            "entropy, bits": metrics.entropy(each),
            "BLEU": score,
            **{f"vectors, {kind}": value for kind, value in similarities.items()},
            "BLEU signature": signature,
        }
    return figures


# Printing


def _sections(summary: dict[str, Any]) -> Iterator[str]:
    """The tables for people, of figures over runs."""
    yield columns([["perplexity", ""], *([name, f"{value:.2f}"] for name, value in summary["perplexity"].items())])

    systems = summary["replies"]
    titles = [title for title in systems["human"] if title != "BLEU signature"]
    rows = [[_name(system), *(f"{values[title]:.3g}" for title in titles)] for system, values in systems.items()]
    yield columns([["replies", *titles], *rows])
    yield f"BLEU: {systems['human']['BLEU signature']}; vectors: {summary['vectors']}"

    rows = [["discriminator", "answers of", "best (Table 1)", "share", "mean score (Eq. 10)"]]
    for judge, judgement in summary["table_1"].items():
        chosen = judgement["equations"]["Eq. 10"]
        for system, wins in chosen["wins"].items():
            share, score = chosen["shares"][system], judgement["scores"][system]
            rows.append([judge, _name(system), f"{wins:.0f}", f"{share:.2%}", f"{score:.3f}"])
        rows.append([judge, "tie", f"{chosen['ties']:.0f}", "", ""])
        rows.append([judge, "human", "", "", f"{judgement['scores']['human']:.3f}"])
    yield columns(rows)

    rows = [["discriminator", "choice by", "ties", "the shorter answer wins", "human answer above the machine's"]]
    for judge, judgement in summary["table_1"].items():
        for equation, chosen in judgement["equations"].items():
            figures = [f"{chosen[key]:.1%}" for key in ("shorter", "human_first")]
            rows.append([judge, equation, f"{chosen['ties']:.0f}", *figures])
    yield columns(rows)


def _name(system: str) -> str:
    return system.replace("_", " ")


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m keras_gca.evaluate", description=DESCRIPTION)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders; several are averaged")
    parser.add_argument("--temperature", type=float, metavar="X", help="sample the replies; greedy if not given")
    parser.add_argument("--beam", type=int, metavar="N", help="replies by a beam search of this width")
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="word vectors for the similarities; the run's own if not given"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the figures over all runs as JSON")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the independent discriminator and sampling"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
