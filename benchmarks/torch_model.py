"""The first paper's model in PyTorch, as a user would write it: one pass over each answer, `nn.LSTM` and Adam."""

import numpy as np
import torch
from torch import nn

from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.models.networks import Sizes


class TorchModel(nn.Module):
    """The generator of Figure 1.

    The inputs are contexts of shape (B, s) and answers of shape (B, T + 1), as made by `keras_gca.data.pairs`.
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.shared = nn.Embedding(sizes.vocabulary, sizes.word_embedding)
        self.encoder_context = nn.LSTM(sizes.word_embedding, sizes.sentence_embedding, batch_first=True)
        self.encoder_answer = nn.LSTM(sizes.word_embedding, sizes.sentence_embedding, batch_first=True)
        self.hidden = nn.Linear(2 * sizes.sentence_embedding, sizes.hidden_units)
        self.decision = nn.Linear(sizes.hidden_units, sizes.vocabulary)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=5e-5)

    def encode(self, contexts: torch.Tensor) -> torch.Tensor:
        """Encode contexts of shape (B, s), padded on the right, as an array of shape (B, s_se)."""
        lengths = (contexts != PAD).sum(1).clamp(min=1)
        states, _ = self.encoder_context(self.shared(contexts))
        return states[torch.arange(len(contexts)), lengths - 1]

    def logits(self, e_c: torch.Tensor, e_a: torch.Tensor) -> torch.Tensor:
        return self.decision(torch.relu(self.hidden(torch.cat([e_c, e_a], dim=-1))))

    def step(self, contexts: np.ndarray, answers: np.ndarray) -> int:
        """Run one step of teacher forcing and return the number of tokens in it."""
        contexts, answers = torch.from_numpy(_right(contexts)).long(), torch.from_numpy(answers).long()
        targets = answers[:, 1:]
        row, position = torch.nonzero(targets != PAD, as_tuple=True)
        states, _ = self.encoder_answer(self.shared(answers[:, :-1]))
        logits = self.logits(self.encode(contexts)[row], states[row, position])
        loss = nn.functional.cross_entropy(logits, targets[row, position])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return len(row)

    @torch.inference_mode()
    def greedy(self, contexts: np.ndarray) -> np.ndarray:
        """Decode a batch of shape (B, s) by Algorithm 1, until all rows have ended or have s_s tokens."""
        e_c = self.encode(torch.from_numpy(_right(contexts)).long())
        tokens = torch.full((len(contexts),), BOS)
        running = torch.ones(len(contexts), dtype=torch.bool)
        memory, chosen = None, []
        for _ in range(self.sizes.sentence_length):
            state, memory = self.encoder_answer(self.shared(tokens)[:, None], memory)
            log_p = torch.log_softmax(self.logits(e_c, state[:, 0]), -1)
            tokens = torch.where(running, log_p.argmax(-1), PAD)
            chosen.append(tokens)
            running &= tokens != EOS
            if not running.any():
                break
        return torch.stack(chosen, 1).numpy()

    def load(self, gca) -> None:
        """Load the weights of a GenerativeConversationalAgent. The two models then generate the same answers."""

        def put(parameter, array):
            parameter.data = torch.from_numpy(np.ascontiguousarray(array))

        put(self.shared.weight, gca.layers.shared.get_weights()[0])
        for lstm, name in ((self.encoder_context, "encoder_context_bot"), (self.encoder_answer, "encoder_answer_bot")):
            kernel, recurrent, bias = gca.layer(name).get_weights()  # both order the gates i, f, c, o
            for parameter, array in (
                (lstm.weight_ih_l0, kernel.T),
                (lstm.weight_hh_l0, recurrent.T),
                (lstm.bias_ih_l0, bias),
                (lstm.bias_hh_l0, 0 * bias),
            ):
                put(parameter, array)
        for linear, name in ((self.hidden, "bot"), (self.decision, "decision_bot")):
            kernel, bias = gca.layer(name).get_weights()
            put(linear.weight, kernel.T)
            put(linear.bias, bias)


def _right(contexts: np.ndarray) -> np.ndarray:
    """Return the contexts with their padding moved to the right."""
    moved = np.zeros_like(contexts)
    for row, context in zip(moved, contexts, strict=True):
        tokens = context[context != PAD]
        row[: len(tokens)] = tokens
    return moved
