"""From settings to networks: GPT-2 from scratch, policies, judges, and all that a training needs of them.

The only module below the agent that knows the baselines.
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
    """A GPT-2 from scratch, of the sizes of a config."""
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
    """The low-rank adapters of `--trainable lora`."""
    return Adapters(config.model.lora_rank, config.model.lora_alpha) if config.model.trainable == "lora" else None


def make_policy(
    config: GAILConfig, tokenizer: Tokenizer, gpt2: GPT2 | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """The policy of a config: on gpt2, or without it RL-Seq2Seq's."""
    if gpt2 is None:
        return rl_seq2seq.make_policy(config, tokenizer, _classifier(emotions))
    return Policy(gpt2, config.model.trainable, config.seed)


def make_encoder(config: GAILConfig, gpt2: GPT2Config, reader: TextReader | None = None) -> Encoder:
    """What D reads responses by. reader: its RoBERTa, with `--discriminator-encoder roberta`."""
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
    """The discriminator of a GPT-2 of these sizes, or without a GPT-2 RL-Seq2Seq's emotion judge.

    learns: with an optimizer, to be trained.
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
    """The networks of a training.

    gpt2: with `--trainable lora` it has adapters; None for RL-Seq2Seq, whose prompts and responses `emotions`
    classifies. reader: D's RoBERTa, with `--discriminator-encoder roberta`. from_scratch: the network is pretrained
    first.
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
    """TRPO for its algorithm, whose policy is a head on a GPT-2; PPO for all others."""
    if config.algorithm == "trpo" and isinstance(policy, Policy):
        return TRPO(policy, config, sampling)
    return PPO(policy, config, sampling)


def _classifier(emotions: EmotionClassifier | None) -> EmotionClassifier:
    """What stands in GPT-2's place; raises ValueError where there is neither."""
    if emotions is None:
        raise ValueError("without a GPT-2 a classifier of emotions is expected, as RL-Seq2Seq has it")
    return emotions


def _twin(
    config: GAILConfig, tokenizer: Tokenizer, gpt2: GPT2 | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """A policy of the same form as the one that learns. A frozen GPT-2 is shared, not doubled."""
    if gpt2 is None or config.model.trainable == "head":
        return make_policy(config, tokenizer, gpt2, emotions)
    return Policy(GPT2(gpt2.config, config.seed, gpt2.adapters, config.run.precision), config.model.trainable)
