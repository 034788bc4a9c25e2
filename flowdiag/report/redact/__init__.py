"""Reports without anybody's names, to be sent outside."""

from flowdiag.report.redact.walk import redact

__all__ = ["redact"]
