"""GPT-2, Llama, RoBERTa, BERT and the tanh network, and functions to read and write Hugging Face folders."""
