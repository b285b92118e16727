"""GPT-2 in plain NumPy and float64 (Radford et al. 2019): one sequence at a time, without padding or cache.

`weights` is {name: variable} with the names of the published files, and `config` is a GPT2Config.
"""

import numpy as np


def gpt2_in_numpy(weights, config, tokens):
    """Compute the logits of one sequence: (T,) -> (T, V)."""
    return hidden_in_numpy(weights, config, tokens) @ weights["wte.weight"].numpy().T.astype(np.float64)


def hidden_in_numpy(weights, config, tokens):
    """Compute the states after the last block and layer norm: (T,) -> (T, E)."""
    w = {name: variable.numpy().astype(np.float64) for name, variable in weights.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + config.layer_norm_epsilon)
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    def product(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu_new(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    size = config.n_embd // config.n_head
    x = w["wte.weight"][tokens] + w["wpe.weight"][: len(tokens)]
    for i in range(config.n_layer):
        q, k, v = np.split(product(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn"), 3, axis=-1)
        heads = []
        for j in range(config.n_head):
            own = slice(j * size, (j + 1) * size)
            scores = q[:, own] @ k[:, own].T / np.sqrt(size)
            scores[np.triu_indices(len(tokens), 1)] = -np.inf
            p = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(p / p.sum(-1, keepdims=True) @ v[:, own])
        x = x + product(np.concatenate(heads, -1), f"h.{i}.attn.c_proj")
        x = x + product(gelu_new(product(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f")
