"""Antrea's network policy log and flow records."""
