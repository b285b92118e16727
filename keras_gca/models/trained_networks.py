"""The trained networks of an agent: they generate, judge and measure answers, which are arrays of tokens and not text.

s_s is the maximum number of tokens in a context and in a partial answer. B is the number of contexts in a batch.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary
from keras_gca.engine.variables import assign
from keras_gca.models.decoding import Decoded, Decoder
from keras_gca.models.decoding_settings import Decoding
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.judgement import log_outputs
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, build


class TrainedNetworks:
    """One or more generators, and the discriminator that judges their answers.

    Args:
        config: The settings that the networks were trained with.
        vocabulary: The s_v words that the networks know.
        generators: The name and the weights of each generator; see `Bot`.
        discriminator: The weights of the discriminator; see `Bot`.
        topics: The weights of the topic model, or None; see `Bot`.

    Attributes:
        decoders: The decoder of each generator, by its name.
        judging: The networks whose discriminator judges.
    """

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        generators: dict[str, list[np.ndarray]],
        discriminator: list[np.ndarray],
        topics: list[np.ndarray] | None = None,
    ):
        self.decoders: dict[str, Decoder] = {}
        self._evaluators: dict[str, Evaluator] = {}
        self._whole_answers = config.algorithm == "reinforce"
        self._vocabulary = vocabulary
        model = None if topics is None else TopicModel.of_weights(topics)
        make = partial(build, config, len(vocabulary), speakers=len(vocabulary.speakers), topics=model)
        judge = None
        for name, weights in generators.items():
            gca = make()
            assign(gca.variables(*WHITE, *gca.yellow), weights)
            self.decoders[name] = Decoder(gca)
            self._evaluators[name] = Evaluator(gca)
            if np.array_equal(weights[0], discriminator[0]):  # G and D share word vectors, as after Algorithm 2
                judge = gca
        self.judging = judge or make()
        assign(self.judging.variables(*WHITE, *self.judging.green), discriminator)
        self._judge = PrefixDiscriminator.of(self.judging)

    def decode(
        self,
        generator: str,
        contexts: np.ndarray,
        decoding: Decoding,
        seed: int | Sequence[int],
        unwanted: np.ndarray | None,
    ) -> Decoded:
        """Generate one generator's answers to contexts as tokens, without scores.

        Args:
            generator: The generator's name.
            contexts: (B, s_s) int32, padded on the left.
            decoding: How answers are generated.
            seed: The random seed for sampling: one for all contexts, or one for each of them.
            unwanted: (B, s_s + 1) int32, answers that a beam search must not return, or None; see `Decoder.beam`.

        Returns:
            The answers, (B, s_s + 1) int32, with the probabilities of their tokens.
        """
        return decoding.run(self.decoders[generator], contexts, seed, self._may_say_unknown(), unwanted)

    def n_best(self, generator: str, contexts: np.ndarray, width: int) -> Decoded:
        """Return all answers of a beam search, in the order of log p(y|x) per token, the highest first.

        Args:
            generator: The generator's name.
            contexts: (B, s_s) int32, padded on the left.
            width: The width of the beam, at least 1.

        Returns:
            The answers and probabilities of `Decoded`, as arrays of shape (B, width, ...).

        Raises:
            ValueError: The width is below 1.
        """
        return self.decoders[generator].n_best(contexts, width, 1.0, self._may_say_unknown())

    def _may_say_unknown(self) -> bool:
        return SPECIAL_TOKENS[UNK] in self._vocabulary.surfaces  # UNK is then a real word, as in the author's files

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i, the logarithm of the discriminator's output (Eq. 8), for each token after BOS.

        Args:
            contexts: (B, s) int32, B contexts of at most s tokens, padded on the left.
            answers: (B, s_s + 1) int32, as `frame_answers` makes them: BOS, tokens, EOS, padding.

        Returns:
            (B, s_s) float32, NaN after the end of the answer. If the discriminator was trained on whole answers, all
            values before the last token are NaN as well.
        """
        return log_outputs(self._judge, contexts, answers, whole_answers=self._whole_answers)

    def perplexities(self, pairs: Pairs, batch_size: int = 32) -> dict[str, float]:
        """Compute the perplexity of each generator: exp(total negative log-likelihood / tokens), EOS included.

        Args:
            pairs: The pairs to measure.
            batch_size: The number of pairs that are measured at a time.
        """
        return {name: evaluator.perplexity(pairs, batch_size) for name, evaluator in self._evaluators.items()}

    def token_log_probabilities(self, pairs: Pairs, generator: str | None = None) -> np.ndarray:
        """Compute log p(y_t | x, y) under a generator for every token of the pairs' answers.

        Args:
            pairs: n pairs.
            generator: The generator's name, or None for the first one.

        Returns:
            (n, s_s) float32, NaN after an answer's end.
        """
        return self._evaluators[generator or next(iter(self.decoders))].token_log_probabilities(pairs)
