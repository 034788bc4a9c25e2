"""Weave Net's network policy controller (weave-npc)."""
