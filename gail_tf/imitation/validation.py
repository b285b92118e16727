"""Measures the policy and D on held-out trajectories during imitation, for the `val_` columns of the log."""

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.imitation import diagnostics
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.phases import Stage
from gail_tf.imitation.rollouts import Collector

VALIDATION_RESPONSES = 64  # the number of responses that are sampled to measure the reward on held-out prompts


class Validation:
    """Measures perplexity and D's reward on held-out trajectories. D is the discriminator.

    The responses are always sampled with the same noise, so that validations can be compared with each other.

    Args:
        config: The settings, including `validation_frequency`.
        collector: The collector of responses to the held-out prompts.
        judge: The judge of these responses.
    """

    def __init__(self, config: GAILConfig, collector: Collector, judge: Judge):
        self.config, self.collector, self.judge = config, collector, judge
        self.perplexity = Perplexity(collector.policy)

    def measure(self, stage: Stage) -> dict[str, float]:
        """Run a validation if one is due after this update.

        A validation is due after every `--validation-frequency` updates and after the last update. If the algorithm
        uses no judge, only the perplexity is measured.

        Args:
            stage: The update that has ended.

        Returns:
            The columns of the log, whose names begin with `val_`. The result is empty if no validation is due.
        """
        config, batch = self.config, self.collector.samples.batch.some()  # all, as they are in memory
        if stage.number % config.run.validation_frequency and stage.number != stage.of:
            return {}
        count = len(batch.condition)
        perplexity = self.perplexity(batch)
        if config.offline:
            return {"val_perplexity": perplexity}
        rows = np.linspace(0, count - 1, min(VALIDATION_RESPONSES, count)).astype(int)  # evenly spread over the corpus
        rollouts = self.collector.collect(rows, (config.seed, 0), config.rollout.sample_batch_size)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        judged = diagnostics.of_judgement(rollouts, judgement, config, self.judge.discriminates)
        auc = diagnostics.auc(rollouts, judgement, config)
        return diagnostics.held_out(judged, perplexity, auc)
