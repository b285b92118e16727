"""Exports a policy to a folder in Hugging Face's format, which the transformers library can load."""

import json
import os

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models.hugging_face import write_network
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from keras_gca.errors import UserError
from keras_gca.storage.atomic import replacing
from keras_gca.storage.export_folder import refuse_non_empty


def export_policy(policy: LanguagePolicy, tokenizer: Tokenizer, folder: str | os.PathLike) -> None:
    """Write config.json, model.safetensors, generation_config.json and the tokenizer's files to a folder.

    Adapters are merged into the weights. generation_config.json makes transformers exclude the control tokens from
    responses, as `Policy` does.

    Args:
        policy: A policy that was trained with `--trainable full` or `--trainable lora`.
        tokenizer: The policy's tokenizer.
        folder: A folder that is empty or does not exist.

    Raises:
        UserError: The policy is not a language model or has a head, the tokenizer does not belong to the policy, or the
            folder is not empty.
    """
    if not isinstance(policy, Policy):
        raise UserError(
            "transformers does not support the LSTMs of RL-Seq2Seq; export a policy trained with another algorithm"
        )
    if policy.trainable == "head":
        raise UserError(
            "a policy trained with --trainable head cannot be exported, because transformers does not support its "
            "head; export a policy trained with --trainable full or lora"
        )
    config = policy.network.config
    if (len(tokenizer), tokenizer.end) != (config.vocab_size, config.eos_token_id):
        raise UserError(
            f"the tokenizer has {len(tokenizer)} tokens and ends responses with token {tokenizer.end}, but the policy "
            f"has {config.vocab_size} tokens and ends responses with token {config.eos_token_id}"
        )
    path = refuse_non_empty(folder)
    tokenizer.save(path)
    write_network(path, policy.network)
    generation = {
        "eos_token_id": tokenizer.end,
        "pad_token_id": tokenizer.end,
        "suppress_tokens": tokenizer.control_ids,
    }
    with replacing(path / "generation_config.json") as temporary:
        temporary.write_text(json.dumps(generation, indent=2), encoding="utf-8")
