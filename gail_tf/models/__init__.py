"""The networks: GPT-2, Llama, RoBERTa, BERT and the tanh network. Also reads and writes Hugging Face folders."""
