"""The settings of the first paper's training runs, with their meanings, defaults and allowed values.

The help text of each field gives the field's symbol in the paper, or the equation, figure or line of Algorithm 2 that
uses the field. Comments next to the values explain departures from the paper. G is the generator. The presets are in
`presets.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_gca.errors import UserError
from keras_gca.presets import PRESETS
from keras_gca.settings import COLDEST, HOTTEST, Settings, option

FIRST_TURNS = 2  # of simulated conversations, with which the curriculum of Li et al. 2016 begins
MOST_UTTERANCES = 100  # of a hierarchical encoder, because Figures 1 and 2 have a row of tokens for each of them


@dataclass(frozen=True, init=False, repr=False)
class Config(Settings):
    """All settings of a training run of the first paper.

    The defaults are the paper's values (Section 5). PRESETS lists what each preset changes, and
    `python -m keras_gca.train --help` prints the meaning and the allowed values of each field.

    Raises:
        UserError: A field has an invalid value.

    Examples:
        >>> from keras_gca import Config
        >>> Config()  # every number of the paper
        Config()
        >>> config = Config.preset("default", seed=1)
        >>> config.batch_size, config.teacher_forcing_epochs
        (32, 14)
        >>> Config(batch_size=16).changed(seed=3)  # prints what differs from the paper
        Config(batch_size=16, seed=3)
        >>> Config(dropout=2)
        Traceback (most recent call last):
        keras_gca.errors.UserError: --dropout: 2 is out of range; from 0 to 0.95 is expected
    """

    # Data
    context_utterances: int = option(2, "N_u: number of previous utterances that form the context", low=1)
    context_changes: str = option(
        "ignore", "what a context contains after a change of subject. ignore: the last N_u utterances, as in the "
                  "paper; detect: only those of the last N_u that follow the latest change, as found by a detector "
                  "that is trained without labels before teacher forcing (docs/systems.md)",
        choices=("ignore", "detect"),
    )  # fmt: skip
    sentence_length: int = option(
        50,
        "s_s: maximum number of tokens in a partial answer and in a context (with --encoder hierarchical: in each "
        "utterance of a context)",
        low=2,
        high=10_000,
    )
    vocabulary_size: int = option(
        7000, "s_v: maximum size of the vocabulary, including four special tokens", low=5, high=10_000_000
    )
    minimum_count: int = option(
        1,
        "words that occur less often than this in the training text are replaced with the unknown word, so that the "
        "networks learn to handle it",
        low=1,
    )
    contractions: str = option(
        "split", "how contractions are read. split: don't becomes do n't, as in GloVe; expanded: don't becomes do not, "
        "as in the author's program",
        choices=("split", "expanded"),
    )  # fmt: skip
    padding: str = option(
        "masked", "how the LSTMs treat padding. masked: they skip it; original: they read it as the token \".\", as in "
        "the author's program",
        choices=("masked", "original"),
    )  # fmt: skip
    predict: str = option(
        "answer", "what the generator predicts. answer: the answer from its context, p(y|x), as in the paper; "
                  "context: the context from its answer, p(x|y); unconditional: the answer without a context, "
                  "p(y). MMI reranking (python -m keras_gca.mmi) needs one run with context and one with "
                  "unconditional. beginning: the beginning of an answer, backwards from one of its words; "
                  "--keyword-epochs trains such a generator inside a run",
        choices=("answer", "context", "unconditional", "beginning"),
    )  # fmt: skip
    validation_fraction: float = option(
        0.1, "fraction of the conversations held out for validation", low=0.001, high=0.5
    )
    splits: str = option(
        "random", "random: draw the held-out conversations at random; official: use the corpus's own training, "
        "validation and test splits (docs/formats.md)",
        choices=("random", "official"),
    )  # fmt: skip
    max_pairs: int | None = option(
        None, "use only about this many context/answer pairs (default: all pairs of the corpus)", low=20
    )
    training_pairs: int | None = option(
        None,
        "train on only this many pairs. Unlike with --max-pairs, the held-out pairs and the vocabulary remain those of "
        "the whole corpus, so that training runs with different numbers of pairs can be compared (default: all pairs "
        "that are not held out)",
        low=20,
    )

    # Figures 1 and 2
    word_embedding_size: int = option(100, "s_e: dimension of the word vectors (Figures 1 and 2)", low=1)
    sentence_embedding_size: int = option(300, "s_se: number of units in each of the generator's two LSTMs", low=1)
    discriminator_sentence_embedding_size: int = option(
        300, "s_sed: number of units in each of the discriminator's two LSTMs", low=1
    )
    generator: str = option(
        "gca", "the generator's network. gca: the paper's model (Figure 1, Eq. 6), which reads the context at each "
        "token; canonical: a seq2seq model, in which the context only sets the decoder's initial state (Eq. 4-5)",
        choices=("gca", "canonical"),
    )  # fmt: skip
    encoder: str = option(
        "flat", "how both networks read a context. flat: one LSTM over its words, as in the paper; hierarchical: "
                "one LSTM over the words of each utterance, and another over the utterances (Sordoni et al. 2015, "
                "Serban et al. 2016)",
        choices=("flat", "hierarchical"),
    )  # fmt: skip
    persona_size: int | None = option(
        None,
        "dimension of the speaker embeddings (Li et al. 2016): if the corpus names the speaker of an answer, the "
        "speaker's embedding is concatenated with e (Eq. 2) (default: no speaker embeddings, as in the paper)",
        low=1,
        high=100_000,
    )
    topics: int | None = option(
        None,
        "number of topics of a topic model that is fitted to the training conversations. The generator attends to the "
        "words of the context's topic, and these words get a bonus in the softmax (Xing et al. 2017; "
        "docs/systems.md). Needs scikit-learn (default: no topics, as in the paper)",
        low=2,
        high=1000,
    )
    topic_words: int = option(
        100, "with --topics: number of words per topic to which the generator attends (Xing et al. 2017)", low=1,
        high=1000,
    )  # fmt: skip
    hidden_size: int | None = option(
        None, "number of units in the generator's hidden layer (default: half the size of the vocabulary)", low=1
    )
    discriminator_hidden_size: int | None = option(
        None,
        "number of units in a hidden layer (ReLU) before the discriminator's output (default: no hidden layer, as "
        "in the paper)",
        low=1,
    )

    # Algorithm 2, line 3
    teacher_forcing_epochs: int = option(
        100, "epochs of teacher forcing (line 3), before the adversarial iterations", low=1
    )
    patience: int | None = option(
        None,
        "end teacher forcing when the held-out perplexity has not improved for this many epochs, and return to the "
        "best epoch (default: run all epochs)",
        low=1,
    )
    teacher_forcing_learning_rate: float = option(
        5e-5, "Adam learning rate for teacher forcing (line 3)", low=1e-9, high=1
    )
    learning_rate_decay: float = option(
        1.0,
        "factor that multiplies the learning rate after each epoch of teacher forcing (line 3)",
        low=0.01,
        high=1,
    )
    batch_size: int = option(
        12,
        "answers per batch in teacher forcing (line 3); 12 answers have about 128 tokens, the batch size of the "
        "author's program",
        low=1,
    )
    dropout: float = option(
        0.0,
        "dropout rate for the word vectors and the sentence encoding e (Eq. 2) during teacher forcing",
        low=0,
        high=0.95,
    )
    average_epochs: float = option(
        0.0,
        "at the end of teacher forcing (line 3), replace the weights with their average over about the last N epochs, "
        "where N is this number; 0 keeps the final weights",
        low=0,
    )
    ranking_epochs: int = option(
        0,
        "epochs of teacher forcing, after Algorithm 2, of a second generator for p(x|y), with which a chat ranks the "
        "answers of its beam search (Li et al. 2016); 0 trains no such generator",
        low=0,
    )
    keyword_epochs: int = option(
        0,
        "epochs of teacher forcing, after Algorithm 2, of a second generator that continues a keyword back to the "
        "beginning of the answer, so that a chat builds its answers around keywords (seq2BF, Mou et al. 2016; "
        "docs/systems.md). Excludes --ranking-epochs; 0 trains no such generator",
        low=0,
    )
    hidden_dropout: float = option(
        0.0, "dropout rate for the generator's hidden layer during teacher forcing", low=0, high=0.95
    )
    context_dropout: float = option(
        0.0, "probability of leaving out each token of a context during teacher forcing", low=0, high=0.95
    )
    context_paraphrases: float = option(
        0.0,
        "probability of replacing a context of one utterance by a similar message of the embedded corpus, if there is "
        "one, during teacher forcing; other corpora have no list of similar messages",
        low=0,
        high=1,
    )
    answer_dropout: float = option(
        0.0, "probability of hiding each token of a partial answer during teacher forcing", low=0, high=0.95
    )

    # Algorithm 2, lines 4 to 12
    algorithm: str = option(
        "backpropagation", "how the generator learns in line 9. backpropagation: through the frozen "
                           "discriminator, token by token, as in the paper; reinforce: by a policy gradient from "
                           "rewards for whole answers (Li et al. 2017); dialogue_rewards: by a policy gradient "
                           "from rewards for simulated conversations, without the discriminator (Li et al. 2016; "
                           "needs --backward)",
        choices=("backpropagation", "reinforce", "dialogue_rewards"),
    )  # fmt: skip
    adversarial_epochs: int = option(
        15, "number of adversarial iterations (line 4); the author's program uses 15", low=0
    )
    machine_pairs: int = option(
        7900,
        "N_m: number of machine-generated pairs in each adversarial iteration (line 5); with --algorithm "
        "dialogue_rewards, also the number of simulated conversations in each epoch of line 9",
        low=1,
    )
    self_conversation_turns: int = option(
        2,
        "number of consecutive answers generated after each human context (line 5). With 2, as in the paper, the "
        "contexts of the pairs are also generated. With 1, as in Li et al. 2017, the contexts are human. "
        "--algorithm reinforce always uses 1",
        low=1,
    )
    machine_contexts: str = option(
        "answer", "what a generated context contains (line 5). answer: only the last answer, as in the author's "
                  "program; utterances: the last N_u utterances, as the paper defines a context; the first of these "
                  "utterances may be human",
        choices=("answer", "utterances"),
    )  # fmt: skip
    machine_temperature: float | None = option(
        None,
        "temperature at which the generator samples its answers in line 5 (default: greedy answers, as in the paper; 1 "
        "with --algorithm reinforce)",
        low=COLDEST,
        high=HOTTEST,
    )
    machine_top_p: float = option(
        1.0,
        "top-p (nucleus) probability for sampling answers in line 5; 1 samples from all tokens",
        low=0.01,
        high=1,
    )
    replay: float = option(
        0.0,
        "fraction of the machine-generated pairs in line 6 that are taken from earlier iterations, if there were any",
        low=0,
        high=0.9,
    )
    discriminator_epochs: int = option(
        15, "N_D: epochs of the discriminator in each adversarial iteration (line 6)", low=0
    )
    label_smoothing: float = option(
        0.0,
        "label smoothing: the human pairs of line 6 get the label 1 - X instead of 1, where X is this number",
        low=0,
        high=0.49,
    )
    instance_noise: float = option(
        0.0,
        "scale of the Gaussian noise added to the discriminator's encodings e_cd and e_ad in line 6, relative to "
        "the standard deviation of each encoding",
        low=0,
    )
    spectral_normalisation: str = option(
        "off", "on: after each step of line 6, divide every matrix of the discriminator by its largest singular "
        "value if that value exceeds 1",
        choices=("off", "on"),
    )  # fmt: skip
    generator_epochs: int = option(1, "N_G: epochs of the generator in each adversarial iteration (line 9)", low=0)
    generator_loss: str = option(
        "squared", "the loss of line 9, where l is the discriminator's output. squared: (1 - l)^2, as in the "
                   "paper; log: -log l, computed from the logit, so that the gradient does not vanish when l is "
                   "near 0",
        choices=("squared", "log"),
    )  # fmt: skip
    generator_tokens: str = option(
        "probabilities", "what the discriminator reads in line 9. probabilities: the generator's p, as in the "
                         "paper; straight_through: the most probable token, with the gradient of p; gumbel: a "
                         "token drawn from p, with the gradient of the Gumbel-softmax. If the discriminator has a "
                         "hidden layer, use straight_through or gumbel, because the discriminator was trained on "
                         "single tokens",
        choices=("probabilities", "straight_through", "gumbel"),
    )  # fmt: skip
    gumbel_temperature: float = option(
        1.0, "temperature of the Gumbel-softmax (--generator-tokens gumbel)", low=COLDEST, high=HOTTEST
    )
    simulated_turns: int = option(
        5,
        "with --algorithm dialogue_rewards: maximum number of answers in a simulated conversation (Li et al. 2016)",
        low=FIRST_TURNS,
        high=100,
    )
    curriculum_epochs: int = option(
        1,
        f"with --algorithm dialogue_rewards: simulated conversations have {FIRST_TURNS} answers at first, and one more "
        "after every N epochs of line 9, where N is this number",
        low=1,
    )
    ease_of_answering_weight: float = option(
        0.25,
        "lambda_1 of Li et al. 2016: weight of the reward for answers that make dull responses improbable "
        "(--algorithm dialogue_rewards)",
        low=0,
    )
    information_flow_weight: float = option(
        0.25,
        "lambda_2 of Li et al. 2016: weight of the reward for low similarity between two turns of the same agent "
        "(--algorithm dialogue_rewards)",
        low=0,
    )
    semantic_coherence_weight: float = option(
        0.5,
        "lambda_3 of Li et al. 2016: weight of the reward for semantic coherence, computed from log p(y|x) and log "
        "p(x|y) per token (--algorithm dialogue_rewards)",
        low=0,
    )
    interleaved_epochs: int = option(
        1, "N_tf: epochs of teacher forcing in each adversarial iteration (line 11)", low=0
    )
    final_epochs: int = option(
        0, "epochs of teacher forcing after the last adversarial iteration; the author's program uses 1", low=0
    )
    discriminator_learning_rate: float = option(
        1e-4, "alpha_d: Adam learning rate for the discriminator (line 6)", low=1e-9, high=1
    )
    generator_learning_rate: float = option(
        5e-5, "alpha_g: Adam learning rate for the generator (line 9)", low=1e-9, high=1
    )
    interleaved_learning_rate: float = option(
        5e-5, "Adam learning rate for teacher forcing in adversarial iterations (line 11)", low=1e-9, high=1
    )
    adversarial_batch_size: int = option(12, "answers per batch in adversarial iterations (lines 6, 9 and 11)", low=1)

    # The run
    precision: str = option(
        "float32", "dtype of the generator's two large matrix products during training; weights are always float32",
        choices=("float32", "bfloat16"),
    )  # fmt: skip
    seed: int = option(
        0,
        "seed of all random numbers; on the same machine, the same seed gives exactly the same results",
        low=0,
        high=2**31 - 1,
    )
    checkpoint_minutes: float = option(5.0, "minutes between checkpoints within an epoch", low=0)

    presets: ClassVar = PRESETS
    totals: ClassVar = ("teacher_forcing_epochs", "adversarial_epochs")

    @classmethod
    def implied(cls, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that a set of changes sets implicitly; see `Settings.implied`.

        A generator that predicts something other than answers has no answers to rank, and answers that are built around
        keywords are not ranked. Contexts are not replaced by similar messages if they are not messages, or name a
        speaker.
        """
        ranked = changes.get("predict", "answer") == "answer" and not changes.get("keyword_epochs")
        replaced = changes.get("predict") not in ("context", "unconditional") and changes.get("persona_size") is None
        return ({} if ranked else {"ranking_epochs": 0}) | ({} if replaced else {"context_paraphrases": 0.0})

    @property
    def hierarchical(self) -> bool:
        """Whether both networks read contexts with a hierarchical encoder."""
        return self.encoder == "hierarchical"

    @property
    def detects_changes(self) -> bool:
        """Whether a detector limits each context to the utterances after the last change of subject."""
        return self.context_changes == "detect"

    @property
    def context_length(self) -> int:
        """The maximum number of tokens in a context: s_s, or N_u * s_s for a hierarchical encoder."""
        return self.sentence_length * (self.context_utterances if self.hierarchical else 1)

    @property
    def answers_contexts(self) -> bool:
        """Whether the generator predicts answers, or the beginnings of answers, from their contexts."""
        return self.predict in ("answer", "beginning")

    @property
    def names_speakers(self) -> bool:
        """Whether the generator has embeddings of speakers."""
        return self.persona_size is not None

    @property
    def context_columns(self) -> int:
        """The number of columns in an array of contexts. Speaker embeddings add one column for the speaker's token."""
        return self.context_length + self.names_speakers

    @property
    def may_replace_contexts(self) -> bool:
        """Whether contexts may be replaced by similar messages (`context_paraphrases`)."""
        return self.answers_contexts and not self.names_speakers

    @property
    def simulates_conversations(self) -> bool:
        """Whether the generator learns from rewards for simulated conversations in line 9."""
        return self.algorithm == "dialogue_rewards"

    @property
    def reward_weights(self) -> tuple[float, float, float]:
        """lambda_1, lambda_2 and lambda_3 of Li et al. 2016."""
        return self.ease_of_answering_weight, self.information_flow_weight, self.semantic_coherence_weight

    def check_backward(self, backward: object) -> None:
        """Check that `backward`, a run that models p(x|y), is given if the algorithm needs it, and is None otherwise.

        Raises:
            UserError: `backward` is needed but None, or is given but not needed.
        """
        if self.simulates_conversations and backward is None:
            raise UserError(
                "--algorithm dialogue_rewards: the rewards need p(x|y); give --backward RUN, where RUN was "
                "trained with --predict context"
            )
        if not self.simulates_conversations and backward is not None:
            raise UserError(f"--backward: --algorithm {self.algorithm} does not use p(x|y); leave out --backward")

    def check_combinations(self) -> None:
        if self.hierarchical and self.padding == "original":
            raise UserError(
                "--encoder hierarchical: the author's program has no hierarchical encoder; use --padding masked"
            )
        if self.ranking_epochs and self.predict != "answer":
            raise UserError(
                f"--ranking-epochs ranks answers, but --predict {self.predict} generates none; use --predict answer"
            )
        if self.keyword_epochs and (self.padding == "original" or self.predict != "answer"):
            raise UserError("--keyword-epochs works only with --padding masked and --predict answer")
        if self.keyword_epochs and self.ranking_epochs:
            raise UserError(
                "--keyword-epochs, --ranking-epochs: answers that are built around keywords are not ranked in both "
                "directions; set one of the two to 0"
            )
        if self.names_speakers and (self.padding == "original" or not self.answers_contexts):
            raise UserError("--persona-size works only with --padding masked and --predict answer")
        if self.topics and (self.padding == "original" or not self.answers_contexts):
            raise UserError("--topics works only with --padding masked and --predict answer")
        if self.hierarchical and self.context_utterances > MOST_UTTERANCES:
            raise UserError(
                f"--context-utterances: {self.context_utterances} is out of range; with --encoder hierarchical, from 1 "
                f"to {MOST_UTTERANCES} is expected"
            )
        if self.detects_changes and self.predict != "answer":
            raise UserError(
                f"--context-changes detect limits the contexts of answers, but --predict {self.predict} has no such "
                "contexts; use --predict answer"
            )
        if self.generator == "canonical" and self.padding == "original":
            raise UserError(
                "--generator canonical: the author's program has no canonical generator; use --padding masked"
            )
        reinforce = self.algorithm == "reinforce"
        if self.machine_top_p < 1 and self.machine_temperature is None and not reinforce:
            raise UserError("--machine-top-p has no effect on greedy answers; also give --machine-temperature")
        learns_from_rewards = reinforce or self.simulates_conversations
        if learns_from_rewards and (self.generator_loss, self.generator_tokens) != ("squared", "probabilities"):
            raise UserError(
                f"--generator-loss, --generator-tokens: --algorithm {self.algorithm} learns from rewards; leave "
                "out these two options"
            )
        if self.simulates_conversations and self.predict != "answer":
            raise UserError(
                f"--algorithm dialogue_rewards simulates conversations, but --predict {self.predict} generates no "
                "answers; use --predict answer"
            )
        if self.simulates_conversations and not any(self.reward_weights):
            raise UserError(
                "--ease-of-answering-weight, --information-flow-weight, --semantic-coherence-weight: all three "
                "are 0; at least one must be above 0"
            )


