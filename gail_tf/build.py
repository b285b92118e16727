"""Makes networks from settings: language models, policies, judges, and all networks of a training run.

A judge is the discriminator D or, in RL-Seq2Seq, the emotion classifier that rewards responses. Of all modules in the
layers below `agent.py`, only this one imports the baselines.
"""

from pathlib import Path

from gail_tf.base_models.identity import identity
from gail_tf.base_models.locate import locate
from gail_tf.baselines import rl_seq2seq
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.rl_seq2seq import EmotionJudge
from gail_tf.baselines.textgail import TextEncoder, TextReader
from gail_tf.config import GAILConfig
from gail_tf.data.samples import CONTROL_TOKENS, control_tokens
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation.discriminator import Discriminator, DiscriminatorTraining
from gail_tf.imitation.encoders import Encoder, FrozenEncoder, TrainableEncoder
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.offline import OfflineOptimiser
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.ppo import PPO
from gail_tf.imitation.trpo import TRPO
from gail_tf.models.architectures import config_of, make_network
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.hugging_face import CONFIG, extra_heads, read_config, read_network
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.pretrained_base import Base
from gail_tf.models.projection import Adapters
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from glove.text_files import counted
from keras_gca.engine import reporting
from keras_gca.errors import UserError


def make_gpt2(config: GAILConfig, tokenizer: Tokenizer) -> GPT2:
    """Make a GPT-2 with random weights.

    Args:
        config: The settings, which include the dimensions of GPT-2, the dropout rate, the precision and the seed.
        tokenizer: The tokenizer, which determines the vocabulary size.

    Returns:
        The network, with adapters if `--trainable` is `lora`.
    """
    model = config.model
    sizes = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=model.n_positions,
        n_embd=model.n_embd,
        n_layer=model.n_layer,
        n_head=model.n_head,
        embd_pdrop=model.dropout,
        attn_pdrop=model.dropout,
        resid_pdrop=model.dropout,
        eos_token_id=tokenizer.end,
    )
    return GPT2(sizes, config.seed, adapters_of(config), config.run.precision)


def read_pretrained(config: GAILConfig, folder: Path, tokenizer: Tokenizer, rows: int | None = None) -> LanguageModel:
    """Read a pretrained network, and add rows for control tokens to its embedding tables.

    Args:
        config: The settings, which include the adapters, the dropout rate, the precision and the seed.
        folder: A folder in Hugging Face's format.
        tokenizer: The tokenizer of the folder, with control tokens added.
        rows: The number of rows to use from the stored embedding tables, one for each token of the stored tokenizer. By
            default, `tokenizer.known`.

    Returns:
        The network. Each control token's row is initialised with the mean of the rows of the tokens that spell its
        name, for example "positive".

    Raises:
        UserError: The tokenizer does not belong to the network, the network has too few positions, or a file cannot be
            used.
    """
    sizes, needed = read_config(folder / CONFIG, config_of), config.data.condition_tokens + config.data.response_tokens
    if len(tokenizer) > sizes.vocab_size + len(control_tokens(config.data)):  # only control tokens are added
        raise UserError(f"{folder}: the tokenizer has {len(tokenizer)} tokens, but the weights have {sizes.vocab_size}")
    if needed > sizes.positions:
        raise UserError(
            f"{folder}: this {sizes.title} has {sizes.positions} positions; --condition-tokens and --response-tokens "
            f"need {needed}"
        )
    if heads := extra_heads(folder, sizes):
        reporting.say(f"{folder}: left out heads that are not part of {sizes.title}: {', '.join(heads)}")
    known = min(tokenizer.known if rows is None else rows, sizes.vocab_size)
    spare = sizes.vocab_size - known
    # Embedding tables often have spare rows, because their size is padded to a multiple of a power of two. Any other
    # number of spare rows means that the tokenizer does not belong to the network.
    if spare >= max(sizes.vocab_size & -sizes.vocab_size, len(CONTROL_TOKENS) + 1) or not known:
        known = sizes.vocab_size
    elif spare:
        reporting.say(f"{folder}: left out {counted(spare, 'spare row')} of the embeddings, which no token uses")
    if len(tokenizer) < known:
        raise UserError(f"{folder}: the vocabulary has {known} tokens, but the tokenizer has only {len(tokenizer)}")
    added = [
        tokenizer.encode(f" {name.strip('<|>')}")
        for name in tokenizer.control_tokens
        if tokenizer.special(name) >= known
    ]
    return read_network(
        folder,
        added,
        adapters_of(config),
        config.run.precision,
        config.seed,
        config.model.dropout,
        known,
        frozen=config.model.trainable != "full",
    )


