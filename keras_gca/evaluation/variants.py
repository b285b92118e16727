"""Defines the training variants and reranking settings that the first paper's evaluations compare.

Importing this module is fast: it does not import TensorFlow.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras_gca.errors import UserError

# Studies

# The variants of a training run: for each, the settings that differ from the defaults.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "canonical": {"generator": "canonical"},
    "reinforce": {"algorithm": "reinforce"},
    "human_contexts": {"self_conversation_turns": 1},
    "hidden_discriminator": {"discriminator_hidden_size": 100},
    # This variant differs from `reinforce` only in the algorithm of line 9 and in the D that this algorithm needs.
    "sampled_human_contexts": {"self_conversation_turns": 1, "machine_temperature": 1.0},
    "one_utterance": {"context_utterances": 1},
    "two_utterances": {"context_utterances": 2},
    "three_utterances": {"context_utterances": 3},
    "five_utterances": {"context_utterances": 5},
    "dynamic_context": {"context_utterances": 3, "context_changes": "detect"},
    "persona": {"persona_size": 50},
    "topic_aware": {"topics": 20, "adversarial_epochs": 0},
    # The forward network is the generator of `default` after line 3.
    "seq2bf": {"keyword_epochs": 6, "adversarial_epochs": 0},
    "hierarchical_two": {"encoder": "hierarchical", "context_utterances": 2},
    "hierarchical_five": {"encoder": "hierarchical", "context_utterances": 5},
    "language_model": {"predict": "unconditional", "adversarial_epochs": 0},
    "backward": {"predict": "context", "adversarial_epochs": 0},
    "teacher_forced": {"context_utterances": 2, "adversarial_epochs": 0},
    # Two turns are the state, as in the paper. Nothing but the rewards changes the generator after line 3.
    "dialogue_rewards": {
        "algorithm": "dialogue_rewards",
        "adversarial_epochs": 4,
        "discriminator_epochs": 0,
        "interleaved_epochs": 0,
    },
    # All of these have the same vocabulary and the same held-out conversations.
    "pairs_5000": {"training_pairs": 5000, "adversarial_epochs": 0},
    "pairs_15000": {"training_pairs": 15_000, "adversarial_epochs": 0},
    "pairs_50000": {"training_pairs": 50_000, "adversarial_epochs": 0},
    "all_pairs": {"training_pairs": None, "adversarial_epochs": 0},
}
GROWTH = "growth"  # the study that compares the last four
DIALOGUE_REWARDS, BACKWARD = "dialogue_rewards", "backward"
PLAIN, LANGUAGE_MODEL, TOPIC_AWARE, SEQ2BF = "default", "language_model", "topic_aware", "seq2bf"

# The cells of the study `adversarial` are all combinations of these settings. Each cell starts from the generator of
# the variant TEACHER_FORCED. This variant has N_u = 2, because with N_u = 1, "author" and "utterances" would be the
# same.
TEACHER_FORCED = "teacher_forced"
FACTORS: dict[str, dict[str, dict[str, Any]]] = {
    "contexts of M": {
        "author": {"self_conversation_turns": 2, "machine_contexts": "answer"},
        "utterances": {"self_conversation_turns": 2, "machine_contexts": "utterances"},
        "human": {"self_conversation_turns": 1},
    },
    "answers of M": {
        "greedy": {"machine_temperature": None, "machine_top_p": 1.0},
        "sampled": {"machine_temperature": 1.0},
    },
    "D": {
        "linear": {"discriminator_hidden_size": None, "generator_tokens": "probabilities"},
        "hidden": {"discriminator_hidden_size": 100, "generator_tokens": "straight_through"},
    },
    "loss of G": {"squared": {"generator_loss": "squared"}, "log": {"generator_loss": "log"}},
}
CELLS: dict[str, dict[str, Any]] = {
    "_".join(values): {
        name: value
        for factor, chosen in zip(FACTORS, values, strict=True)
        for name, value in FACTORS[factor][chosen].items()
    }
    for values in itertools.product(*FACTORS.values())
}
ADVERSARIAL = "adversarial"  # the study that compares CELLS
QUESTION = "Is there a setting in which adversarial training beats teacher forcing at equal diversity?"


class Study(NamedTuple):
    """A research question, and the names of the variants that are compared to answer it."""

    question: str
    variants: tuple[str, ...]


STUDIES = {
    "architecture": Study("GCA or canonical seq2seq: which favours short, safe answers?", ("default", "canonical")),
    "training": Study("Teacher forcing or adversarial training?", ("default",)),
    "reinforce": Study(
        "Backpropagation through the discriminator, or REINFORCE?", ("sampled_human_contexts", "reinforce")
    ),
    "pairs": Study(
        "Machine-generated answers to generated contexts, or to human contexts?", ("default", "human_contexts")
    ),
    "selection": Study("Choice by Eq. 9, or by Eq. 10?", ("default",)),
    "context": Study("N_u = 1, 2 or 3 utterances of context?", ("one_utterance", "two_utterances", "three_utterances")),
    "dynamic_context": Study(
        "When the subject changes: N_u = 1, 2 or 3, or as many utterances as a detector of context changes allows?",
        ("one_utterance", "two_utterances", "three_utterances", "dynamic_context"),
    ),
    "persona": Study("Do speaker embeddings make a speaker's answers more probable and consistent?", ("persona",)),
    "encoder": Study(
        "One LSTM over the words of a context, or a hierarchical encoder, with N_u = 2 or 5 utterances?",
        ("two_utterances", "five_utterances", "hierarchical_two", "hierarchical_five"),
    ),
    "discriminator": Study("Discriminator of Eq. 8, or one with a hidden layer?", ("default", "hidden_discriminator")),
    "dialogue_rewards": Study(
        "Do rewards for simulated conversations (Li et al. 2016) make conversations longer and answers more diverse?",
        ("backward", "dialogue_rewards"),
    ),
    "topics": Study(
        "Are answers with topics (Xing et al. 2017) more diverse or relevant than plain ones and than those of MMI?",
        (PLAIN, LANGUAGE_MODEL, BACKWARD, TOPIC_AWARE),
    ),
    GROWTH: Study(
        "More training pairs: how does the held-out perplexity change, and that of a Kneser-Ney trigram model?",
        ("pairs_5000", "pairs_15000", "pairs_50000", "all_pairs"),
    ),
    "seq2bf": Study(
        "Are answers that are built around keywords (seq2BF, Mou et al. 2016) longer, more diverse or more relevant "
        "than plain ones, those with topics, and those of MMI?",
        (PLAIN, LANGUAGE_MODEL, BACKWARD, TOPIC_AWARE, SEQ2BF),
    ),
    "mmi": Study("Does MMI reranking make replies more diverse?", ("default", "language_model", "backward")),
}

# The studies with measurements of their own, which `--grid` does not extend.
WITHOUT_GRID = ("dynamic_context", "persona", "dialogue_rewards", "topics", "seq2bf", GROWTH, "mmi")


# Reranking

LENGTH_BONUSES = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)  # the values of gamma among which the best one is chosen


@dataclass(frozen=True)
class Reranking:
    """The settings for reranking N-best lists by maximum mutual information; see `reranking` for the formulas.

    Args:
        generator: The generator whose lists are reranked, or None for the first generator of the run.
        candidates: The number of answers in a list.
        weights: The values of lambda to compare. With lambda = 0, answers are ranked only by the likelihood and gamma,
            which shows the effect of gamma without the second network.
        words: k, the number of words of an answer from which U is computed.
        length_bonus: gamma, which is added for each token. If None, it is chosen from LENGTH_BONUSES for each form and
            lambda, on the validation conversations.

    Raises:
        UserError: A weight is out of range.
    """

    generator: str | None = None
    candidates: int = 20
    weights: Sequence[float] = (0.0, 0.25, 0.5)
    words: int = 5
    length_bonus: float | None = None

    def __post_init__(self) -> None:
        if not all(0 <= weight < 1 for weight in self.weights):
            raise UserError(f"--weights {self.weights}: values of at least 0 and less than 1 are expected")
