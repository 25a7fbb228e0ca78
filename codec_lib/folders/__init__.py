"""Whole folders: every picture of a tree, on all cores, resumable, with a manifest of what was done."""
