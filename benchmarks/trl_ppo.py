"""The PPO trainer of Hugging Face's TRL as a contestant. TRL 1.12 is the last release that contains this trainer.

The trainer runs unchanged. It differs from the other contestants in four ways: its value network is as large as the
policy; it takes log-probabilities from the scores that `generate` keeps for the whole vocabulary; it also computes
logits at the prompts' positions; and it does not use nucleus sampling. The trainer also needs a reward model, which is
tiny here because the other contestants have none.
"""

import contextlib
import io
import tempfile

import datasets
import torch
import transformers
from trl.experimental.ppo import PPOConfig, PPOTrainer

from benchmarks.costs import flops, learning_flops
from benchmarks.exercise import JUDGING, LEARNING, REFERENCE, SAMPLING, SIZES, Exercise
from benchmarks.measure import Stopwatch
from benchmarks.torch_gail import torch_gpt2


class TRLUpdate:
    """The updates of TRL's trainer, one per call. Each call runs the trainer's `train()` for one batch.

    The time spent in `generate` counts as SAMPLING, time in the frozen reference policy as REFERENCE, and time in the
    reward model as JUDGING. All other time, including time in the value network, counts as LEARNING.
    """

    def __init__(self, exercise: Exercise):
        self.exercise, self.watch = exercise, Stopwatch()
        gpt2 = exercise.gpt2()
        self.policy, reference = torch_gpt2(gpt2), torch_gpt2(gpt2)
        end = exercise.sizes.eos_token_id
        tiny = {"n_embd": SIZES["tiny"].n_embd, "n_layer": SIZES["tiny"].n_layer, "n_head": SIZES["tiny"].n_head}
        value, reward = (
            transformers.GPT2ForSequenceClassification(
                transformers.GPT2Config.from_dict(gpt2.config.to_hugging_face() | changes | {"num_labels": 1})
            )
            for changes in ({}, tiny)
        )
        for owner, name, phase in (
            (self.policy, "generate", SAMPLING),
            (reference, "forward", REFERENCE),
            (reward.transformer, "forward", JUDGING),
        ):
            setattr(owner, name, self.watch.timed(phase, getattr(owner, name)))
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=exercise.tokenizer(), pad_token=f"word{end}", eos_token=f"word{end}"
        )
        self._folder = tempfile.TemporaryDirectory()
        self._trainer = PPOTrainer(
            args=self._settings(),
            processing_class=tokenizer,
            model=self.policy,
            ref_model=reference,
            reward_model=reward,
            value_model=value,
            train_dataset=datasets.Dataset.from_dict({"input_ids": exercise.prompts().tolist()}),
            data_collator=lambda rows: {"input_ids": torch.tensor([row["input_ids"] for row in rows])},
        )

    def __call__(self) -> int:
        """Run one update and return the number of tokens in its responses."""
        with self.watch.during(LEARNING), contextlib.redirect_stdout(io.StringIO()):
            self._trainer.train()
        return self.exercise.tokens

    @property
    def flops(self) -> dict[str, float]:
        """The number of floating-point operations in an update, by phase, not counting the tiny reward model."""
        sizes, tokens = self.exercise.sizes, self.exercise.tokens
        sequences = self.exercise.rollouts * (self.exercise.prompt + self.exercise.response)
        value = flops(sizes, sequences) + learning_flops(sizes, sequences, 0)
        return {
            SAMPLING: flops(sizes, sequences - self.exercise.rollouts, tokens),
            REFERENCE: flops(sizes, sequences, sequences),
            LEARNING: learning_flops(sizes, sequences, sequences) + value,
        }

    def _settings(self) -> PPOConfig:
        exercise = self.exercise
        return PPOConfig(
            output_dir=self._folder.name,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            lr_scheduler_type="constant",
            total_episodes=exercise.rollouts,
            # The optimizer takes a step after each minibatch. With gradient_accumulation_steps = 16 it would take only
            # one step in the whole update.
            per_device_train_batch_size=exercise.rollouts,
            gradient_accumulation_steps=1,
            num_mini_batches=exercise.rollouts // exercise.minibatch,
            num_ppo_epochs=1,
            local_rollout_forward_batch_size=exercise.sample_batch,
            num_sample_generations=0,
            response_length=exercise.response,
            temperature=exercise.temperature,
        )
