"""TextGAIL's loop (Wu et al. 2021) in PyTorch, as a user of Hugging Face's transformers would write it today.

`generate` samples responses, and a separate pass computes their old log-probabilities. PPO trains the policy with AdamW
and one clipped ratio per response. TextGAIL's RoBERTa discriminator is replaced by the discriminator of `gail_tf` (two
tanh layers on features of the frozen reference policy), so that only the policies are compared. With `logits_to_keep`,
transformers computes logits only at the positions of the responses.

Shapes: B responses, P tokens in a prompt, R tokens in a response, T = P + R, V tokens in the vocabulary, states of
width E.
"""

import numpy as np
import torch
import transformers
from torch import nn
from torch.nn import functional

from benchmarks.costs import flops, learning_flops
from benchmarks.exercise import JUDGING, LEARNING, OLD, REFERENCE, REST, SAMPLING, Exercise
from benchmarks.measure import Stopwatch
from gail_tf.config import GAILConfig
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.tanh_network import EPSILON, HIDDEN_UNITS

TABLE = GAILConfig()


def random_network(sizes: LanguageModelConfig) -> transformers.PreTrainedModel:
    """Make Hugging Face's GPT-2 or Llama with random weights. Dropout is off until `train()` is called."""
    return transformers.AutoModelForCausalLM.from_config(hugging_face_config(sizes)).eval()


def hugging_face_config(sizes: LanguageModelConfig, **values: object) -> transformers.PreTrainedConfig:
    """Make Hugging Face's config from this project's, with further values."""
    found = sizes.to_hugging_face() | values
    return transformers.AutoConfig.for_model(**found)


def torch_network(network: LanguageModel) -> transformers.PreTrainedModel:
    """Make Hugging Face's GPT-2 or Llama with the weights of this project's network, which has no adapters."""
    model, weights = random_network(network.config), {}
    for name, variable in network.weights.items():
        tensors = network.to_file(name, variable.numpy())
        weights |= zip(network.names_in_files(name), map(torch.from_numpy, tensors), strict=True)
    model.base_model.load_state_dict(weights)
    return model


def sample(model: transformers.PreTrainedModel, prompts: torch.Tensor, exercise: Exercise) -> torch.Tensor:
    """Sample responses to prompts of shape (B, P). Return each prompt joined with its response, of shape (B, P + R)."""
    return model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        top_p=exercise.top_p,
        temperature=exercise.temperature,
        max_new_tokens=exercise.response,
        pad_token_id=model.config.eos_token_id,
    )


