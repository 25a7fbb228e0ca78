"""Integers to bytes and back: tables, coders, and a coder that only counts."""
