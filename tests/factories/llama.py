"""Llamas and Qwen2s of toy sizes, and the same ones written by PyTorch's transformers."""

from pathlib import Path

from tests.oracles.pytorch import randomise_torch

SIZES = {
    "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 48, "rope_theta": 100.0, "eos_token_id": 3, "bos_token_id": 2,
    "rms_norm_eps": 1e-5,
}  # fmt: skip
LLAMA_3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24,
}  # fmt: skip

# What distinguishes the members of the family.
VARIANTS = {
    "llama": ("llama", {"tie_word_embeddings": True}),
    "own output layer": ("llama", {"tie_word_embeddings": False}),
    "one head of keys": ("llama", {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "as many heads of keys": ("llama", {"num_key_value_heads": 4, "tie_word_embeddings": True}),
    "biases": ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    "wide heads": ("llama", {"head_dim": 8, "tie_word_embeddings": True}),
    "llama 3": ("llama", {"rope_scaling": LLAMA_3, "tie_word_embeddings": True}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
}


def write_by_pytorch(folder: Path, variant: str) -> Path:
    """Write a network with random weights by PyTorch's transformers."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    kind, changes = VARIANTS[variant]
    config, model = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}[kind]
    made = model(config(**SIZES | changes)).eval()
    randomise_torch(made)
    made.save_pretrained(folder)
    return folder
