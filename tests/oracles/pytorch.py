"""GPT-2, Llama, RoBERTa and BERT in PyTorch, by Hugging Face's transformers. Tests compare our networks with them.

PyTorch is imported inside of functions, because the import takes seconds.
"""

import numpy as np


def randomise_torch(model) -> None:
    """Set all parameters to the same noise in every process, around 1 for norms, so that no term is without effect."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            centre = float(bool((parameter == 1).all()))  # PyTorch's other initial values are random
            parameter.copy_(centre + 0.3 * torch.randn(parameter.shape, generator=generator))


def torch_logits(folder, tokens, mask) -> np.ndarray:
    """Compute the logits of the language model in a folder from tokens (B, T) and a mask (B, T): (B, T, V)."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    mask = torch.tensor(np.array(mask, np.int64))
    positions = torch.clamp(mask.cumsum(1) - 1, min=0)
    with torch.no_grad():
        tokens = torch.tensor(np.array(tokens, np.int64))
        return model(input_ids=tokens, attention_mask=mask, position_ids=positions).logits.numpy()


def roberta_outputs(task, folder, tokens, mask):
    """Compute the outputs of the RoBERTa in a folder for tokens (B, T). The task is a class of transformers.

    In multiple choice, two rows form a pair: (B / 2, 2, T).
    """
    import torch
    import transformers

    model = getattr(transformers, task).from_pretrained(folder).eval()
    rows, width = tokens.shape
    shape = (rows // 2, 2, width) if task == "RobertaForMultipleChoice" else (rows, width)
    tokens, mask = (torch.tensor(values.astype(np.int64)).reshape(shape) for values in (tokens, mask))
    with torch.no_grad():
        return model(input_ids=tokens, attention_mask=mask)


def sentence_vectors(folder, tokens, mask) -> np.ndarray:
    """Compute the vectors of Sentence-BERT with the BERT in a folder: mean pooling, then division by the length."""
    import torch
    import transformers

    model = transformers.BertModel.from_pretrained(folder).eval()
    tokens, mask = (torch.tensor(np.array(values, np.int64)) for values in (tokens, mask))
    with torch.no_grad():
        hidden = model(input_ids=tokens, attention_mask=mask).last_hidden_state
    means = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(means).numpy()
