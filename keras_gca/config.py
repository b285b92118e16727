"""One dataclass holds every number of a run; presets `paper`, `default` and `tiny`.

Each field names the paper's symbol or the place it comes from. A departure from the paper stands beside the value that
departs.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from keras_gca.errors import UserError


def _option(default: Any, help: str, low: float | None = None, high: float | None = None, choices: tuple = ()) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class Config:
    """All settings of a run. The defaults here are the paper's (Section 5); PRESETS lists what the others change.

    Raises UserError on an impossible value.
    """

    # Data
    context_utterances: int = _option(2, "N_u: previous utterances that form the context", low=1)
    sentence_length: int = _option(50, "s_s: the longest context, and the longest partial answer, in tokens", low=2)
    vocabulary_size: int = _option(7000, "s_v: the largest vocabulary, four special tokens included", low=5)
    minimum_count: int = _option(1, "rarer words become the unknown word, which is thereby learned too", low=1)
    contractions: str = _option(
        "split", "don't -> do n't (split, as in GloVe), or do not (expanded, as in the author's program)",
        choices=("split", "expanded"),
    )  # fmt: skip
    padding: str = _option(
        "masked", "masked: LSTMs skip the padding; original: it is the token \".\", as in the author's program",
        choices=("masked", "original"),
    )  # fmt: skip
    predict: str = _option(
        "answer", "answer: from its context, p(y|x), as in the paper; context: from its answer, p(x|y); unconditional: "
        "the answer alone, p(y). The last two serve MMI reranking (python -m keras_gca.baselines.mmi)",
        choices=("answer", "context", "unconditional"),
    )  # fmt: skip
    validation_fraction: float = _option(0.1, "share of the conversations held out", low=0.001, high=0.5)
    max_pairs: int | None = _option(None, "use only about so many context/answer pairs of the corpus", low=20)

    # Figures 1 and 2
    word_embedding_size: int = _option(100, "s_e: numbers in a word vector", low=1)
    sentence_embedding_size: int = _option(300, "s_se: units of the generator's two LSTMs", low=1)
    discriminator_sentence_embedding_size: int = _option(300, "s_sed: units of the discriminator's two LSTMs", low=1)
    generator: str = _option(
        "gca", "gca: Figure 1 (Eq. 6); canonical: the context only sets the decoder's initial state (Eq. 4-5)",
        choices=("gca", "canonical"),
    )  # fmt: skip
    hidden_size: int | None = _option(
        None, "units of the generator's hidden layer; half the vocabulary if not given", low=1
    )
    discriminator_hidden_size: int | None = _option(
        None, "units of a hidden layer (relu) before the discriminator's output; none in the paper", low=1
    )

    # Algorithm 2, line 3
    teacher_forcing_epochs: int = _option(100, "epochs of teacher forcing before the adversarial part", low=1)
    patience: int | None = _option(
        None, "end teacher forcing after so many epochs without a better validation, and return to the best", low=1
    )
    teacher_forcing_learning_rate: float = _option(5e-5, "Adam's rate, line 3", low=1e-9, high=1)
    learning_rate_decay: float = _option(1.0, "line 3's rate is multiplied by this after each epoch", low=0.01, high=1)
    batch_size: int = _option(12, "answers in a batch (12 hold about the original's 128 tokens)", low=1)
    dropout: float = _option(0.0, "share of word vectors' and e's numbers dropped in teacher forcing", low=0, high=0.95)
    average_epochs: float = _option(
        0.0, "line 3 ends with weights averaged over about so many of its last epochs; 0: with the last", low=0
    )
    hidden_dropout: float = _option(0.0, "share of the hidden layer's units dropped there", low=0, high=0.95)

    # Algorithm 2, lines 4 to 12
    algorithm: str = _option(
        "backpropagation", "backpropagation: through the frozen discriminator, token by token (the paper); reinforce: "
        "Li et al. 2017, a policy gradient with the reward of a discriminator of whole answers",
        choices=("backpropagation", "reinforce"),
    )  # fmt: skip
    adversarial_epochs: int = _option(15, "outer iterations, line 4 (15 in the author's program)", low=0)
    machine_pairs: int = _option(7900, "N_m: machine-generated pairs in each iteration, line 5", low=1)
    self_conversation_turns: int = _option(
        2,
        "answers per seed; 2 gives the paper's (x-, y-), 1 gives Li et al.'s (x+, y-), as reinforce always has",
        low=1,
    )
    discriminator_epochs: int = _option(15, "N_D, line 6", low=0)
    generator_epochs: int = _option(1, "N_G, line 9", low=0)
    interleaved_epochs: int = _option(1, "N_tf: epochs of teacher forcing, line 11", low=0)
    discriminator_learning_rate: float = _option(1e-4, "alpha_d: Adam's rate, line 6", low=1e-9, high=1)
    generator_learning_rate: float = _option(5e-5, "alpha_g: Adam's rate, line 9", low=1e-9, high=1)
    interleaved_learning_rate: float = _option(5e-5, "Adam's rate, line 11", low=1e-9, high=1)
    adversarial_batch_size: int = _option(12, "answers in a batch of lines 6, 9 and 11", low=1)

    # The run
    precision: str = _option(
        "float32", "of the generator's two large matrix products in training; weights stay float32",
        choices=("float32", "bfloat16"),
    )  # fmt: skip
    seed: int = _option(0, "repeats a run exactly on the same machine", low=0, high=2**31 - 1)
    checkpoint_minutes: float = _option(5.0, "time between checkpoints inside an epoch", low=0)

    def __post_init__(self):
        for option in dataclasses.fields(self):
            _check(option, getattr(self, option.name))
        if self.generator == "canonical" and self.padding == "original":
            raise UserError("--generator canonical: the author's program has none; --padding masked is expected")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "Config":
        """A preset with some fields changed. Raises UserError for an unknown preset or field, or a bad value."""
        if name not in PRESETS:
            raise UserError(f"{name!r} is no preset; choose from {', '.join(PRESETS)}")
        unknown = set(changes) - {option.name for option in dataclasses.fields(cls)}
        if unknown:
            raise UserError(
                f"{sorted(unknown)[0]!r} is no setting; the settings are the fields of keras_gca.config.Config"
            )
        return cls(**{**PRESETS[name], **changes})

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        return cls.preset("paper", **json.loads(text))


# What a run that starts from another one's generator (`train --start-from`) may have otherwise: all that line 3 and the
# data do not depend on.
AFTER_LINE_3 = (
    "discriminator_sentence_embedding_size",
    "discriminator_hidden_size",
    "dropout",
    "hidden_dropout",
    "algorithm",
    "adversarial_epochs",
    "machine_pairs",
    "self_conversation_turns",
    "discriminator_epochs",
    "generator_epochs",
    "interleaved_epochs",
    "discriminator_learning_rate",
    "generator_learning_rate",
    "interleaved_learning_rate",
    "adversarial_batch_size",
    "precision",
    "checkpoint_minutes",
)

PRESETS: dict[str, dict[str, Any]] = {
    # Every number of Section 5. Its text gives one rate for the generator; it is used wherever G learns.
    "paper": {},
    # For the embedded corpus (6,000 pairs) on two CPU cores in a quarter of an hour; see docs/fidelity.md.
    "default": {
        "minimum_count": 2,
        "teacher_forcing_epochs": 13,
        "teacher_forcing_learning_rate": 1e-3,
        "learning_rate_decay": 0.92,
        "batch_size": 16,
        "dropout": 0.1,
        "hidden_dropout": 0.4,
        "average_epochs": 3.0,
        "adversarial_epochs": 3,
        "machine_pairs": 2000,
        "discriminator_epochs": 3,
        "discriminator_learning_rate": 1e-3,
        "generator_learning_rate": 2e-5,
        "interleaved_learning_rate": 1e-5,
        "adversarial_batch_size": 32,
    },
    # Seconds: for tests, and to try one's own data.
    "tiny": {
        "vocabulary_size": 500,
        "minimum_count": 2,
        "max_pairs": 200,
        "word_embedding_size": 16,
        "sentence_embedding_size": 24,
        "discriminator_sentence_embedding_size": 24,
        "teacher_forcing_epochs": 2,
        "teacher_forcing_learning_rate": 1e-2,
        "batch_size": 16,
        "adversarial_epochs": 1,
        "machine_pairs": 60,
        "discriminator_epochs": 2,
        "discriminator_learning_rate": 1e-2,
        "adversarial_batch_size": 32,
    },
}


def _check(option: dataclasses.Field, value: Any) -> None:
    low, high, choices = (option.metadata[key] for key in ("low", "high", "choices"))
    name = option.name.replace("_", "-")
    optional, kind = field_type(option)
    if value is None and optional:
        return
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise UserError(f"--{name}: {value!r} where {'a number' if kind is float else kind.__name__} is expected")
    if choices and value not in choices:
        raise UserError(f"--{name}: {value!r} is not one of {', '.join(choices)}")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise UserError(f"--{name}: {value} is out of range; {bounds} is expected")


def field_type(option: dataclasses.Field) -> tuple[bool, type]:
    """Whether a field may be None, and the type of its other values."""
    arguments = getattr(option.type, "__args__", (option.type,))
    return type(None) in arguments, next(kind for kind in arguments if kind is not type(None))
