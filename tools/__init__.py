"""What builds, runs and checks the book; `python -m tools.NAME` from the repository root."""
