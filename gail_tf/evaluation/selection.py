"""Selection of a policy's responses by the discriminator D, as an alternative to imitation training.

The policy has been trained only by maximum likelihood. For an ideal D, the odds that an expert wrote a response equal
the experts' probability of the response divided by the policy's probability. One of N responses is chosen with a
probability proportional to D's odds. The larger N is, the closer the chosen responses come to the experts' distribution
(sampling-importance resampling, Rubin 1987), although the policy's weights do not change.

Two other methods serve as controls. A random choice yields the unchanged policy's responses. Choosing the most likely
response shows the effect of merely reducing diversity.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.data.batches import take
from gail_tf.data.samples import Samples
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD
from gail_tf.policies.sampling import Sampling

BY_ODDS, AT_RANDOM, BY_LIKELIHOOD = "selection_by_odds", "selection_at_random", "selection_by_likelihood"
SELECTIONS = (AT_RANDOM, BY_LIKELIHOOD, BY_ODDS)  # the ways of choosing, which are listed like policies


def speakers_of(agent: GAILAgent) -> tuple[str, ...]:
    """Return the names of an agent's policies and, for `--algorithm selection`, of the methods in SELECTIONS."""
    return (*agent.generators, *(SELECTIONS if agent.config.algorithm == "selection" else ()))


class Selector:
    """A chooser among candidate responses, which the policy trained only by maximum likelihood generates.

    Args:
        agent: The agent whose D judges the candidates.
        samples: The encoded trajectories to answer.
        size: The number of responses to sample and judge at a time.
    """

    def __init__(self, agent: GAILAgent, samples: Samples, size: int):
        self._agent, self._samples = agent, samples
        self._count = agent.config.rollout.selection_candidates
        self._prompts = max(size // self._count, 1)
        self._candidates = lru_cache(maxsize=1)(self._draw)  # all ways of choosing share the same candidates

    def respond(
        self,
        name: str,
        rows: np.ndarray,
        seed: int,
        sampling: Sampling,
        report: Callable[[int], object] = lambda _: None,
    ) -> list[str]:
        """Choose a response for each of the given trajectories.

        Args:
            name: One of SELECTIONS.
            rows: The indices of the m trajectories to answer, as an int64 array of shape (m,).
            seed: The seed for sampling candidates and for choosing.
            sampling: How candidates are sampled.
            report: A function that is called with 1 after each choice.

        Returns:
            m texts in the order of `rows`, with a single space in place of each run of white space.
        """
        texts, logits, likelihoods = self._candidates(tuple(rows.tolist()), seed, sampling)
        chosen = []
        for row, said, judged, likely in zip(rows, texts, logits, likelihoods, strict=True):
            draw = np.random.default_rng([seed, int(row)])
            chosen.append(" ".join(said[choice(name, judged, likely, draw)].split()))
            report(1)
        return chosen

    def _draw(
        self, rows: tuple[int, ...], seed: int, sampling: Sampling
    ) -> tuple[list[list[str]], np.ndarray, np.ndarray]:
        """Sample N candidates for each of m trajectories.

        Returns:
            The texts as m lists of N, and two arrays of shape (m, N): D's expert logits and the log-likelihoods.
        """
        agent, batch, count = self._agent, self._samples.batch, self._count
        numbers = np.array(rows)
        order = np.argsort(batch.condition_lengths[numbers], kind="stable")
        texts: list[list[str]] = [[] for _ in rows]
        logits, likelihoods = np.zeros((len(rows), count)), np.zeros((len(rows), count))
        for start in range(0, len(rows), self._prompts):
            places = order[start : start + self._prompts]
            part = numbers[places]
            asked = take(batch, part)
            drawn = agent.policies[MAXIMUM_LIKELIHOOD].sample(
                asked.condition,
                asked.condition_mask,
                (seed, 0),
                sampling,
                (part[:, None] * count + np.arange(count)).ravel().astype(np.int32),
                count,
            )
            tokens, mask, log_probs = (array.numpy() for array in drawn)
            said = [agent.tokenizer.decode(row[seen]).strip() for row, seen in zip(tokens, mask, strict=True)]
            asked_of = [self._samples.trajectories[row] for row in part]
            read = [(*one.history, one.prompt) for one in asked_of]
            logits[places] = agent.expert_logits(asked, tokens, mask, read, said).reshape(-1, count)
            likelihoods[places] = log_probs.sum(1).reshape(-1, count)
            for number, place in enumerate(places):
                texts[place] = said[number * count : (number + 1) * count]
        return texts, logits, likelihoods


def choice(name: str, logits: np.ndarray, likelihoods: np.ndarray, draw: np.random.Generator) -> int:
    """Choose one of N candidates.

    Args:
        name: One of SELECTIONS. BY_ODDS chooses a candidate with a probability proportional to D's odds, exp(logit).
            AT_RANDOM gives all candidates the same probability. BY_LIKELIHOOD chooses the most likely candidate.
        logits: D's expert logits, shape (N,).
        likelihoods: The log-likelihoods of the candidates under the policy, shape (N,).
        draw: The source of random numbers.

    Returns:
        The index of the chosen candidate.
    """
    if name == BY_LIKELIHOOD:
        return int(np.argmax(likelihoods))
    scores = logits if name == BY_ODDS else np.zeros(len(logits))
    return int(np.argmax(scores + draw.gumbel(size=len(scores))))
