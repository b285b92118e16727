"""Low-rank adapters by Hugging Face's peft, and a step of maximum likelihood in PyTorch at its best settings.

The adapters have the rank and the scale of this project's adapters. peft adds one adapter to each matrix product of a
block. This project joins Llama's products that read the same states, and adds one adapter to each joined product.
"""

import numpy as np
import peft
import torch
import transformers
from torch.nn import functional

from benchmarks.torch_gail import TABLE
from gail_tf.models.projection import Adapters

# The names of the matrix products in the blocks of GPT-2 and Llama
TARGETS = {
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def lora_config(model: transformers.PreTrainedModel, **values: object) -> peft.LoraConfig:
    """Return peft's config of adapters for all matrix products in a model's blocks."""
    settings = Adapters()
    return peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=TARGETS[model.config.model_type],
        fan_in_fan_out=model.config.model_type == "gpt2",  # GPT-2 stores its matrices transposed
        **values,
    )


def add_adapters(model: transformers.PreTrainedModel) -> None:
    """Add adapters to a model in place, and freeze all its other weights."""
    peft.inject_adapter_in_model(lora_config(model), model)


class TorchStep:
    """Steps of maximum likelihood, one per call, which returns the number of tokens that it has read.

    Args:
        model: The network, which is changed in place.
        tokens: Conditions joined with responses, an int array of shape (B, P + R).
        width: The number R of tokens in each response.
        trainable: "full" or "lora".
        precision: "float32" or "bfloat16". With "bfloat16", `full` keeps the weights in float32 and computes the matrix
            products in bfloat16 (`torch.autocast`), and `lora` also stores the frozen weights in bfloat16.
        stored: Whether `full` stores its weights in `precision`, too. AdamW then works in bfloat16, in which it loses
            most of a small step.
        compiled: Whether to compile the forward and backward passes by `torch.compile`.
    """

    def __init__(
        self,
        model: transformers.PreTrainedModel,
        tokens: np.ndarray,
        width: int,
        trainable: str = "full",
        precision: str = "float32",
        stored: bool = False,
        compiled: bool = False,
    ):
        self._tokens, self._width, dtype = torch.from_numpy(tokens).long(), width, getattr(torch, precision)
        if stored or trainable == "lora":
            model = model.to(dtype)
        if trainable == "lora":
            add_adapters(model)
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
        self.model = model.train()
        self._context = torch.autocast("cpu", dtype, enabled=dtype != torch.float32 and not stored)
        self._learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._learned,
            lr=TABLE.likelihood.mle_learning_rate,
            weight_decay=TABLE.optimizer.weight_decay,
            fused=True,
        )
        self._compute = torch.compile(self.loss) if compiled else self.loss

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        """Compute the mean of -log p over the tokens of the responses."""
        with self._context:
            logits = self.model(tokens[:, :-1], use_cache=False, logits_to_keep=self._width).logits
        return functional.cross_entropy(logits.float().flatten(0, 1), tokens[:, -self._width :].flatten())

    def __call__(self) -> int:
        self._optimizer.zero_grad()
        self._compute(self._tokens).backward()
        torch.nn.utils.clip_grad_norm_(self._learned, TABLE.optimizer.gradient_clip, foreach=True)
        self._optimizer.step()
        return self._tokens.numel()