def log_probs_of(logits: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    """Compute log-probabilities of shape (B, R) from responses and the logits before each token, of shape (B, R, V)."""
    return torch.log_softmax(logits, -1).gather(-1, responses[..., None])[..., 0]


def response_log_probs(model: transformers.PreTrainedModel, tokens: torch.Tensor, width: int) -> torch.Tensor:
    """Compute the log-probabilities of the last `width` tokens in sequences; the result has shape (B, width)."""
    logits = model(tokens, use_cache=False, logits_to_keep=width + 1).logits
    return log_probs_of(logits[:, :-1], tokens[:, -width:])


def response_features(hidden: torch.Tensor) -> torch.Tensor:
    """Concatenate the mean and the last state of each response; (B, R, E) becomes (B, 2 * E)."""
    return torch.cat([hidden.mean(1), hidden[:, -1]], -1)


def clipped_loss(log_probs: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Compute PPO's loss for whole responses from log-probabilities of shape (B, R) and advantages of shape (B,)."""
    ratio = torch.exp((log_probs - old).sum(1))
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


class RunningRewards:
    """Normalisation of rewards as in TextGAIL, by a running mean and standard deviation, with clipping to [-2, 2]."""

    def __init__(self, momentum: float = 0.9, limit: float = 2.0):
        self.momentum, self.limit = momentum, limit
        self.mean = self.square = torch.zeros(())

    def __call__(self, rewards: torch.Tensor) -> torch.Tensor:
        """Normalise rewards of shape (B,), and update the running values."""
        new = 1 - self.momentum ** len(rewards)
        self.mean = torch.lerp(self.mean, rewards.mean(), new)
        self.square = torch.lerp(self.square, rewards.square().mean(), new)
        deviation = (self.square - self.mean**2).clamp(min=0).sqrt()
        return ((rewards - self.mean) / (deviation + 1e-5)).clamp(-self.limit, self.limit)


class TorchUpdate:
    """The updates of TextGAIL's loop, one per call. The policy starts from the weights of this project's policy."""

    def __init__(self, exercise: Exercise):
        self.exercise, self.watch = exercise, Stopwatch()
        network = exercise.network()
        self.policy, self.reference = torch_network(network), torch_network(network).requires_grad_(False)
        features = 2 * exercise.sizes.width
        self.discriminator = nn.Sequential(
            nn.LayerNorm(features, eps=EPSILON),
            nn.Linear(features, HIDDEN_UNITS),
            nn.Tanh(),
            nn.Linear(HIDDEN_UNITS, HIDDEN_UNITS),
            nn.Tanh(),
            nn.Linear(HIDDEN_UNITS, 1),
            nn.Flatten(0),
        )  # expert logits; high if D considers a response to be an expert's
        self.policy_optimizer = _adamw(self.policy, TABLE.ppo.generator_learning_rate)
        self.discriminator_optimizer = _adamw(self.discriminator, TABLE.judge.discriminator_learning_rate)
        self.rewards = RunningRewards()
        self.kl = torch.zeros(())  # the KL to the reference in the last update, in nats per token
        self.prompts = torch.from_numpy(exercise.prompts()).long()
        self.experts = torch.cat([self.prompts, torch.from_numpy(exercise.expert_responses()).long()], 1)

    def __call__(self) -> int:
        """Run one update and return the number of tokens in its responses."""
        with self.watch.during(REST):
            self._update()
        return self.exercise.tokens

    @property
    def flops(self) -> dict[str, float]:
        """The number of floating-point operations in an update, by phase."""
        sizes, tokens = self.exercise.sizes, self.exercise.tokens
        sequences = self.experts.numel()
        return {
            SAMPLING: flops(sizes, sequences - len(self.experts), tokens),
            OLD: flops(sizes, sequences, tokens + len(self.experts)),
            REFERENCE: 2 * flops(sizes, sequences) + flops(sizes, 0, tokens),
            LEARNING: learning_flops(sizes, sequences, tokens + len(self.experts)),
        }

    def states(self, tokens: torch.Tensor) -> torch.Tensor:
        """Compute the frozen reference policy's hidden states after each token, of shape (B, T, E)."""
        parts = tokens.split(self.exercise.sample_batch)
        return torch.cat([self.reference.base_model(part, use_cache=False).last_hidden_state for part in parts])

    def reference_log_probs(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Compute the log-probabilities of the responses under the frozen reference policy, of shape (B, R)."""
        width, size = self.exercise.response, self.exercise.sample_batch
        before, responses = states[:, -width - 1 : -1].split(size), tokens[:, -width:].split(size)
        parts = zip(before, responses, strict=True)
        return torch.cat([log_probs_of(self.reference.lm_head(each), response) for each, response in parts])

    def _update(self) -> None:
        exercise, watch, width = self.exercise, self.watch, self.exercise.response
        with torch.no_grad():
            with watch.during(SAMPLING):
                parts = self.prompts.split(exercise.sample_batch)
                tokens = torch.cat([sample(self.policy, part, exercise) for part in parts])
            with watch.during(OLD):
                parts = tokens.split(exercise.sample_batch)
                old = torch.cat([response_log_probs(self.policy, part, width) for part in parts])
            with watch.during(REFERENCE):
                states, expert_states = self.states(tokens), self.states(self.experts)
                self.kl = (old - self.reference_log_probs(states, tokens)).mean()
                given, expert = (response_features(each[:, -width:]) for each in (states, expert_states))
            with watch.during(JUDGING):
                rewards = functional.softplus(self.discriminator(given))
        assert tokens.shape[1] == exercise.prompt + width, "the responses have ended early"
        with watch.during(LEARNING):
            self._learn(tokens, old, self.rewards(rewards))
        with watch.during(JUDGING):
            self._learn_to_judge(given, expert)

    def _learn(self, tokens: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor) -> None:
        for rows in torch.randperm(len(tokens)).split(self.exercise.minibatch):
            log_probs = response_log_probs(self.policy, tokens[rows], self.exercise.response)
            loss = clipped_loss(log_probs, old[rows], advantages[rows], TABLE.ppo.epsilon)
            _descend(loss, self.policy, self.policy_optimizer)

    def _learn_to_judge(self, given: torch.Tensor, expert: torch.Tensor) -> None:
        for rows in torch.randperm(len(given)).split(self.exercise.discriminator_batch):
            judged = self.discriminator(given[rows]), self.discriminator(expert[rows])
            loss = functional.softplus(judged[0]).mean() + functional.softplus(-judged[1]).mean()
            _descend(loss, self.discriminator, self.discriminator_optimizer)


class TorchMaximumLikelihood:
    """Maximum likelihood training (teacher forcing) of the policy, with dropout."""

    def __init__(self, network: LanguageModel):
        self.model = torch_network(network).train()
        self.optimizer = _adamw(self.model, TABLE.likelihood.mle_learning_rate)

    def step(self, tokens: np.ndarray) -> int:
        """Train one step on sequences of shape (B, T + 1). Return the number of predicted tokens, T per sequence."""
        tokens = torch.from_numpy(tokens).long()
        logits = self.model(tokens[:, :-1], use_cache=False).logits
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        _descend(loss, self.model, self.optimizer)
        return tokens[:, 1:].numel()


def _adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=TABLE.optimizer.weight_decay)


def _descend(loss: torch.Tensor, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), TABLE.optimizer.gradient_clip)
    optimizer.step()
