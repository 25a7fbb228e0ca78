"""Learned probabilities of real-valued tensors."""
