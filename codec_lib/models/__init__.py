"""One file for each published system, in the letters of its paper."""
