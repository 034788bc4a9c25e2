"""What a diagnosis' code means, in a sentence of the catalogue: whoever gets a page or a result may have no flowdiag."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["meanings"]


def meanings(codes: Collection[str]) -> dict[str, str]:
    """``An endpoint is isolated in a direction, and no rule admits the connection.``, as far as codes are known here."""
    if not codes:
        return {}
    # Loads every diagnosis, for which a report without any has no use.
    from flowdiag.diagnose import rules, sections
    from flowdiag.diagnose.check import checks

    catalogue: dict[str, type[object]] = {check.code: type(check) for check in checks()}
    catalogue |= {rule.code: type(rule) for rule in rules()}
    return {
        code: " ".join(sections(catalogue[code])[""].split("\n\n")[0].split())
        for code in codes
        if code in catalogue
    }
