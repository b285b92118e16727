"""Makes networks from settings: GPT-2 from scratch, policies, judges, and all networks of a training.

This is the only module below the agent that imports the baselines.
"""

from gail_tf.baselines import rl_seq2seq
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.rl_seq2seq import EmotionJudge
from gail_tf.baselines.textgail import TextEncoder, TextReader
from gail_tf.config import GAILConfig
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation.discriminator import Discriminator, DiscriminatorTraining
from gail_tf.imitation.encoders import Encoder, FrozenEncoder, TrainableEncoder
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.ppo import PPO
from gail_tf.imitation.trpo import TRPO
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import Adapters, GPT2Config
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling


def make_gpt2(config: GAILConfig, tokenizer: Tokenizer) -> GPT2:
    """Make a GPT-2 with random weights.

    Args:
        config: The settings, with GPT-2's sizes, dropout, precision and seed.
        tokenizer: Its number of tokens is the vocabulary's size.

    Returns:
        The network, with adapters for `--trainable lora`.
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


def adapters_of(config: GAILConfig) -> Adapters | None:
    """The low-rank adapters of `--trainable lora`; None for other values."""
    return Adapters(config.model.lora_rank, config.model.lora_alpha) if config.model.trainable == "lora" else None


def make_policy(
    config: GAILConfig, tokenizer: Tokenizer, gpt2: GPT2 | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """Make the policy of a config.

    Args:
        config: The settings.
        tokenizer: What turns text into tokens.
        gpt2: The language model of the policy; None for RL-Seq2Seq, whose policy is two LSTMs.
        emotions: RL-Seq2Seq's classifier of emotions, which is needed without gpt2.

    Returns:
        A `Policy` on gpt2, or a `Seq2SeqPolicy`.

    Raises:
        ValueError: Both gpt2 and emotions are None.
    """
    if gpt2 is None:
        return rl_seq2seq.make_policy(config, tokenizer, _classifier(emotions))
    return Policy(gpt2, config.model.trainable, config.seed)


def make_encoder(config: GAILConfig, gpt2: GPT2Config, reader: TextReader | None = None) -> Encoder:
    """Make the encoder with which D reads responses.

    Args:
        config: The settings.
        gpt2: The sizes of the reference's GPT-2.
        reader: D's RoBERTa, for `--discriminator-encoder roberta`.

    Returns:
        A `TextEncoder` if a reader is given, else the encoder of `--discriminator-encoder`.
    """
    if reader is not None:
        return TextEncoder(reader)
    return (TrainableEncoder if config.judge.discriminator_encoder == "trainable" else FrozenEncoder)(gpt2, config)


def make_judge(
    config: GAILConfig,
    gpt2: GPT2Config | None,
    reader: TextReader | None = None,
    emotions: EmotionClassifier | None = None,
    learns: bool = False,
) -> Judge:
    """Make the judge of a config.

    Args:
        config: The settings.
        gpt2: The sizes of GPT-2; None for RL-Seq2Seq.
        reader: D's RoBERTa, for `--discriminator-encoder roberta`.
        emotions: RL-Seq2Seq's classifier of emotions, which is needed without gpt2.
        learns: Whether the discriminator is to be trained, and so needs an optimizer.

    Returns:
        A `Discriminator`, a `DiscriminatorTraining` if it learns, or the `EmotionJudge` of RL-Seq2Seq.

    Raises:
        ValueError: Both gpt2 and emotions are None.
    """
    if gpt2 is None:
        return EmotionJudge(_classifier(emotions))
    return (DiscriminatorTraining if learns else Discriminator)(make_encoder(config, gpt2, reader), config)


def make_networks(
    config: GAILConfig,
    tokenizer: Tokenizer,
    gpt2: GPT2 | None,
    reader: TextReader | None = None,
    emotions: EmotionClassifier | None = None,
    from_scratch: bool = False,
) -> Networks:
    """Make all networks of a training.

    Args:
        config: The settings.
        tokenizer: What turns text into tokens.
        gpt2: The language model, with adapters for `--trainable lora`; None for RL-Seq2Seq.
        reader: D's RoBERTa, for `--discriminator-encoder roberta`.
        emotions: RL-Seq2Seq's classifier of prompts and responses, which is needed without gpt2.
        from_scratch: Whether the language model is to be pretrained first.

    Returns:
        The policy, its frozen reference, the judge, the optimiser of the policy, and the network to pretrain.

    Raises:
        ValueError: Both gpt2 and emotions are None.
    """
    policy = make_policy(config, tokenizer, gpt2, emotions)
    drawing = config.rollout
    sampling = Sampling(config.data.response_tokens, drawing.top_p, drawing.temperature, drawing.counting)
    reference = _twin(config, tokenizer, gpt2, emotions)
    judge = make_judge(config, None if gpt2 is None else gpt2.config, reader, emotions, learns=True)
    networks = Networks(policy, sampling, reference, judge, _make_optimiser(policy, config, sampling))
    if not from_scratch:
        return networks
    if gpt2 is None:
        return networks._replace(pretrained=policy)
    if gpt2.adapters is None:
        return networks._replace(pretrained=Policy(gpt2, "full"))
    plain = GPT2(gpt2.config, config.seed, precision=config.run.precision)
    return networks._replace(pretrained=Policy(plain, "full"), pretrained_into=list(gpt2.weights.values()))


def _make_optimiser(policy: LanguagePolicy, config: GAILConfig, sampling: Sampling) -> PolicyOptimiser:
    """TRPO for `--algorithm trpo`, whose policy is a head on a GPT-2; PPO for all others."""
    if config.algorithm == "trpo" and isinstance(policy, Policy):
        return TRPO(policy, config, sampling)
    return PPO(policy, config, sampling)


def _classifier(emotions: EmotionClassifier | None) -> EmotionClassifier:
    """The classifier of a training without a GPT-2; raises ValueError where it is missing."""
    if emotions is None:
        raise ValueError("without a GPT-2, RL-Seq2Seq's classifier of emotions is expected")
    return emotions


def _twin(
    config: GAILConfig, tokenizer: Tokenizer, gpt2: GPT2 | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """Make a policy of the same form as the one that learns; both share a frozen GPT-2."""
    if gpt2 is None or config.model.trainable == "head":
        return make_policy(config, tokenizer, gpt2, emotions)
    return Policy(GPT2(gpt2.config, config.seed, gpt2.adapters, config.run.precision), config.model.trainable)
