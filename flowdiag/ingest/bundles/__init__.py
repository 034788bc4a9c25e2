"""Bundles that collectors make, recognised by layout: which file is what, and whose."""

from flowdiag.ingest.bundles.hints import Hint, Role
from flowdiag.ingest.bundles.recognise import recognise

__all__ = ["Hint", "Role", "recognise"]
