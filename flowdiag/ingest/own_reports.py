"""Files that flowdiag itself wrote: people keep the report beside the evidence, and read the folder again.

They are no evidence, and nothing of the input is missing for being left out.
"""

from __future__ import annotations

import re

__all__ = ["is_own_report"]

# One of the project's formats each, as its own reporters write them since 0.1.
_OWN = re.compile(
    rb"""\s*(?:
        \{\s*"schema"\s*:\s*"flowdiag\.[a-z]+/\d            # -o json of any command
        | \{[^{}]*"data_type"\s*:\s*"flowdiag:report:       # -o jsonl
        | \{\s*"type"\s*:\s*"[a-z]+"\s*,\s*"at"\s*:[^,{}]{4,40},\s*"time_source"\s*:\s*"[a-z-]+"\s*,\s*"parser"\s*:    # flowdiag events
        | type,at,time_source,parser,                       # flowdiag events -o csv
        | problem,code,severity,                            # -o csv
        | <\?xml[^>]*>\s*<testsuites\ name="flowdiag          # -o junit
        | \#\ TYPE\ flowdiag_                                # -o openmetrics
        | \#\#\#\ Denied\ traffic[ :,]                       # -o markdown
        | (?:\x1b\[[0-9;]{0,12}m){0,4}flowdiag(?:\x1b\[[0-9;]{0,12}m){0,4}\ \d{1,4}\.\d{1,4}\.[^ ]{1,24}\ \ # the terminal's report
        | <svg\ [^>]{0,600}><title\ [^>]{0,40}>Denied\ traffic    # -o svg
        | <!DOCTYPE\ html>[^\0]{0,2000}?<meta\ name="generator"\ content="flowdiag\   # -o html
    )""",
    re.VERBOSE,
)
_SARIF = (b"sarif-schema-", b'"name": "flowdiag"')


def is_own_report(head: bytes) -> bool:
    """Whether a file begins as flowdiag's reports, events and answers do."""
    return _OWN.match(head) is not None or all(mark in head for mark in _SARIF)
