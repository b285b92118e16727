"""Discriminators of responses: the binary one of Eq. 6, and TextGAIL's contrastive one.

The sign convention is that of `rewards.py`: a discriminator gives an `expert_logit`, high for the expert's. Eq. 6's D,
high for the policy's, is sigmoid(-expert_logit).

Shapes: B samples, F = feature_size, S = sentiment_size, T tokens, H = size of a hidden state.
"""

import keras
import tensorflow as tf

from gail_tf.masked import masked_mean
from keras_gca.errors import UserError

HIDDEN_UNITS = (100, 100)  # Section 4.2: two hidden layers of 100 units, with tanh
LAYER_NORMALISATION_EPSILON = 1e-5  # Table 1
LEARNING_RATE = 1e-4  # Table 1
WEIGHT_DECAY = 0.01  # Table 1


def response_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Features of (history, prompt, response), (B, 2 H) float32, from the states of a causal language model.

    hidden_states: (B, T, H) over history, prompt and response; response_mask: (B, T), the response's tokens, which
    stand side by side. The features are the mean over the response and its last state (EOS), both of which have read
    history and prompt too. Rows without a response get zeros.
    """
    mask = tf.cast(response_mask, tf.float32)
    last = mask - mask * tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    states = tf.where(mask[:, :, None] > 0, tf.cast(hidden_states, tf.float32), 0.0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(states, axis=1), tf.reduce_sum(mask, axis=1, keepdims=True))
    return tf.concat([mean, tf.einsum("bth,bt->bh", states, last)], axis=1)


def build_discriminator(feature_size: int, sentiment_size: int = 0, seed: int = 0) -> keras.Model:
    """The paper's network: features -> normalised -> 100 tanh -> 100 tanh -> expert_logit, (B,) float32.

    Its input is features, (B, F), or with sentiments the list [features, sentiments], the second (B, S): numbers in
    [-1, 1] that join the features after their normalisation. Features of a frozen model are computed once for each
    sample; those of a trainable encoder let the gradient through to it. Trained by `contrastive_loss`, the output is a
    score, and only differences between responses to one prompt have a meaning.
    """
    # Layers
    initializers = (keras.initializers.GlorotUniform(seed + i) for i in range(len(HIDDEN_UNITS) + 1))
    normalisation = keras.layers.LayerNormalization(epsilon=LAYER_NORMALISATION_EPSILON, name="normalisation")
    hidden = [
        keras.layers.Dense(units, "tanh", kernel_initializer=next(initializers), name=f"hidden_{i}")
        for i, units in enumerate(HIDDEN_UNITS, start=1)
    ]
    # Float32 also under a policy of mixed precision: losses and rewards take logarithms of it.
    output = keras.layers.Dense(1, kernel_initializer=next(initializers), dtype="float32", name="output")

    # Functional model
    features = keras.Input((feature_size,), name="features")
    inputs, states = features, normalisation(features)
    if sentiment_size:
        sentiments = keras.Input((sentiment_size,), name="sentiments")
        inputs = [features, sentiments]
        states = keras.layers.Concatenate(name="with_sentiments")([states, sentiments])
    for layer in hidden:
        states = layer(states)
    expert_logit = keras.layers.Reshape((), dtype="float32", name="expert_logit")(output(states))
    return keras.Model(inputs, expert_logit, name="discriminator")


def make_optimizer(learning_rate: float = LEARNING_RATE, weight_decay: float = WEIGHT_DECAY) -> keras.optimizers.AdamW:
    """Table 1's AdamW; biases and the scales of a normalisation do not decay."""
    optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


# Losses


def binary_loss(
    expert_logits: tf.Tensor,
    generated_logits: tf.Tensor,
    expert_mask: tf.Tensor | None = None,
    generated_mask: tf.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> tf.Tensor:
    """The negative of what Eq. 6 maximises, a scalar: -mean log(1 - D) over experts - mean log D over generated.

    expert_logits, generated_logits: the expert logits of the two kinds of samples, (B,), or (B, T) of tokens. The
    masks, of the same shapes, say which count; None: all. At chance the loss is 2 log 2.

    label_smoothing: experts get the label 1 - label_smoothing (one-sided, Salimans et al. 2016), so that D is never
    wholly sure of them. Raises UserError unless it is from 0 to below 0.5.
    """
    if not 0 <= label_smoothing < 0.5:
        raise UserError(f"label smoothing of {label_smoothing}; from 0 to below 0.5 is expected")
    expert, generated = tf.cast(expert_logits, tf.float32), tf.cast(generated_logits, tf.float32)
    expert_loss = tf.math.softplus(-expert) + label_smoothing * expert  # cross-entropy with that label
    return _mean(expert_loss, expert_mask) + _mean(tf.math.softplus(generated), generated_mask)


def contrastive_loss(human_scores: tf.Tensor, generated_scores: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """TextGAIL's: the mean of -log softmax of the human response's score, beside that of the generated one; a scalar.

    Both scores are (B,), of two responses to the same prompt; mask, (B,), leaves out pairs whose second response is a
    human demonstration. At chance the loss is log 2.
    """
    difference = tf.cast(human_scores, tf.float32) - tf.cast(generated_scores, tf.float32)
    return _mean(tf.math.softplus(-difference), mask)


def with_instance_noise(features: tf.Tensor, scale: float, seed: tf.Tensor) -> tf.Tensor:
    """features, (B, F), plus Gaussian noise of scale times each feature's standard deviation in the batch; float32.

    Noise on what D sees of both kinds keeps their distributions overlapping (Arjovsky and Bottou 2017). Experts and
    generated samples belong in one call, so that both get the same. seed: (2,) int32; the same seed, the same noise.
    """
    features = tf.cast(features, tf.float32)
    noise = tf.random.stateless_normal(tf.shape(features), seed)
    return features + scale * tf.math.reduce_std(features, axis=0) * noise


# What to log


def accuracy(logits: tf.Tensor, expert: bool, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The share of samples, all of them the expert's or none, that D recognises; a scalar.

    At a logit of 0 D says expert's.
    """
    return _mean(tf.cast(tf.equal(logits >= 0, expert), tf.float32), mask)


def entropy(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The mean entropy of D's answer, in nats, a scalar: log 2 where it guesses, near 0 where it is sure."""
    logits = tf.cast(logits, tf.float32)
    return _mean(tf.math.softplus(logits) - logits * tf.sigmoid(logits), mask)


def _mean(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return tf.reduce_mean(values) if mask is None else masked_mean(values, mask)
