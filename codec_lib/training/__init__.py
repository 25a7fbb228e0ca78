"""How models are trained: one loop, what a step minimizes, and the crops it sees."""
