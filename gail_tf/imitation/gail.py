"""Algorithm 1: generative adversarial imitation of expert responses, with maximum likelihood before it.

The algorithm is a list of stages (`schedule`); `GAILTraining` walks through it and can be stored and restored after
those of its events that say so. All randomness comes from the run's seed and the stage's number, so a resumed training
takes exactly the steps of an uninterrupted one.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.rl_seq2seq import EmotionJudge
from gail_tf.baselines.textgail import TextReader
from gail_tf.build import make_policy
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, plan, take
from gail_tf.data.samples import Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation import discriminator_losses, phases, ppo_losses, rewards
from gail_tf.imitation.discriminator import DiscriminatorTraining
from gail_tf.imitation.judge import Judgement
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood, Perplexity
from gail_tf.imitation.phases import (
    DISCRIMINATOR,
    IMITATION,
    MAXIMUM_LIKELIHOOD,
    PRETRAINING,
    Stage,
    schedule,
    steps_on_a_buffer,
)
from gail_tf.imitation.ppo import PolicyTraining
from gail_tf.imitation.reference import Reference
from gail_tf.imitation.rollouts import Collector, Rollouts, draw_rows
from gail_tf.imitation.trpo import TrustRegionTraining
from gail_tf.models.gpt2 import GPT2
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.learner import Learner, check_warm_up
from keras_gca.engine.staged_training import Event, StagedTraining, collected, numbered, place_of
from keras_gca.engine.variables import assign
from keras_gca.errors import DivergedError
from keras_gca.evaluation import reply_metrics

VALIDATION_RESPONSES = 64  # drawn for the reward on held-out prompts


@dataclass
class GAILTraining(StagedTraining):
    """Walks through Algorithm 1: `for event in training: ...`.

    tokenizer, gpt2: the policy's; with `--trainable lora` gpt2 has adapters; for `--algorithm rl_seq2seq` it is None,
    and emotions classifies prompts and responses. training, validation: expert trajectories.
    general: text to pretrain on (`samples.running_text`), or None for a GPT-2 that is pretrained already. reader: D's
    RoBERTa, with `--discriminator-encoder roberta`.
    """

    config: GAILConfig
    tokenizer: Tokenizer
    gpt2: GPT2 | None
    training: Samples
    validation: Samples
    general: Batch | None = None
    reader: TextReader | None = None
    emotions: EmotionClassifier | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self):
        config = self.config
        self.stages = schedule(config, from_scratch=self.general is not None)
        self.sampling = Sampling(config.response_tokens, config.top_p, config.temperature, config.counting)
        self.policy = self._new_policy()
        per_token = config.discriminator == "token"
        self.reference = Reference(self._twin(), self.sampling, per_token, self.policy.frozen_features)
        parts = self.policy, self.reference, self.tokenizer
        drawn = config.rollouts * sum(stage.phase in (DISCRIMINATOR, IMITATION) for stage in self.stages)
        together, keep = config.decoding_batch_size, drawn > len(self.training)
        recompute = config.old_log_probs == "recomputed"
        self.collector = Collector(*parts, self.training, self.sampling, together, keep, recompute)
        self._held_out = Collector(*parts, self.validation, self.sampling, together)
        self._perplexity = Perplexity(self.policy)
        self.discriminator = self._new_discriminator()
        self._judge = self.discriminator or EmotionJudge(self.emotions)
        self.policy_training = PolicyTraining(self.policy, config, self.sampling)
        self._trust_region = TrustRegionTraining(self.policy, config, self.sampling)
        self._statistics = rewards.RewardStatistics.initial()
        self._kl_coefficient = config.kl_coefficient
        self._pretrained = self._to_pretrain() if self.general is not None else None
        self._likelihood: MaximumLikelihood | None = None  # of the phase in hand
        for phase in {stage.phase for stage in self.stages} & {PRETRAINING, MAXIMUM_LIKELIHOOD}:
            check_warm_up(config.warmup_steps, self._total_steps(phase))
        self._position = 0  # of the stage in hand
        self._step = 0  # steps of it that are done, in epochs of maximum likelihood
        self._sums = np.zeros(2)  # over these steps
        if self.imitates:
            self._stand_reference()

    @property
    def imitates(self) -> bool:
        """Whether maximum likelihood is done, and the reference stands."""
        return self.phase in (DISCRIMINATOR, IMITATION, None)

    def _walks(self) -> dict[str, Callable[[Stage], Iterator[Event]]]:
        return {
            PRETRAINING: self._walk_likelihood,
            MAXIMUM_LIKELIHOOD: self._walk_likelihood,
            DISCRIMINATOR: self._walk_discriminator,
            IMITATION: self._walk_imitation,
        }

    # Maximum likelihood

    def _walk_likelihood(self, stage: Stage) -> Iterator[Event]:
        likelihood, text = self._likelihood_of(stage.phase), self._text_of(stage.phase)
        size, seeds = self.config.batch_size, self._seeds()
        batches = plan(text.condition_lengths, size, seeds[0], text.response_lengths)
        while self._step < len(batches):
            batch = take(text, batches[self._step], size)
            sums = [float(value) for value in likelihood.step(batch, (seeds[1], self._step))]
            _refuse_nan(sums[0], stage.phase, "mle" if stage.phase == MAXIMUM_LIKELIHOOD else "pretraining")
            self._sums += sums
            self._step += 1
            yield Event(stage, self._step, len(batches), self._likelihood_metrics())
        row = self._likelihood_metrics() | {"val_perplexity": likelihood.perplexity(self.validation.batch)}
        self._step, self._sums = 0, np.zeros(2)
        if stage.phase == PRETRAINING and self._pretrains_apart:
            assign(list(self.gpt2.weights.values()), self._pretrained.variables)
        yield self._end(stage, len(batches), row)

    def _likelihood_metrics(self) -> dict[str, float]:
        loss = float(self._sums[0] / self._sums[1])
        return {"loss": loss, "perplexity": math.exp(min(loss, 700))}

    def _text_of(self, phase: str) -> Batch:
        return self.general if phase == PRETRAINING else self.training.batch

    def _total_steps(self, phase: str) -> int | None:
        config = self.config
        epochs = config.pretraining_epochs if phase == PRETRAINING else config.mle_epochs
        return config.total_steps(math.ceil(len(self._text_of(phase).condition) / config.batch_size), epochs)

    def _likelihood_of(self, phase: str) -> MaximumLikelihood:
        if self._likelihood is None:
            config = self.config
            if phase == PRETRAINING:
                policy, rate = self._pretrained, config.pretraining_learning_rate
            else:
                policy, rate = self.policy, config.mle_learning_rate
            learner = Learner(
                policy.trainable_variables,
                rate,
                config.weight_decay,
                config.warmup_steps,
                config.gradient_clip,
                self._total_steps(phase),
            )
            self._likelihood = MaximumLikelihood(policy, learner)
        return self._likelihood

    # Imitation

    def _walk_discriminator(self, stage: Stage) -> Iterator[Event]:
        rollouts = self._collect(stage, human_ratio=0.0)
        yield Event(stage, 1, 2, {}, resumable=False)
        per_buffer = steps_on_a_buffer(self.config)
        steps = min(per_buffer, self.config.discriminator_steps - (stage.number - 1) * per_buffer)
        row = self._judgement(rollouts, self._judge.judge(rollouts.given, rollouts.expert))
        row |= self._train_discriminator(rollouts, steps=steps)
        yield self._end(stage, 2, row)

    def _walk_imitation(self, stage: Stage) -> Iterator[Event]:
        """One turn of Algorithm 1's loop: sample, collect scores from D, update the policy by PPO, update D."""
        config, began = self.config, time.monotonic()
        ratio = phases.human_ratio(stage.number - 1, stage.of, config.human_ratio)
        rollouts = self._collect(stage, ratio)
        lengths = rollouts.batch.response_lengths
        expert_length = float(self.training.batch.response_lengths[rollouts.rows].mean())
        judgement = self._judge.judge(rollouts.given, rollouts.expert)
        row = self._judgement(rollouts, judgement)
        update = self._trpo if config.algorithm == "trpo" else self._ppo
        steps = 3 if config.algorithm == "trpo" else config.ppo_epochs * config.steps_in_a_buffer + 2
        yield Event(stage, 1, steps, row, resumable=False)

        normalised = self._rewards(rollouts, judgement.given, expert_length)
        figures = []
        for figure in update(rollouts, *self._advantages(rollouts, normalised)):
            figures.append(figure)
            yield Event(stage, 1 + len(figures), steps, row, resumable=False)
        kl = float(np.mean([figure["kl"] for figure in figures]))
        if config.kl_penalty == "adaptive":
            self._kl_coefficient = float(ppo_losses.adapt_kl_coefficient(self._kl_coefficient, kl, config.kl_target))
        row |= {name: float(np.mean([figure[name] for figure in figures])) for name in figures[0]}
        row["human_ratio"] = ratio
        if config.algorithm != "trpo":
            row["kl_coefficient"] = self._kl_coefficient
        for number in range(config.discriminator_passes):
            row |= self._train_discriminator(rollouts, number)
        generated = rollouts.generated
        row |= self._diversity(rollouts)
        row |= {"response_length": float(lengths[generated].mean()), "expert_length": expert_length}
        row["tokens_per_second"] = float(lengths.sum() / (time.monotonic() - began))
        if stage.number % config.validation_frequency == 0 or stage.number == stage.of:
            row |= self._validate()
        yield self._end(stage, steps, row)

    def _collect(self, stage: Stage, human_ratio: float) -> Rollouts:
        config = self.config
        earlier = self._position - [each.phase in (DISCRIMINATOR, IMITATION) for each in self.stages].index(True)
        rows = draw_rows(len(self.training), config.rollouts, earlier * config.rollouts, config.seed)
        seeds = self._seeds()
        return self.collector.collect(rows, (seeds[0], seeds[1]), config.sample_batch_size, human_ratio)

    def _rewards(self, rollouts: Rollouts, logits: np.ndarray, expert_length: float) -> np.ndarray:
        """Normalised rewards of responses, (B,), or of their tokens, (B, R); the running statistics move on.

        logits: D's of the responses given. Demonstrations, and all their tokens, get a reward of their own.
        """
        config, mask = self.config, rollouts.batch.response_mask
        generated, lengths = rollouts.generated, rollouts.batch.response_lengths
        found = rewards.reward(logits, config.reward_form).numpy()
        if config.token_rewards:
            normalised, self._statistics = rewards.normalise(found, self._statistics, mask & generated[:, None])
            human = mask & rollouts.human[:, None]
            return rewards.with_demonstrations(normalised, human, config.human_reward).numpy()
        if config.discriminator == "token":
            found = rewards.response_reward(found, mask, per="token").numpy()
        if config.length_drift_strength:
            found[generated] = rewards.counter_length_drift(
                found[generated], lengths[generated], expert_length, config.length_drift_strength
            )
        normalised, self._statistics = rewards.normalise(found, self._statistics, generated)
        return rewards.with_demonstrations(normalised, rollouts.human, config.human_reward).numpy()

    def _advantages(self, rollouts: Rollouts, normalised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advantages, and what the value baseline should have said, of responses or of tokens."""
        config, size, width = self.config, self.config.minibatch_size, self.sampling.max_new_tokens
        values = np.concatenate(
            [
                self.policy_training.values(take(rollouts.batch, rows, size, width), rollouts.states_of(rows))
                for rows in np.split(np.arange(config.rollouts), config.rollouts // size)
            ]
        )
        if not config.token_rewards:
            return ppo_losses.response_advantages(normalised, values).numpy(), normalised
        # Without a baseline nothing but the rewards themselves is known: lambda is 1.
        lambda_ = config.gae_lambda if config.value_baseline == "on" else 1.0
        mask = rollouts.batch.response_mask
        found = ppo_losses.generalised_advantages(normalised, values, mask, config.discount, lambda_)
        return tuple(each.numpy() for each in found)

    def _trpo(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray) -> Iterator[dict[str, float]]:
        yield self._trust_region.step(rollouts.batch, rollouts.states, advantages, rollouts.generated)

    def _ppo(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray) -> Iterator[dict[str, float]]:
        config, size = self.config, self.config.minibatch_size
        for epoch in range(config.ppo_epochs):
            # Conditions of like lengths go together, never responses: a minibatch of nothing but long responses would
            # pull at their length.
            for rows in plan(rollouts.batch.condition_lengths, size, self._seeds()[2] + epoch):
                batch = take(rollouts.batch, rows, size)
                width = batch.response.shape[1]  # of the longest response among them
                of_tokens = [each[rows, :width] if each.ndim > 1 else each[rows] for each in (advantages, targets)]
                old = rollouts.log_probs[rows, :width]
                figures = self.policy_training.step(
                    batch,
                    old,
                    *of_tokens,
                    rollouts.generated[rows],
                    self._kl_coefficient,
                    rollouts.states_of(rows, width),
                )
                _refuse_nan(figures["gradient_norm"], IMITATION, "generator")
                yield figures
                if config.kl_stop is not None and figures["kl"] > config.kl_stop:
                    return

    def _train_discriminator(self, rollouts: Rollouts, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """A pass over the generated responses and the experts' to the same prompts.

        number: of the pass over these rollouts. steps: at most so many.
        """
        size, seed = self.config.batch_size, self._seeds()[3]
        order = np.random.default_rng([seed, number]).permutation(np.flatnonzero(rollouts.generated))
        found = []
        for start in range(0, len(order), size)[:steps]:
            rows = order[start : start + size]
            evidence = rollouts.expert.rows(rows, size), rollouts.given.rows(rows, size)
            noise = (seed, number * len(rollouts.rows) + start)
            found.append(self.discriminator.step(*evidence, np.arange(size) < len(rows), noise))
        loss, norm = (float(np.mean([figures[name] for figures in found])) for name in ("loss", "gradient_norm"))
        _refuse_nan(loss + norm, DISCRIMINATOR, "discriminator")
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm}

    def _judgement(self, rollouts: Rollouts, judgement: Judgement) -> dict[str, float]:
        """What D, before it learns from them, holds of the generated responses and of the experts'."""
        generated = rollouts.generated
        # A demonstration that was compared with itself says nothing.
        compared = generated if self.config.discriminator == "contrastive" else np.ones_like(generated)
        own, expert = judgement.given[generated], judgement.expert[compared]
        tokens = rollouts.batch.response_mask[generated]
        if self.config.discriminator == "token":
            own, expert = own[tokens], expert[rollouts.expert.batch.response_mask[compared]]
        distance = (rollouts.log_probs - rollouts.reference)[generated]
        form = self.config.reward_form
        row = {
            "reward_generated": float(np.mean(rewards.reward(own, form))),
            "reward_expert": float(np.mean(rewards.reward(expert, form))),
            "kl_per_token": float(distance[tokens].mean()),
        }
        if self.discriminator is None:
            return row
        return row | {
            "accuracy_generated": float(discriminator_losses.accuracy(own, expert=False)),
            "accuracy_expert": float(discriminator_losses.accuracy(expert, expert=True)),
            "discriminator_entropy": float(discriminator_losses.entropy(np.concatenate([own, expert]))),
        }

    def _diversity(self, rollouts: Rollouts) -> dict[str, float]:
        replies = [
            text.split() for text, generated in zip(rollouts.texts, rollouts.generated, strict=True) if generated
        ]
        return {
            "distinct_2": reply_metrics.distinct(replies, 2),
            "repeated": reply_metrics.repeated(replies),
            "most_common_share": reply_metrics.most_frequent(replies),
        }

    def _validate(self) -> dict[str, float]:
        """Perplexity, and D's reward, on held-out trajectories; always by the same noise."""
        count = len(self.validation)
        rows = np.linspace(0, count - 1, min(VALIDATION_RESPONSES, count)).astype(int)  # of every corpus
        rollouts = self._held_out.collect(rows, (self.config.seed, 0), self.config.sample_batch_size)
        judged = self._judgement(rollouts, self._judge.judge(rollouts.given, rollouts.expert))
        names = ("reward_generated", "accuracy_generated", "accuracy_expert")
        return {
            "val_perplexity": self._perplexity(self.validation.batch),
            **{f"val_{name}": judged[name] for name in names if name in judged},
        }

    # Policies and the discriminator

    def _new_policy(self) -> LanguagePolicy:
        return make_policy(self.config, self.tokenizer, self.gpt2, self.emotions)

    def _new_discriminator(self) -> DiscriminatorTraining | None:
        return None if self.gpt2 is None else DiscriminatorTraining(self.gpt2.config, self.config, self.reader)

    def _twin(self) -> LanguagePolicy:
        """A policy of the same form, to be the reference. A frozen GPT-2 is shared, not doubled."""
        config = self.config
        if self.gpt2 is None or config.trainable == "head":
            return self._new_policy()
        return Policy(GPT2(self.gpt2.config, config.seed, self.gpt2.adapters, config.precision), config.trainable)

    @property
    def _pretrains_apart(self) -> bool:
        """Whether another network is pretrained than the one that learns afterwards, and its weights are copied."""
        return self.gpt2 is not None and self.gpt2.adapters is not None

    def _to_pretrain(self) -> LanguagePolicy:
        """All of the network: below adapters, and below a head, no gradient passes."""
        if self.gpt2 is None:
            return self.policy
        if self._pretrains_apart:
            return Policy(GPT2(self.gpt2.config, self.config.seed, precision=self.config.precision), "full")
        return Policy(self.gpt2, "full")

    # The reference, and the end of a stage

    def _stand_reference(self) -> None:
        """The reference, and an encoder of D's own, become what the policy is now."""
        self.collector.forget()
        assign(self.reference.policy.variables, self.policy.variables)
        if self.discriminator is not None and self.discriminator.encoder is not None:
            assign(list(self.discriminator.encoder.weights.values()), list(self.gpt2.merged().values()))

    def _end(self, stage: Stage, steps: int, row: dict[str, float]) -> Event:
        reply_metrics = {name: value for name, value in row.items() if not name.startswith("val_")}
        row = {"phase": stage.phase, "number": stage.number, **row}
        self.history.append(row)
        began = self.imitates
        self._position += 1
        if self.imitates and not began:
            self._stand_reference()
        if stage.number == stage.of:
            self._likelihood = None
        return Event(stage, steps, steps, reply_metrics, row)

    def _seeds(self) -> list[int]:
        """Four seeds of the stage in hand."""
        sequence = np.random.SeedSequence([self.config.seed, self._position])
        return [int(seed >> 1) for seed in sequence.generate_state(4)]

    # Storing and restoring

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that the rest of the training depends on: facts for JSON, and named arrays."""
        facts = {
            "position": self._position,
            "step": self._step,
            "sums": self._sums.tolist(),
            "kl_coefficient": self._kl_coefficient,
            "history": list(self.history),
        }
        arrays = {f"statistics/{name}": np.array(value) for name, value in self._statistics._asdict().items()}
        for name, variables in self._variables().items():
            arrays |= numbered(name, [variable.numpy() for variable in variables])
        return facts, arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Return to a stored state of a training with the same config and data.

        Raises KeyError or ValueError where the state is none of such a training.
        """
        self._position, self._step, self.history = place_of(facts, len(self.stages))
        self._sums = np.array(facts["sums"])
        self._kl_coefficient = facts["kl_coefficient"]
        if collected("likelihood_optimizer", arrays):
            self._likelihood_of(self.phase)
        for name, variables in self._variables().items():
            assign(variables, collected(name, arrays))
        self._statistics = rewards.RewardStatistics(arrays["statistics/mean"], arrays["statistics/variance"])
        self.collector.forget()

    def _variables(self) -> dict[str, list[keras.Variable]]:
        """What is to be stored now: all that differs from a new training's."""
        found = {"policy": self.policy.variables}
        if self.phase == PRETRAINING and self._pretrains_apart:
            found["pretrained"] = self._pretrained.variables
        if self._likelihood is not None:
            found["likelihood_optimizer"] = self._likelihood.learner.optimizer.variables
        if self.imitates:
            training = self.policy_training
            found["reference"] = self.reference.policy.variables
            if self.discriminator is not None:
                found["discriminator"] = self.discriminator.variables
                found["discriminator_optimizer"] = self.discriminator.learner.optimizer.variables
            found["generator_optimizer"] = training.learner.optimizer.variables
            if training.value is not None:
                found["value"] = training.value.trainable_variables
                found["value_optimizer"] = training.value_learner.optimizer.variables
        return found


def _refuse_nan(value: float, phase: str, rate: str) -> None:
    if not math.isfinite(value):
        name = phase.replace("_", " ")
        raise DivergedError(f"{name} has diverged: its loss is no number any more; try a lower --{rate}-learning-rate")
