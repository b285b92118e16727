"""Validation during imitation: evaluates the policy and the discriminator on held-out trajectories."""

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.imitation import diagnostics
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.phases import Stage
from gail_tf.imitation.rollouts import Collector

VALIDATION_RESPONSES = 64  # the number of responses that are sampled to measure the reward on held-out prompts


class Validation:
    """A validator that measures the perplexity and the discriminator's rewards on held-out trajectories.

    Every validation samples responses with the same noise, so results from different validations are comparable.

    Args:
        config: The settings, including `validation_frequency`.
        collector: The collector of responses to the held-out prompts.
        judge: The judge that scores these responses.
    """

    def __init__(self, config: GAILConfig, collector: Collector, judge: Judge):
        self.config, self.collector, self.judge = config, collector, judge
        self.perplexity = Perplexity(collector.policy)

    def measure(self, stage: Stage) -> dict[str, float]:
        """Run a validation if one is due after this update.

        A validation is due every `--validation-frequency` updates and after the last update. For an algorithm without a
        judge, only the perplexity is measured.

        Args:
            stage: The update that has just ended.

        Returns:
            The log's `val_` columns, or an empty dictionary if no validation is due.
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
