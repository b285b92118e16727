"""Algorithm 2 as a whole: end-to-end adversarial training by backpropagation.

The algorithm is a list of stages (`schedule`), and a stage is one epoch of one line. `AdversarialTraining` runs the
stages in turn, and its state can be stored and restored after any step (`state`). All random numbers depend only on the
seed of the run and the number of the stage, so a resumed run takes exactly the same steps as an uninterrupted one.

G is the generator, and D the discriminator. H is the set of human pairs, and M the set of pairs that G generates.
"""

from collections.abc import Iterator

import numpy as np

from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.keywords import beginnings
from keras_gca.data.pairs import Pairs
from keras_gca.data.paraphrases import paraphrased
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine.staged_training import Event
from keras_gca.training.dialogue_training import DialogueEpoch
from keras_gca.training.discriminator import labelled_batches
from keras_gca.training.held_out import diversity
from keras_gca.training.learner import BlockLearner
from keras_gca.training.schedule import TEACHER_FORCING, Stage, simulated_turns
from keras_gca.training.self_conversation import (
    choose_seeds,
    converse,
    kept_for_replay,
    seeds_with_utterances,
    with_replay,
)
from keras_gca.training.simulation import openings
from keras_gca.training.state import AdversarialState, present


class AdversarialTraining(AdversarialState):
    """Algorithm 2, run step by step. Each iteration of `for event in training: ...` takes a step, and then yields an
    event.

    Between two events, the state of training can be stored (`state`). A loop may end at any event; the next loop
    continues from there. The human pairs H are stored in `training`, and the machine-generated pairs M in the first
    element of `machine`.
    """

    def walk_through(self, stage: Stage) -> Iterator[Event]:
        """Run one epoch of a line of Algorithm 2, and yield an event after each step.

        The loop over lines 4 to 12 is in `schedule`. Lines 7, 8 and 10, which copy weights between networks, have no
        counterpart here, because the networks share their layers.
        """
        match stage.line:
            case 3:
                yield from self.teacher_forcing(stage)  # G and the word vectors learn H's answers
            case 5:
                yield from self.self_conversation(stage)  # G answers contexts from H, then its own answers, giving M
            case 6:
                yield from self.discriminator(stage)  # D learns to tell H from M
            case 9 if self.config.simulates_conversations:
                yield from self.dialogues(stage)  # G learns from the rewards of conversations with itself
            case 9:
                yield from self.generator(stage)  # G learns, through the frozen D, to appear human
            case 11:
                yield from self.teacher_forcing(stage)  # G learns H's answers again, without the word vectors

    def teacher_forcing(self, stage: Stage) -> Iterator[Event]:
        """Train the generator for one epoch of teacher forcing (line 3 or 11 of Algorithm 2)."""
        learner, size = self._learner(stage)
        order, dropout, similar, split = self._seeds()
        training = self.training
        if self.paraphrases is not None and isinstance(training, Pairs):
            training = paraphrased(training, self.paraphrases, self.config.context_paraphrases, similar)
        if self.split_words is not None and isinstance(training, Pairs):
            training = beginnings(training, self.split_words, split)
        batches = plan_batches(training, size, order)
        for number, batch in self.remaining(batches):
            result = learner.step(*take_batch(training, batch, size), seed=(dropout, number))
            yield self.step_is_done(stage, learner, len(batches), result)
        with learner.averaged():
            held_out = self.held_out.perplexity()
            if stage.line == 3:
                self.keep_generator(held_out["val_perplexity"])
        event = self.epoch_is_done(stage, learner, len(batches), held_out)
        if stage.line == 3:
            self.return_to_kept_generator()
        yield event

    def self_conversation(self, stage: Stage) -> Iterator[Event]:
        """Generate the pairs M (line 5 of Algorithm 2) and, for validation, pairs from held-out contexts."""
        config, (*seeds, kept, _) = self.config, self._seeds()
        numbers = config.machine_pairs, min(len(self.validation), config.machine_pairs)
        sources = [
            self._contexts(*chosen) for chosen in zip((self.training, self.validation), numbers, seeds, strict=True)
        ]
        sampled = self._reinforce or config.machine_temperature is not None
        temperature = 1.0 if config.machine_temperature is None else config.machine_temperature
        total, done, machine = sum(numbers), 0, []
        for (source, before), seed in zip(sources, seeds, strict=True):
            parts = []
            for answered, pairs in converse(
                self.decoder,
                source,
                self._turns,
                seed if sampled else None,
                temperature=temperature,
                top_p=config.machine_top_p,
                before=before,
            ):
                parts.append(pairs)
                if done + answered < total:
                    yield Event(stage, done + answered, total, {})
            done += len(source)
            machine.append(Pairs.concatenate(parts))
        if config.replay and self.machine is not None:
            self.earlier = kept_for_replay(self.earlier, self.machine[0], stage.iteration - 1, kept)
        self.machine = (machine[0], machine[1])
        yield self._end(stage, total, {}, diversity(machine[0]))

    def _contexts(self, pairs: Pairs | TokenPairs, count: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Choose the contexts from which self-conversation (line 5) starts.

        Returns:
            The contexts, shape (count, s_s), and their last utterances (see `seeds_with_utterances`). The utterances
            are None if line 5 does not need them.
        """
        config = self.config
        if config.machine_contexts == "answer" or config.predict != "answer" or self._turns == 1:
            return choose_seeds(pairs, count, seed), None
        words = self.gca.layers.shared.input_dim if config.names_speakers else None
        utterances = config.context_utterances - 1
        return seeds_with_utterances(pairs, count, seed, utterances, config.hierarchical, words)

    def discriminator(self, stage: Stage) -> Iterator[Event]:
        """Train the discriminator for one epoch (line 6 of Algorithm 2)."""
        learner, size = self._learner(stage)
        chosen, order, noise, replayed = self._seeds()
        machine, machine_held_out = present(self.machine, "M of line 5")
        machine = with_replay(machine, self.earlier, self.config.replay, replayed)
        # Use only as many human pairs as there are machine-generated pairs, so that both classes have equal weight.
        human = self.training
        if len(human) > len(machine):
            human = human[human.drawn(np.random.default_rng(chosen), len(machine))]
        batches, take = labelled_batches(human, machine, size, order)
        for number, batch in self.remaining(batches):
            result = learner.step(*take(batch), seed=(noise, number))
            yield self.step_is_done(stage, learner, len(batches), result)
        held_out = self.held_out.discriminator(learner, machine_held_out)
        yield self.epoch_is_done(stage, learner, len(batches), held_out)

    def generator(self, stage: Stage) -> Iterator[Event]:
        """Train the generator for one epoch (line 9 of Algorithm 2).

        `GeneratorTraining` learns from the pairs of line 5. `ReinforceTraining` uses only the contexts of these pairs,
        for which the current generator samples new answers.
        """
        learner, size = self._learner(stage)
        order, drawn, *_ = self._seeds()
        machine, machine_held_out = present(self.machine, "M of line 5")
        batches = plan_batches(machine, size, order)
        for number, batch in self.remaining(batches):
            pairs, rows = machine, batch
            if self._reinforce:
                pairs = self._sampled(machine.contexts[batch], drawn + number)
                rows = np.arange(len(pairs))
            result = learner.step(*take_batch(pairs, rows, size), seed=(drawn, number))
            yield self.step_is_done(stage, learner, len(batches), result)
        if self._reinforce:
            machine_held_out = self._sampled(machine_held_out.contexts, order)
        held_out = self.held_out.generator(learner, machine_held_out)
        yield self.epoch_is_done(stage, learner, len(batches), held_out)

    def dialogues(self, stage: Stage) -> Iterator[Event]:
        """Train the generator for one epoch on simulated conversations instead of the pairs of line 5.

        The held-out metrics are always measured on conversations with the maximum number of turns, so they are
        comparable across the epochs of the curriculum.
        """
        config, rewards = self.config, present(self.rewards, "the rewards of conversations")
        rewards.measure_by(present(self.teacher_forced, "the generator of line 3"))
        learner, _ = self._learner(stage)
        order, drawn, chosen, drawn_held_out = self._seeds()
        vocabulary, turns = self.gca.layers.shared.input_dim, simulated_turns(config, stage)
        begun = openings(self.training, config.machine_pairs, chosen, config, vocabulary)
        epoch = DialogueEpoch(self.decoder, rewards, config, begun, turns, drawn, order)
        for number, _ in self.remaining(epoch.batches):
            result = learner.step(*epoch.take(number), seed=(drawn, number))
            yield self.step_is_done(stage, learner, len(epoch.batches), result)
        count = min(len(self.validation), config.machine_pairs)
        begun = openings(self.validation, count, chosen, config, vocabulary)
        held_out = DialogueEpoch(self.decoder, rewards, config, begun, config.simulated_turns, drawn_held_out)
        measured = {"turns": turns} | self.held_out.dialogues(learner, held_out)
        yield self.epoch_is_done(stage, learner, len(epoch.batches), measured)

    def _learner(self, stage: Stage) -> tuple[BlockLearner, int]:
        """Return the learner and the batch size of a stage, and freeze all layers that the stage does not train."""
        config, learner = self.config, self.learners[stage.phase]
        self.gca.select_trainable(*learner.names)
        if stage.phase != TEACHER_FORCING:
            return learner, config.adversarial_batch_size
        decay = config.learning_rate_decay ** (stage.epoch - 1)
        learner.optimizer.learning_rate.assign(config.teacher_forcing_learning_rate * decay)
        return learner, config.batch_size

    def _sampled(self, contexts: np.ndarray, seed: int) -> Pairs:
        """Let the generator sample an answer to each context, and return the pairs of context and answer."""
        return Pairs.concatenate([pairs for _, pairs in converse(self.decoder, contexts, 1, seed)])

    @property
    def _turns(self) -> int:
        """The number of answers that self-conversation (line 5) generates from each seed context."""
        return 1 if self._reinforce else self.config.self_conversation_turns

    @property
    def _reinforce(self) -> bool:
        return self.config.algorithm == "reinforce"
