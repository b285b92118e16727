"""The data of a run: expert trajectories in three splits, and general conversations for pretraining."""

import dataclasses
from collections.abc import Sequence

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Rows
from gail_tf.data.listening import Profile, training_profiles
from gail_tf.data.samples import ExpertSamples, PromptClassifier, Samples, running_text
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory

PARTS = ("train", "test", "validation")


@dataclasses.dataclass(frozen=True)
class Data:
    """Expert trajectories in three splits, and general conversations for pretraining.

    Attributes:
        train: Trajectories for training.
        test: Trajectories for the final evaluation.
        validation: Trajectories for evaluation during training.
        general: General conversations, each as a sequence of its utterances. Empty if no network is to be pretrained.
    """

    train: Sequence[Trajectory]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    general: Sequence[tuple[str, ...]] = ()

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """The conversations in `general` and `train`, each as a tuple of its utterances."""
        # The last trajectory of each conversation, which has the longest history.
        last = {trajectory.conversation: trajectory for trajectory in self.train}
        return [*self.general, *((*longest.history, longest.prompt, longest.response) for longest in last.values())]

    def samples(self, tokenizer: Tokenizer, config: GAILConfig, emotions: PromptClassifier | None) -> ExpertSamples:
        """Encode the trajectories to train on.

        Args:
            tokenizer: The policy's tokenizer.
            config: The settings of the run.
            emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.
        """
        profiles = None
        if config.data.listener_profile == "on":
            profiles = training_profiles([trajectory.response for trajectory in self.train], config.seed)
        return encoded(tokenizer, self.train, config, emotions, profiles)

    def running_text(self, tokenizer: Tokenizer, length: int) -> Rows | None:
        """Encode the text for pretraining; see `samples.running_text`.

        Args:
            tokenizer: The policy's tokenizer.
            length: The maximum number of tokens in a piece.

        Returns:
            The text, or None if no network is pretrained.
        """
        return running_text(tokenizer, self.training_text, length) if self.general else None


def encoded(
    tokenizer: Tokenizer,
    trajectories: Sequence[Trajectory],
    config: GAILConfig,
    emotions: PromptClassifier | None,
    profiles: Sequence[Profile] | None = None,
) -> Samples:
    """Encode trajectories with the settings of a run; see `Samples.encode`."""
    settings = config.data
    limits = settings.condition_tokens, settings.response_tokens, settings.sentiment == "on", emotions
    return Samples.encode(tokenizer, trajectories, *limits, settings.sentiment_history == "on", profiles)
