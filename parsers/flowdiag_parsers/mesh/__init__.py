"""Refusals of the service mesh, which no NetworkPolicy made."""
