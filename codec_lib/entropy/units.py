"""What a 1 in the integers stands for that networks give and distributions take: 2**-bits."""

FRACTION_BITS = 12  # of a network's activations and outputs
LEVEL_BITS = 8  # of means and edges: 1/256 level
