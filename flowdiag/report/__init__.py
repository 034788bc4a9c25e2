"""From a `Report` to text that people and programs read: one module per format.

A renderer gets a `flowdiag.model.report.Report` and `Options`, and nothing else: whatever a format
needs is in the report, so that a stored report renders again exactly as it did.  Every string in it may
have been chosen by a stranger, and is escaped for the place where it is shown (`flowdiag.report.escape`).
"""

from flowdiag.report.protocol import GROUP, Options, Reporter

__all__ = ["GROUP", "Options", "Reporter"]
