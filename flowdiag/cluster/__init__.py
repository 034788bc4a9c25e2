"""Cluster objects from dumps, and who owned an address at a time."""
