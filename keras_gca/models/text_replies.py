"""Algorithm 1 and the discriminator's choice as a TensorFlow graph that maps text to text, for a SavedModel.

The graph does what `Agent.reply` does in Python: TensorFlow Text normalises the text, tokens are looked up in tables,
each generator answers greedily, the discriminator chooses an answer (Eq. 10), and the tokens of this answer are
converted to text. No part of the graph is compiled by XLA, because not every server that loads a SavedModel has XLA.

Shapes: B contexts; s_s and s_v as in `sizes.py`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keras_gca.data.text import BEFORE_NUMBERS, SENTENCE_ENDS, is_attached, tokens_of, written
from keras_gca.data.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary
from keras_gca.models.context_changes import THRESHOLD, ChangeDetector
from keras_gca.models.decoding_steps import DecodingSteps
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.networks import WHITE, GenerativeConversationalAgent
from keras_gca.models.rows import last_rows, rows_of
from keras_gca.models.scoring import TIE
from keras_gca.models.token_by_token import TokenByToken


class TextReplies(tf.Module):
    """A module that maps a batch of contexts to replies, both as text; `save` writes it as a SavedModel.

    Args:
        generators: The networks whose generators answer, in the order of the agent's generators.
        judge: The networks whose discriminator chooses an answer.
        vocabulary: The s_v words of the networks.
        contractions: The style of contractions; see `normalise`.
        context_utterances: N_u, the number of utterances in a context.
        whole_answers: Whether the discriminator was trained on complete answers, and judges only their last token.
        detector: The detector of context changes that limits the contexts, or None.
    """

    def __init__(
        self,
        generators: list[GenerativeConversationalAgent],
        judge: GenerativeConversationalAgent,
        vocabulary: Vocabulary,
        contractions: str,
        context_utterances: int,
        whole_answers: bool,
        detector: ChangeDetector | None = None,
    ):
        super().__init__(name="text_replies")
        self._contractions, self._context_utterances = contractions, context_utterances
        self._whole_answers, self._detector = whole_answers, detector
        self._sizes = judge.sizes
        self._may_say_unknown = SPECIAL_TOKENS[UNK] in vocabulary.surfaces
        self._steps = [DecodingSteps(gca, xla=False) for gca in generators]
        self._judge = PrefixDiscriminator.of(judge)
        # A SavedModel stores only those variables that are held in attributes of the module.
        used = [variable for gca in generators for variable in gca.variables(*WHITE, *gca.yellow)]
        used += [variable for gca in generators for variable in gca.topic_variables]
        used += judge.variables(*WHITE, *judge.green) + (detector.variables if detector is not None else [])
        self.saved_variables = [variable.value for variable in used]
        words = vocabulary.tokens[len(SPECIAL_TOKENS) :]
        indices = tf.range(len(SPECIAL_TOKENS), len(vocabulary.tokens))
        self.index = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(words), indices), UNK)
        forms = [written(token, vocabulary.surfaces) for token in vocabulary.tokens]
        self._forms = tf.constant(["" if i in (PAD, BOS, EOS) else form for i, form in enumerate(forms)])
        self._capitalised = tf.constant([form[:1].upper() + form[1:] for form in forms])
        self._is_word = tf.constant([form[:1].isalpha() for form in forms])
        self._is_attached = tf.constant([is_attached(token) for token in vocabulary.tokens])
        self._is_end = tf.constant([token in SENTENCE_ENDS for token in vocabulary.tokens])
        self._precedes_number = tf.constant([form[-1:] in BEFORE_NUMBERS and form != "" for form in forms])

    def save(self, path: str) -> None:
        """Write a SavedModel whose signature `serving_default` is `reply`.

        Args:
            path: The folder to create.
        """
        signature = self._traced_reply()
        # The LSTM's custom gradient needs XLA, so custom gradients are not saved.
        without_gradients = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(self, path, {"serving_default": signature}, without_gradients)

    def reply(self, contexts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer each context greedily, as `Agent.reply` does. This method can run inside a graph.

        Args:
            contexts: The contexts as UTF-8 strings, shape (B,). Each line of a context is an utterance, and the last
                line is the one to answer. Only the last N_u lines are read.

        Returns:
            A dictionary of tensors of shape (B,): `reply` (string); `probability` (float32), p(y|x) of the reply
            under its generator; `score` (float32), the discriminator's score for the reply (Eq. 10).
        """
        encoded = self.encode(contexts)
        answers, log_probabilities, log_scores = [], [], []
        for steps in self._steps:
            forbidden = steps.forbidden(self._may_say_unknown)
            answer, log_probability, _ = TokenByToken(steps).decode_greedily(encoded, forbidden)
            answers.append(answer)
            log_probabilities.append(log_probability)
            log_scores.append(self._log_score(encoded, answer))
        probabilities = tf.exp(tf.cast(tf.stack(log_probabilities, 1), tf.float64))  # (B, generators)
        scores = tf.exp(tf.stack(log_scores, 1))
        top = tf.reduce_max(scores, 1, keepdims=True)
        tied = (scores == top) | (top - scores < TIE * scores)
        best = tf.argmax(tf.where(tied, probabilities, -1.0), 1)  # the rule of `scoring.best`
        return {
            "reply": self.as_text(tf.gather(tf.stack(answers, 1), best, batch_dims=1)),
            "probability": tf.cast(tf.gather(probabilities, best, batch_dims=1), tf.float32),
            "score": tf.cast(tf.gather(scores, best, batch_dims=1), tf.float32),
        }

    def _traced_reply(self) -> Any:
        """Trace `reply` for any number of contexts, without compiling any part with XLA."""
        contexts = tf.TensorSpec([None], tf.string, name="contexts")
        with _without_xla():
            return tf.function(self.reply, autograph=False).get_concrete_function(contexts)

    def encode(self, contexts: tf.Tensor) -> tf.Tensor:
        """Convert contexts to the indices of their last s_s tokens, padded on the left.

        For a hierarchical encoder, each utterance has at most s_s tokens, and ends with EOS (see `data/pairs.py`). This
        method can run inside a graph.

        Args:
            contexts: The contexts as strings, shape (B,); see `reply`.

        Returns:
            An int32 tensor of shape (B, s_s), or (B, N_u * s_s) for a hierarchical encoder.
        """
        utterances = tf.strings.split(tf.strings.strip(contexts), "\n")[:, -self._context_utterances :]
        tokens = utterances.with_values(tokens_of(utterances.values, self._contractions))
        indices = tf.ragged.map_flat_values(self.index.lookup, tokens)  # (B, utterances, tokens)
        if self._detector is not None:
            indices = self._after_last_change(indices, self._detector)
        length = self._sizes.sentence_length
        if self._sizes.utterances is not None:
            words = indices.values[:, -(length - 1) :]
            ends = tf.fill([words.nrows(), 1], EOS)
            indices, length = indices.with_values(tf.concat([words, ends], 1)), length * self._sizes.utterances
        joined = indices.merge_dims(1, 2)[:, -length:]
        backward = tf.reverse(joined, [1]).to_tensor(PAD, shape=[None, length])
        return backward[:, ::-1]

    def _after_last_change(self, contexts: tf.RaggedTensor, detector: ChangeDetector) -> tf.RaggedTensor:
        """Remove the utterances before the last change in each context; see `ChangeDetector`.

        Args:
            contexts: The indices of the tokens, shape (B, utterances, tokens) and dtype int32.
            detector: The detector.
        """
        utterances = contexts.values[:, -self._sizes.sentence_length :].to_tensor(PAD)  # the utterances of all contexts
        changes = tf.sigmoid(detector.logits(utterances[:-1], utterances[1:])) > THRESHOLD
        # A change before the first utterance of a context leaves nothing out.
        changes = tf.concat([[False], changes], 0)[: tf.shape(utterances)[0]]
        numbers = tf.ragged.range(contexts.row_lengths())
        start = tf.reduce_max(numbers.with_values(tf.where(changes, numbers.values, 0)), axis=1)
        kept = numbers.values >= tf.gather(start, numbers.value_rowids())
        return tf.ragged.boolean_mask(contexts, numbers.with_values(kept))

    def _log_score(self, contexts: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        """Compute the logarithm of Eq. 10 for each answer, shape (B,) and dtype float64; see `scoring.log_score`."""
        rows = last_rows(answers) if self._whole_answers else rows_of(answers)
        log_l = tf.cast(tf.math.log_sigmoid(self._judge.call(contexts, answers, rows)), tf.float64)
        return tf.math.unsorted_segment_mean(log_l, rows.answer, tf.shape(answers)[0])

    def as_text(self, answers: tf.Tensor) -> tf.Tensor:
        """Convert answers to text, as `detokenise` does. This method can run inside a graph.

        Args:
            answers: `BOS ... EOS` padded on the right, shape (B, s_s + 1) and dtype int32.

        Returns:
            A string tensor of shape (B,).
        """
        count = tf.shape(answers)[0]

        def step(t: tf.Tensor, texts: tf.Tensor, start: tf.Tensor, tight: tf.Tensor, running: tf.Tensor) -> Any:
            tokens = answers[:, t]
            running &= tokens != EOS
            said = running & (tokens != PAD) & (tokens != BOS)
            word = tf.gather(self._is_word, tokens)
            forms = tf.where(start & word, tf.gather(self._capitalised, tokens), tf.gather(self._forms, tokens))
            spaced = (texts != "") & ~tf.gather(self._is_attached, tokens) & ~tight
            longer = tf.strings.join([texts, tf.where(spaced, " ", ""), forms])
            after = tf.gather(self._is_end, tokens) | (start & ~word)
            return (
                t + 1,
                tf.where(said, longer, texts),
                tf.where(said, after, start),
                tf.where(said, tf.gather(self._precedes_number, tokens), tight),
                running,
            )

        no = tf.fill([count], False)
        state = (1, tf.fill([count], ""), ~no, no, ~no)
        return tf.while_loop(lambda t, *_: t < tf.shape(answers)[1], step, state)[1]


@contextlib.contextmanager
def _without_xla() -> Iterator[None]:
    """Trace functions marked for XLA as ordinary operations of the surrounding graph."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
