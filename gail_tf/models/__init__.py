"""Networks: GPT-2, RoBERTa and the paper's tanh network, and Hugging Face folders."""
