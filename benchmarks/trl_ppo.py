"""The PPO trainer of Hugging Face's TRL as a contestant. TRL 1.12 is the last release that contains this trainer.

The trainer runs unchanged. It differs from the other contestants in four ways: its value network is as large as the
policy; it takes log-probabilities from the scores that `generate` keeps for the whole vocabulary; it also computes
logits at the prompts' positions; and it does not use nucleus sampling. The trainer also needs a reward model, which is
tiny here because the other contestants have none.

With `trainable="lora"`, the policy has adapters by peft, and the reference is the policy without them, which needs no
second network. The value network has adapters too, in place of training all its weights; this is faster than the
trainer's examples, which train all of them.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import datasets
import torch
import transformers
from trl.experimental.ppo import PPOConfig, PPOTrainer

from benchmarks.costs import flops, learning_flops
from benchmarks.exercise import JUDGING, LEARNING, REFERENCE, SAMPLING, Exercise
from benchmarks.measure import Stopwatch
from benchmarks.torch_gail import hugging_face_config, torch_network
from benchmarks.torch_lora import add_adapters, lora_config


class TRLUpdate:
    """The updates of TRL's trainer, one per call. Each call runs the trainer's `train()` for one batch.

    The time spent in `generate` counts as SAMPLING, time in the frozen reference policy as REFERENCE, and time in the
    reward model as JUDGING. All other time, including time in the value network, counts as LEARNING.

    Args:
        exercise: The workload.
        trainable: "full" or "lora".
        precision: The precision of all weights except the adapters, which peft keeps in float32.
    """

    def __init__(self, exercise: Exercise, trainable: str = "full", precision: str = "float32"):
        self.exercise, self.trainable, self.watch = exercise, trainable, Stopwatch()
        lora, dtype, end = trainable == "lora", getattr(torch, precision), exercise.sizes.eos_token_id
        network = exercise.network()
        self.policy = torch_network(network).to(dtype)
        reference = None if lora else torch_network(network).to(dtype)
        value, reward = (
            transformers.AutoModelForSequenceClassification.from_config(hugging_face_config(sizes, num_labels=1))
            for sizes in (exercise.sizes, exercise.tiny)
        )
        value, reward = value.to(dtype), reward.to(dtype)
        if lora:
            add_adapters(value)
            value.score.requires_grad_(True)
        self._time(self.policy, "generate", SAMPLING)
        self._time(reward.base_model, "forward", JUDGING)
        if reference is not None:
            self._time(reference, "forward", REFERENCE)
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
            peft_config=lora_config(self.policy) if lora else None,
        )
        if lora:  # the reference is the policy without its adapters, which the trainer switches off in this context
            self._trainer.null_ref_context = self._timed_context(self._trainer.null_ref_context)

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
        value = flops(sizes, sequences) + learning_flops(sizes, sequences, 0, self.trainable)
        return {
            SAMPLING: flops(sizes, sequences - self.exercise.rollouts, tokens),
            REFERENCE: flops(sizes, sequences, sequences),
            LEARNING: learning_flops(sizes, sequences, sequences, self.trainable) + value,
        }

    def _time(self, owner: torch.nn.Module, name: str, phase: str) -> None:
        setattr(owner, name, self.watch.timed(phase, getattr(owner, name)))

    def _timed_context(self, context: Callable[[], AbstractContextManager]) -> Callable[[], AbstractContextManager]:
        @contextlib.contextmanager
        def timed() -> Iterator[None]:
            with self.watch.during(REFERENCE), context():
                yield

        return timed

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
