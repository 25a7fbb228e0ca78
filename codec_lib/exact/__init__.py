"""What encoder and decoder have to agree on to the last bit, on every machine: integers, step by step."""
