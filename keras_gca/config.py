"""One dataclass holds every setting of a run; presets `paper`, `default` and `tiny`.

Each field names the paper's symbol or the place it comes from. A departure from the paper is explained beside the value
that departs.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras_gca.errors import UserError
from keras_gca.settings import Settings, option

# The settings in which a run that starts from another one's generator (`train --start-from`) may differ from it: those
# that neither line 3 nor the data depend on.
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

# What a run that has begun may have otherwise (`train --resume`): new totals, of which a part is done.
TOTALS = ("teacher_forcing_epochs", "adversarial_epochs")

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
    # Takes seconds: for tests, and for trying one's own data.
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


@dataclass(frozen=True, init=False, repr=False)
class Config(Settings):
    """All settings of a run of the first paper.

    The defaults are the paper's numbers (Section 5); PRESETS lists what the other presets change.
    `python -m keras_gca.train --help` prints the meaning and the possible values of each field.

    Raises:
        UserError: A field has an impossible value.

    Examples:
        >>> from keras_gca import Config
        >>> Config()  # every number of the paper
        Config()
        >>> config = Config.preset("default", seed=1)
        >>> config.batch_size, config.teacher_forcing_epochs
        (16, 13)
        >>> Config(batch_size=16).changed(seed=3)  # what is printed differs from the paper
        Config(batch_size=16, seed=3)
        >>> Config(dropout=2)
        Traceback (most recent call last):
        keras_gca.errors.UserError: --dropout: 2 is out of range; from 0 to 0.95 is expected
    """

    # Data
    context_utterances: int = option(2, "N_u: previous utterances that form the context", low=1)
    sentence_length: int = option(
        50, "s_s: the longest context, and the longest partial answer, in tokens", low=2, high=10_000
    )
    vocabulary_size: int = option(
        7000, "s_v: the largest size of the vocabulary, four special tokens included", low=5, high=10_000_000
    )
    minimum_count: int = option(1, "rarer words become the unknown word, which is learned in this way", low=1)
    contractions: str = option(
        "split", "don't -> do n't (split, as in GloVe), or do not (expanded, as in the author's program)",
        choices=("split", "expanded"),
    )  # fmt: skip
    padding: str = option(
        "masked", "masked: LSTMs skip the padding; original: the token \".\" pads, as in the author's program",
        choices=("masked", "original"),
    )  # fmt: skip
    predict: str = option(
        "answer", "answer: predict the answer from its context, p(y|x), as in the paper; context: the context from its "
        "answer, p(x|y); unconditional: the answer alone, p(y). The last two serve MMI reranking (python -m "
        "keras_gca.mmi)",
        choices=("answer", "context", "unconditional"),
    )  # fmt: skip
    validation_fraction: float = option(0.1, "share of the conversations held out", low=0.001, high=0.5)
    max_pairs: int | None = option(None, "use only about this many context/answer pairs of the corpus", low=20)

    # Figures 1 and 2
    word_embedding_size: int = option(100, "s_e: dimension of the word vectors", low=1)
    sentence_embedding_size: int = option(300, "s_se: units of the generator's two LSTMs", low=1)
    discriminator_sentence_embedding_size: int = option(300, "s_sed: units of the discriminator's two LSTMs", low=1)
    generator: str = option(
        "gca", "gca: Figure 1 (Eq. 6); canonical: the context only sets the decoder's initial state (Eq. 4-5)",
        choices=("gca", "canonical"),
    )  # fmt: skip
    hidden_size: int | None = option(
        None, "units of the generator's hidden layer; half the vocabulary if not given", low=1
    )
    discriminator_hidden_size: int | None = option(
        None, "units of a hidden layer (relu) before the discriminator's output; none in the paper", low=1
    )

    # Algorithm 2, line 3
    teacher_forcing_epochs: int = option(100, "epochs of teacher forcing before the adversarial part", low=1)
    patience: int | None = option(
        None,
        "end teacher forcing after this many epochs without a lower validation perplexity, and return to the "
        "best epoch",
        low=1,
    )
    teacher_forcing_learning_rate: float = option(5e-5, "Adam's rate, line 3", low=1e-9, high=1)
    learning_rate_decay: float = option(1.0, "line 3's rate is multiplied by this after each epoch", low=0.01, high=1)
    batch_size: int = option(12, "answers in a batch (12 hold about the original's 128 tokens)", low=1)
    dropout: float = option(
        0.0, "dropout rate of the word vectors and of e (Eq. 2) in teacher forcing", low=0, high=0.95
    )
    average_epochs: float = option(
        0.0,
        "line 3 ends with weights averaged over about this many of its last epochs; 0: with the last weights",
        low=0,
    )
    hidden_dropout: float = option(0.0, "dropout rate of the hidden layer in teacher forcing", low=0, high=0.95)

    # Algorithm 2, lines 4 to 12
    algorithm: str = option(
        "backpropagation", "backpropagation: through the frozen discriminator, token by token (the paper); reinforce: "
        "Li et al. 2017, a policy gradient with the reward of a discriminator of whole answers",
        choices=("backpropagation", "reinforce"),
    )  # fmt: skip
    adversarial_epochs: int = option(15, "outer iterations, line 4 (15 in the author's program)", low=0)
    machine_pairs: int = option(7900, "N_m: machine-generated pairs in each iteration, line 5", low=1)
    self_conversation_turns: int = option(
        2,
        "answers per seed; 2 gives the paper's (x-, y-), 1 gives Li et al.'s (x+, y-), which reinforce always uses",
        low=1,
    )
    discriminator_epochs: int = option(15, "N_D, line 6", low=0)
    generator_epochs: int = option(1, "N_G, line 9", low=0)
    interleaved_epochs: int = option(1, "N_tf: epochs of teacher forcing, line 11", low=0)
    discriminator_learning_rate: float = option(1e-4, "alpha_d: Adam's rate, line 6", low=1e-9, high=1)
    generator_learning_rate: float = option(5e-5, "alpha_g: Adam's rate, line 9", low=1e-9, high=1)
    interleaved_learning_rate: float = option(5e-5, "Adam's rate, line 11", low=1e-9, high=1)
    adversarial_batch_size: int = option(12, "answers in a batch of lines 6, 9 and 11", low=1)

    # The run
    precision: str = option(
        "float32", "format of the generator's two large matrix products in training; weights stay float32",
        choices=("float32", "bfloat16"),
    )  # fmt: skip
    seed: int = option(0, "the same seed repeats a run exactly on the same machine", low=0, high=2**31 - 1)
    checkpoint_minutes: float = option(5.0, "minutes between checkpoints inside an epoch", low=0)

    presets: ClassVar = PRESETS

    def check_combinations(self) -> None:
        if self.generator == "canonical" and self.padding == "original":
            raise UserError(
                "--generator canonical: the author's program has no such model; --padding masked is expected"
            )
