"""A filter of its own for each picture, behind the decoder: what it computes, and how it is chosen."""
