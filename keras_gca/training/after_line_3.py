"""The settings that may change when a run starts from the teacher-forced generator of another run."""

from typing import Any

from keras_gca.config import Config

# `train --start-from` starts a run from the generator that another run had after line 3 of Algorithm 2. The new run may
# differ from the other run in these settings only. The pairs do not depend on these settings, and line 3 is not run
# again.
AFTER_LINE_3 = (
    "discriminator_sentence_embedding_size",
    "discriminator_hidden_size",
    "dropout",
    "hidden_dropout",
    "context_dropout",
    "context_paraphrases",
    "answer_dropout",
    "ranking_epochs",
    "keyword_epochs",
    "algorithm",
    "adversarial_epochs",
    "machine_pairs",
    "self_conversation_turns",
    "machine_contexts",
    "machine_temperature",
    "machine_top_p",
    "replay",
    "discriminator_epochs",
    "label_smoothing",
    "instance_noise",
    "spectral_normalisation",
    "generator_epochs",
    "generator_loss",
    "generator_tokens",
    "gumbel_temperature",
    "simulated_turns",
    "curriculum_epochs",
    "ease_of_answering_weight",
    "information_flow_weight",
    "semantic_coherence_weight",
    "interleaved_epochs",
    "final_epochs",
    "discriminator_learning_rate",
    "generator_learning_rate",
    "interleaved_learning_rate",
    "adversarial_batch_size",
    "precision",
    "checkpoint_minutes",
)


def after_line_3(preset: str) -> dict[str, Any]:
    """Return those settings of a preset that are listed in AFTER_LINE_3.

    Raises:
        UserError: There is no such preset.
    """
    values = Config.preset(preset).to_values()
    return {name: values[name] for name in AFTER_LINE_3}
