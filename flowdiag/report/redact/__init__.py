"""Reports without anybody's names, to be sent outside."""

from flowdiag.report.redact.walk import is_redacted, redact

__all__ = ["is_redacted", "redact"]
