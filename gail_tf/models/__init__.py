"""Networks: GPT-2, RoBERTa, the paper's tanh network; Hugging Face folders."""
