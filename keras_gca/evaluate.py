"""`python -m keras_gca.evaluate`: what held-out conversations say about the generators of one run or several."""

import argparse
import json
import sys
from pathlib import Path

from keras_gca.engine import command_line, reporting

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


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.agent import Decoding
        from keras_gca.evaluation import replies, statistics

    decoding = Decoding(options.temperature, beam=options.beam)
    figures = replies.evaluate_runs(options.runs, decoding, options.seed, options.glove)
    print(replies.report(options.runs, figures))
    written = [path / replies.FILE for path in options.runs]
    if options.summary:
        options.summary.write_text(json.dumps(statistics.as_json(figures), indent=2) + "\n", encoding="utf-8")
        written.append(options.summary)
    print(f"\nwrote {', '.join(map(str, written))}")
    return 0


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
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
