"""Networks: GPT-2, Llama, RoBERTa and the paper's tanh network; reads and writes Hugging Face folders."""