def predicting_contexts(config: Config) -> Config:
    """Return the settings of the generator for p(x|y) that ranks a run's answers (`ranking_epochs`).

    This generator has the same sizes, data and teacher forcing as the run's generator, but no embeddings of speakers,
    no topics, no adversarial iterations, and no detector of context changes.
    """
    return config.changed(
        predict="context",
        teacher_forcing_epochs=max(config.ranking_epochs, 1),
        ranking_epochs=0,
        keyword_epochs=0,
        context_paraphrases=0.0,
        algorithm="backpropagation",
        machine_top_p=1.0,  # only --algorithm reinforce has a temperature of its own
        adversarial_epochs=0,
        final_epochs=0,
        persona_size=None,
        topics=None,
        context_changes=Config.context_changes,
    )


def predicting_beginnings(config: Config) -> Config:
    """Return the settings of the generator that continues a keyword back to the beginning of the answer (seq2BF).

    This generator has the same network, data and teacher forcing as the run's generator, but no adversarial iterations.
    The contexts of the run are already limited by its detector of context changes, if it has one.
    """
    return config.changed(
        predict="beginning",
        teacher_forcing_epochs=max(config.keyword_epochs, 1),
        keyword_epochs=0,
        algorithm="backpropagation",
        machine_top_p=1.0,
        adversarial_epochs=0,
        final_epochs=0,
        context_changes=Config.context_changes,
    )
