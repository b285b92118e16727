"""From settings to networks: GPT-2 from scratch, its adapters, and the policy on it."""

from gail_tf.baselines import rl_seq2seq
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.config import GAILConfig
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models.gpt2 import GPT2, Adapters, GPT2Config
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy


def make_gpt2(config: GAILConfig, tokenizer: Tokenizer) -> GPT2:
    """A GPT-2 from scratch, of the sizes of a config."""
    sizes = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=config.n_positions,
        n_embd=config.n_embd,
        n_layer=config.n_layer,
        n_head=config.n_head,
        embd_pdrop=config.dropout,
        attn_pdrop=config.dropout,
        resid_pdrop=config.dropout,
        eos_token_id=tokenizer.end,
    )
    return GPT2(sizes, config.seed, adapters_of(config), config.precision)


def make_policy(
    config: GAILConfig, tokenizer: Tokenizer, gpt2: GPT2 | None, emotions: EmotionClassifier | None
) -> LanguagePolicy:
    """The policy of a config: on gpt2, or without it RL-Seq2Seq's."""
    if gpt2 is None:
        return rl_seq2seq.make_policy(config, tokenizer, emotions)
    return Policy(gpt2, config.trainable, config.seed)


def adapters_of(config: GAILConfig) -> Adapters | None:
    return Adapters(config.lora_rank, config.lora_alpha) if config.trainable == "lora" else None
