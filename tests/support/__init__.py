"""What tests share: tiny models and tokenizers, the running app, a browser."""
