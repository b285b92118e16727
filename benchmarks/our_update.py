"""One update of Algorithm 1 in `gail_tf`, measured phase by phase."""

import numpy as np

from benchmarks.costs import flops, learning_flops
from benchmarks.exercise import JUDGING, LEARNING, REFERENCE, REST, SAMPLING, Exercise
from benchmarks.measure import Stopwatch
from gail_tf.build import adapters_of, make_networks
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.layouts import END_OF_TEXT
from gail_tf.data.samples import Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation.gail import GAILTraining
from gail_tf.models.gpt2_config import GPT2Config

UPDATES = 100  # more than any benchmark runs


def settings(exercise: Exercise, trainable: str = "full", precision: str = "float32") -> GAILConfig:
    """Return the paper's settings, with changes that give all updates and all contestants the same amount of work."""
    sizes, dimensions = exercise.sizes, {}
    if isinstance(sizes, GPT2Config):  # the settings do not describe other networks, which are read from files
        dimensions = {name: getattr(sizes, name) for name in ("n_layer", "n_head", "n_embd", "n_positions")}
    return GAILConfig(
        **dimensions,
        condition_tokens=exercise.prompt,
        response_tokens=exercise.response,
        sentiment="off",
        trainable=trainable,
        mle_epochs=0,
        discriminator_steps=0,
        updates=UPDATES,
        rollouts=exercise.rollouts,
        sample_batch_size=exercise.sample_batch,
        minibatch_size=exercise.minibatch,
        batch_size=exercise.discriminator_batch,
        top_p=exercise.top_p,
        temperature=exercise.temperature,
        human_ratio=0.0,
        warmup_steps=0,
        learning_rate_schedule="constant",
        validation_frequency=UPDATES + 1,
        precision=precision,
    )


class OurUpdate:
    """The updates of a `GAILTraining`, from the first one on. Each call runs one update.

    The measured time includes the computation of all metrics. Each update reads new expert responses, as in a training
    run on the paper's corpus, which is large enough to make reuse unnecessary.
    """

    def __init__(self, exercise: Exercise, trainable: str = "full", precision: str = "float32"):
        self.exercise, self.trainable, self.watch = exercise, trainable, Stopwatch()
        config = settings(exercise, trainable, precision)
        network = exercise.network(adapters_of(config), precision)
        samples = _samples(exercise)
        implementation, end = exercise.tokenizer(), f"word{exercise.sizes.eos_token_id}"
        implementation.add_special_tokens([end])
        tokenizer = Tokenizer(implementation, layout=END_OF_TEXT.ending_with(end))
        training = GAILTraining(config, tokenizer, make_networks(config, tokenizer, network), samples, samples)
        for owner, name, phase in (
            (training.policy, "sample", SAMPLING),
            (training.reference, "read_with_experts", REFERENCE),
            (training.optimiser, "step", LEARNING),
            (training.judge, "judge", JUDGING),
            (training.judge, "step", JUDGING),
        ):
            setattr(owner, name, self.watch.timed(phase, getattr(owner, name)))
        self._rows = (event.row for event in training if event.row is not None)

    def __call__(self) -> int:
        """Run one update and return the number of tokens in its responses."""
        with self.watch.during(REST):
            row = next(self._rows)
        assert row["response_length"] == self.exercise.response, "a response has ended early"
        return self.exercise.tokens

    @property
    def flops(self) -> dict[str, float]:
        """The number of floating-point operations in an update, by phase, except the discriminator's few operations."""
        return update_flops(self.exercise, self.trainable)


def update_flops(exercise: Exercise, trainable: str = "full") -> dict[str, float]:
    """Return the number of floating-point operations in one update of `gail_tf`, by phase.

    For sampling, the policy reads each prompt once, then every token of the response except the last, and computes
    logits for each token of the response. The frozen reference policy reads each prompt once, then the policy's and the
    expert's response to it, and computes the log-probabilities of the policy's response.
    """
    sizes, tokens = exercise.sizes, exercise.tokens
    prompts = exercise.rollouts * exercise.prompt
    read = prompts + tokens - exercise.rollouts
    return {
        SAMPLING: flops(sizes, read, tokens),
        REFERENCE: flops(sizes, prompts + 2 * tokens, tokens),
        LEARNING: learning_flops(sizes, read, tokens, trainable),
    }


def _samples(exercise: Exercise) -> Samples:
    """Make enough trajectories for every update to use its own."""
    arrays = exercise.prompts(), exercise.expert_responses()
    condition, response = (np.tile(each, (UPDATES, 1)) for each in arrays)
    batch = Batch(condition, np.ones_like(condition, bool), response, np.ones_like(response, bool))
    trajectory = Trajectory((), "I have not slept for two days.", "What is it that keeps you awake?")
    nothing = np.zeros(len(condition), np.float32)
    return Samples(
        batch, np.stack([nothing, nothing], 1), nothing, (trajectory,) * len(condition), ("",) * len(condition)
    )
