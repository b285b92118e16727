"""What held-out conversations say about the generators of a run: perplexity, replies, Table 1 by discriminators."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keras_gca.evaluation.tables import columns

if TYPE_CHECKING:
    import numpy as np

    from keras_gca.agent import Agent, Decoding
    from keras_gca.data.dataset import Dataset


DISCOUNTS = (0.1, 0.75)  # NLTK's default, and one that suits small corpora better
BATCH = 32
DECODING_BATCH = 128
OWN_VECTORS = "the run's own"


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

    from keras_gca.agent import Decoding
    from keras_gca.data.vocabulary import UNK
    from keras_gca.evaluation.judges import independent_judge, judge
    from keras_gca.evaluation.trigram import TrigramModel

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
    from keras_gca.data.text import detokenise
    from keras_gca.evaluation import reply_metrics

    vocabulary = agent.vocabulary
    if vectors is None:
        vectors = dict(zip(vocabulary.tokens, agent.discriminator[0], strict=True))
    replies = {name: [vocabulary.decode(row[1:]) for row in rows] for name, rows in answers.items()}
    texts = {name: [detokenise(tokens, vocabulary.surfaces) for tokens in each] for name, each in replies.items()}
    figures = {}
    for name, each in replies.items():
        score, signature = reply_metrics.bleu(texts[name], texts["human"])
        similarities = reply_metrics.embedding_similarities(each, replies["human"], vectors)
        figures[name] = {
            "distinct-1": reply_metrics.distinct(each, 1),
            "distinct-2": reply_metrics.distinct(each, 2),
            "tokens": reply_metrics.mean_length(each),
            "repeated": reply_metrics.repeated(each),
            "most frequent": reply_metrics.most_frequent(each),
            "entropy, bits": reply_metrics.entropy(each),
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
