"""Wrappers that log lines arrive in, peeled once for every parser.

`stack` finds and applies them; each other module is one family.
"""

from flowdiag.ingest.envelopes.rows import Row, Rows
from flowdiag.ingest.envelopes.stack import (
    DEPTH,
    LAYERS,
    Peeler,
    is_document,
    is_splittable,
    keeps_nuls,
    longest_line,
    next_layer,
)

__all__ = [
    "DEPTH",
    "LAYERS",
    "Peeler",
    "Row",
    "Rows",
    "is_document",
    "is_splittable",
    "keeps_nuls",
    "longest_line",
    "next_layer",
]