def read_base(config: GAILConfig, base: Base, tokenizer: Tokenizer, agreed: bool = False) -> LanguageModel:
    """Read the pretrained network on which the adapters or the head of a bot or run were trained.

    Args:
        config: The settings of the bot or run.
        base: The name of the network, and the SHA-256 of its weights.
        tokenizer: The tokenizer of the bot or run.
        agreed: Whether the user has already agreed to a download; see `locate`.

    Raises:
        UserError: The network cannot be found, or has different weights.
    """
    folder = locate(base.name, agreed)
    if (found := identity(folder)[1]) != base.sha256:
        raise UserError(
            f"{base.name}: the bot was not trained on this network; the SHA-256 of the weights is {found}, but "
            f"{base.sha256} is expected"
        )
    network = read_pretrained(config, folder, tokenizer, base.rows)
    network.base = base
    return network


def adapters_of(config: GAILConfig) -> Adapters | None:
    """Return the settings of the low-rank adapters if `--trainable` is `lora`, else None."""
    return Adapters(config.model.lora_rank, config.model.lora_alpha) if config.model.trainable == "lora" else None


def make_policy(
    config: GAILConfig, tokenizer: Tokenizer, network: LanguageModel | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """Make the policy described by the settings.

    Args:
        config: The settings.
        tokenizer: The tokenizer of the policy.
        network: The language model of the policy, or None for RL-Seq2Seq, whose policy consists of LSTMs.
        emotions: The emotion classifier of RL-Seq2Seq, which is required if `network` is None.

    Returns:
        A `Policy` that uses the network, or a `Seq2SeqPolicy`.

    Raises:
        ValueError: There is neither a language model nor an emotion classifier.
    """
    if network is None:
        return rl_seq2seq.make_policy(config, tokenizer, _classifier(emotions))
    return Policy(network, config.model.trainable, config.seed, tokenizer.end, excluded=tokenizer.control_ids)


def make_encoder(
    config: GAILConfig,
    sizes: LanguageModelConfig,
    reader: TextReader | None = None,
    reference: LanguagePolicy | None = None,
) -> Encoder:
    """Make the encoder that computes features of responses for the discriminator D.

    The reference is the policy after maximum likelihood training.

    Args:
        config: The settings.
        sizes: The dimensions of the reference's language model.
        reader: The RoBERTa of D for `--discriminator-encoder roberta`, else None.
        reference: The reference, which shares its weights with the encoder for `--discriminator-encoder adapters`. None
            is allowed for other encoders.

    Returns:
        A `TextEncoder` if a reader is given, else a `TrainableEncoder` or a `FrozenEncoder`, depending on
        `--discriminator-encoder`.

    Raises:
        ValueError: The settings ask for adapters, but the reference has no language model to add them to.
    """
    if reader is not None:
        return TextEncoder(reader)
    kind, model = config.judge.discriminator_encoder, config.model
    if kind == "adapters":
        if not isinstance(reference, Policy):
            raise ValueError("without the reference's language model, there is no network to add D's adapters to")
        return TrainableEncoder(reference.network.sharing(Adapters(model.lora_rank, model.lora_alpha)), config)
    if kind == "trainable":
        return TrainableEncoder(make_network(sizes, config.seed, precision=config.run.precision), config)
    return FrozenEncoder(sizes, config)


def make_judge(
    config: GAILConfig,
    sizes: LanguageModelConfig | None,
    reader: TextReader | None = None,
    emotions: EmotionClassifier | None = None,
    learns: bool = False,
    reference: LanguagePolicy | None = None,
) -> Judge:
    """Make the judge described by the settings.

    Args:
        config: The settings.
        sizes: The dimensions of the language model, or None for RL-Seq2Seq.
        reader: The RoBERTa of the discriminator for `--discriminator-encoder roberta`, else None.
        emotions: The emotion classifier of RL-Seq2Seq, which is required if `sizes` is None.
        learns: Whether the discriminator will be trained and therefore needs an optimizer.
        reference: The policy after maximum likelihood training; see `make_encoder`.

    Returns:
        A `Discriminator`, a `DiscriminatorTraining` if `learns` is true, or the `EmotionJudge` of RL-Seq2Seq.

    Raises:
        ValueError: There is neither a language model nor an emotion classifier.
    """
    if sizes is None:
        return EmotionJudge(_classifier(emotions))
    return (DiscriminatorTraining if learns else Discriminator)(make_encoder(config, sizes, reader, reference), config)


def make_networks(
    config: GAILConfig,
    tokenizer: Tokenizer,
    network: LanguageModel | None,
    reader: TextReader | None = None,
    emotions: EmotionClassifier | None = None,
    from_scratch: bool = False,
) -> Networks:
    """Make all networks of a training run.

    Args:
        config: The settings.
        tokenizer: The tokenizer of the policy.
        network: The language model, with adapters for `--trainable lora`, or None for RL-Seq2Seq.
        reader: The RoBERTa of D for `--discriminator-encoder roberta`, else None.
        emotions: The emotion classifier of RL-Seq2Seq, which is required if `network` is None.
        from_scratch: Whether the network of the policy has random weights and must be pretrained first.

    Returns:
        The policy, the frozen reference, the judge, the policy's optimiser, and the policy to pretrain, if any.

    Raises:
        ValueError: There is neither a language model nor an emotion classifier.
    """
    policy = make_policy(config, tokenizer, network, emotions)
    drawing = config.rollout
    sampling = Sampling(config.data.response_tokens, drawing.top_p, drawing.temperature, drawing.counting)
    reference = _twin(config, tokenizer, network, emotions)
    sizes = None if network is None else network.config
    judge = make_judge(config, sizes, reader, emotions, learns=True, reference=reference)
    optimiser = _make_optimiser(policy, config, sampling, tokenizer.end)
    networks = Networks(policy, sampling, reference, judge, optimiser)
    if not from_scratch:
        return networks
    if network is None:
        return networks._replace(pretrained=policy)
    # Adapters are not trained in pretraining. Instead, a network without adapters that shares the weights of `network`
    # is trained.
    whole = network if network.adapters is None else network.sharing(None)
    return networks._replace(pretrained=Policy(whole, "full", end=tokenizer.end))


def _make_optimiser(
    policy: LanguagePolicy, config: GAILConfig, sampling: Sampling, end: int
) -> PolicyOptimiser | OfflineOptimiser:
    """Make an offline optimiser for the offline algorithms, TRPO for `--algorithm trpo`, and PPO for all others."""
    if config.offline:
        return OfflineOptimiser(policy, config, sampling, end)
    if config.algorithm == "trpo" and isinstance(policy, Policy):
        return TRPO(policy, config, sampling)
    return PPO(policy, config, sampling)


def _classifier(emotions: EmotionClassifier | None) -> EmotionClassifier:
    """Return the emotion classifier, or raise ValueError if it is missing."""
    if emotions is None:
        raise ValueError("without a language model, the emotion classifier of RL-Seq2Seq is required")
    return emotions


def _twin(
    config: GAILConfig, tokenizer: Tokenizer, network: LanguageModel | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """Make a second policy with the trained policy's architecture. The two policies share all frozen weights."""
    if network is not None and config.model.trainable == "lora":
        network = network.sharing(network.adapters)
    elif network is not None and config.model.trainable == "full":
        network = make_network(network.config, config.seed, precision=config.run.precision)
    return make_policy(config, tokenizer, network, emotions)
