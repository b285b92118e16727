"""The presets `paper`, `author`, `default`, `large` and `tiny`, with the settings in which each differs from the paper.

A comment next to a value explains each departure from the paper.
"""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Every number of Section 5. The paper gives one learning rate for the generator, which is used in lines 3, 9 and
    # 11. The default of `machine_contexts` follows the author's program rather than the paper, so that older runs keep
    # their contexts.
    "paper": {"machine_contexts": "utterances"},
    # The rates and epochs of the author's adversarial programs. Apart from these, his programs differ from the paper
    # only in the padding and the contractions, which have their own options; see docs/fidelity.md.
    "author": {
        "generator_epochs": 4,
        "final_epochs": 1,
        "discriminator_learning_rate": 1e-6,
        "generator_learning_rate": 1e-6,
    },
    # These values train on the embedded corpus (25,600 pairs) in a quarter of an hour on two CPU cores; see
    # docs/fidelity.md.
    "default": {
        "context_utterances": 1,
        "minimum_count": 2,
        "teacher_forcing_epochs": 14,
        "teacher_forcing_learning_rate": 2.5e-3,
        "learning_rate_decay": 0.88,
        "batch_size": 32,
        "hidden_size": 1024,
        # Half of the number in Xing et al. 2017, because the vocabulary and the hidden layer are small: with 100 words,
        # a step of teacher forcing takes a fifth longer than without topics.
        "topic_words": 50,
        "dropout": 0.1,
        "hidden_dropout": 0.2,
        "context_dropout": 0.15,
        "context_paraphrases": 0.4,
        "answer_dropout": 0.3,
        "average_epochs": 2.0,
        "precision": "bfloat16",
        "ranking_epochs": 6,
        "adversarial_epochs": 2,
        "machine_pairs": 2000,
        "discriminator_epochs": 3,
        "discriminator_learning_rate": 1e-3,
        "generator_learning_rate": 2e-5,
        "interleaved_learning_rate": 1e-5,
        "adversarial_batch_size": 32,
    },
    # The paper's sizes, for corpora of more than 100,000 pairs, such as DailyDialog and EmpatheticDialogues together.
    # Line 3 ends when the held-out perplexity stops falling. On a CPU without instructions for bfloat16, `--precision
    # float32` is faster. See docs/fidelity.md.
    "large": {
        "teacher_forcing_epochs": 40,
        "patience": 2,
        "teacher_forcing_learning_rate": 1e-3,
        "learning_rate_decay": 0.9,
        "batch_size": 64,
        "dropout": 0.1,
        "hidden_dropout": 0.2,
        "average_epochs": 1.0,
        "precision": "bfloat16",
        "adversarial_epochs": 2,
        "discriminator_epochs": 3,
        "discriminator_learning_rate": 1e-3,
        "generator_learning_rate": 2e-5,
        "interleaved_learning_rate": 1e-5,
        "adversarial_batch_size": 64,
    },
    # A training run that takes seconds, for tests and for a first trial with one's own data
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
