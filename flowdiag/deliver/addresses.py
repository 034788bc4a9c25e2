"""Addresses as they may be shown: see `flowdiag.model.urls`."""

from __future__ import annotations

from flowdiag.model.urls import is_url, shown

__all__ = ["is_url", "shown"]
