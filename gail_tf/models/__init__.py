"""Networks: GPT-2, Llama, RoBERTa, BERT and the paper's tanh network; reading and writing of Hugging Face folders."""
