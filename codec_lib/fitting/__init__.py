"""A codec fitted to one picture: compiled forward and backward passes, and the loop that uses them."""
