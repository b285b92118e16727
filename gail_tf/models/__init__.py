"""The networks (GPT-2, Llama, RoBERTa, BERT, the paper's tanh network), and files in Hugging Face's format."""
