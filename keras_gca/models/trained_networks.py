"""The trained networks of an agent, which generate, score, and evaluate answers as arrays of tokens, not text.

s_s is the maximum number of tokens in a context and in a partial answer. B is the number of contexts in a batch.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from keras_gca.config import Config, predicting_beginnings, predicting_contexts
from keras_gca.data.keywords import KeywordModel, Seq2BF
from keras_gca.data.pairs import Pairs, without_speakers
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models.bidirectional import bidirectional, log_p_of_contexts
from keras_gca.models.decoding import Decoded, Decoder, best_of
from keras_gca.models.decoding_settings import Decoding
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.judgement import log_outputs
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, build
from keras_gca.models.seq2bf import Beginnings


class TrainedNetworks:
    """One or more generators, and the discriminator that judges their answers.

    Args:
        config: The settings with which the networks were trained.
        vocabulary: The s_v words of the networks.
        generators: The name and the weights of each generator; see `Bot`.
        discriminator: The weights of the discriminator; see `Bot`.
        backward: The weights of the generator for p(x|y), or None; see `Bot`.
        topics: The weights of the topic model, or None; see `Bot`.
        seq2bf: The parts that build answers around keywords, or None; see `Bot`.

    Attributes:
        decoders: {name of a generator: its decoder}.
        judging: The networks whose discriminator judges the answers.
        beginnings: What begins answers with keywords, or None.
    """

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        generators: dict[str, list[np.ndarray]],
        discriminator: list[np.ndarray],
        backward: list[np.ndarray] | None = None,
        topics: list[np.ndarray] | None = None,
        seq2bf: Seq2BF | None = None,
    ):
        self._config = config
        self.decoders: dict[str, Decoder] = {}
        self._evaluators: dict[str, Evaluator] = {}
        self._whole_answers = config.algorithm == "reinforce"
        self._vocabulary = vocabulary
        model = None if topics is None else TopicModel.of_weights(topics)
        make = partial(build, config, len(vocabulary), speakers=len(vocabulary.speakers), topics=model, loaded=True)
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
        self._backward: Evaluator | None = None
        if backward is not None:
            gca = build(predicting_contexts(config), len(vocabulary), loaded=True)
            assign(gca.variables(*WHITE, *gca.yellow), backward)
            self._backward = Evaluator(gca)
        self.beginnings: Beginnings | None = None
        if seq2bf is not None:
            gca = build(predicting_beginnings(config), len(vocabulary), speakers=len(vocabulary.speakers), topics=model)
            assign(gca.variables(*WHITE, *gca.yellow), seq2bf.network)
            self.beginnings = Beginnings(KeywordModel.of_arrays(seq2bf.keywords), Decoder(gca))

    def decode(
        self,
        generator: str,
        contexts: np.ndarray,
        decoding: Decoding,
        seed: int | Sequence[int],
        unwanted: np.ndarray | None,
    ) -> Decoded:
        """Generate answers to contexts with one generator, as tokens and without scores.

        Args:
            generator: The name of the generator.
            contexts: The contexts, shape (B, s_s) and dtype int32, padded on the left.
            decoding: How answers are generated.
            seed: The random seed for sampling: one for all contexts, or one for each context.
            unwanted: Answers that a beam search must not return, shape (B, s_s + 1) and dtype int32, or None; see
                `Decoder.beam`.

        Returns:
            The answers, shape (B, s_s + 1) and dtype int32, with the probabilities of their tokens.

        Raises:
            UserError: The answers are to be ranked in both directions, but there is no generator for p(x|y), or they
                are to be built around keywords, but there is no generator for the words before a keyword.
        """
        if decoding.bidirectional:
            return self._best_in_both_directions(generator, contexts, decoding, unwanted)
        begun = None
        if decoding.keywords:
            if self.beginnings is None:
                raise UserError(
                    "this bot cannot build answers around keywords; train one with --keyword-epochs, or leave keywords "
                    "out"
                )
            begun = self.beginnings.of(contexts, decoding, seed)
        return decoding.run(self.decoders[generator], contexts, seed, self._may_say_unknown(), unwanted, begun)

    def _best_in_both_directions(
        self, generator: str, contexts: np.ndarray, decoding: Decoding, unwanted: np.ndarray | None
    ) -> Decoded:
        """Choose the answer of a beam search with the highest bidirectional score; see `decode`."""
        if self._backward is None:
            raise UserError("this bot has no generator for p(x|y), so it cannot rank answers in both directions")
        allowed = self._may_say_unknown(), decoding.repeats
        lists = self.decoders[generator].n_best(contexts, decoding.beam or 1, decoding.length_penalty, *allowed)
        words = without_speakers(contexts, len(self._vocabulary)) if self._config.names_speakers else contexts
        log_p = self._backward.token_log_probabilities
        backward = log_p_of_contexts(log_p, words, lists.answers, self._config.hierarchical)
        return best_of(lists, bidirectional(lists.log_probabilities, backward, decoding.bidirectional), unwanted)

    def n_best(self, generator: str, contexts: np.ndarray, width: int) -> Decoded:
        """Return all answers of a beam search, in order of decreasing log p(y|x) per token.

        Args:
            generator: The name of the generator.
            contexts: The contexts, shape (B, s_s) and dtype int32, padded on the left.
            width: The width of the beam, at least 1.

        Returns:
            The fields of `Decoded` as arrays of shape (B, width, ...).

        Raises:
            ValueError: The width is below 1.
        """
        return self.decoders[generator].n_best(contexts, width, 1.0, self._may_say_unknown())

    def _may_say_unknown(self) -> bool:
        return SPECIAL_TOKENS[UNK] in self._vocabulary.surfaces  # UNK is then a real word, as in the author's files

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i, the logarithm of the discriminator's output (Eq. 8), for each token after BOS.

        Args:
            contexts: B contexts of at most s tokens, shape (B, s) and dtype int32, padded on the left.
            answers: Answers in the format of `frame_answers` (BOS, tokens, EOS, padding), shape (B, s_s + 1) and dtype
                int32.

        Returns:
            A float32 array of shape (B, s_s), with NaN after the end of each answer. If the discriminator was trained
            on complete answers, all values before the last token are NaN too.
        """
        return log_outputs(self._judge, contexts, answers, whole_answers=self._whole_answers)

    def perplexities(self, pairs: Pairs, batch_size: int = 32) -> dict[str, float]:
        """Compute the perplexity of each generator: exp(total negative log-likelihood / tokens), including EOS.

        Args:
            pairs: The pairs to measure.
            batch_size: The number of pairs measured at a time.
        """
        return {name: evaluator.perplexity(pairs, batch_size) for name, evaluator in self._evaluators.items()}

    def token_log_probabilities(self, pairs: Pairs, generator: str | None = None) -> np.ndarray:
        """Compute log p(y_t | x, y) under a generator for every token of the answers.

        Args:
            pairs: The n pairs.
            generator: The name of the generator, or None for the first one.

        Returns:
            A float32 array of shape (n, s_s), with NaN after the end of each answer.
        """
        return self._evaluators[generator or next(iter(self.decoders))].token_log_probabilities(pairs)
