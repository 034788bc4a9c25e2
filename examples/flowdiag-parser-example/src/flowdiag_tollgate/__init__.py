"""A parser for flowdiag, as a distribution of its own."""
