"""PyTorch's transformers, an implementation of GPT-2, Llama and RoBERTa by others: what our networks are compared with.

PyTorch is imported where it is used: it takes seconds.
"""

import numpy as np


def randomise_torch(model) -> None:
    """Add noise to all parameters, so that no term is without effect."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def torch_logits(folder, tokens, mask) -> np.ndarray:
    """Logits of the language model in a folder, with explicit positions: (B, T), (B, T) -> (B, T, V)."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    mask = torch.tensor(np.array(mask, np.int64))
    positions = torch.clamp(mask.cumsum(1) - 1, min=0)
    with torch.no_grad():
        tokens = torch.tensor(np.array(tokens, np.int64))
        return model(input_ids=tokens, attention_mask=mask, position_ids=positions).logits.numpy()


def roberta_outputs(task, folder, tokens, mask):
    """What the RoBERTa of a task (a class of transformers) in a folder makes of tokens (B, T).

    Multiple choice reads the rows in pairs: (B / 2, 2, T).
    """
    import torch
    import transformers

    model = getattr(transformers, task).from_pretrained(folder).eval()
    rows, width = tokens.shape
    shape = (rows // 2, 2, width) if task == "RobertaForMultipleChoice" else (rows, width)
    tokens, mask = (torch.tensor(values.astype(np.int64)).reshape(shape) for values in (tokens, mask))
    with torch.no_grad():
        return model(input_ids=tokens, attention_mask=mask)
