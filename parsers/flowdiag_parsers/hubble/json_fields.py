"""Reading decoded Hubble JSON tolerantly: names in either spelling, numbers as text, enums as numbers.

Proto3 JSON of api/v1/flow/flow.proto and api/v1/observer/observer.proto (Cilium 1.10 to 1.20): field
names as in the proto, enums as strings, 64-bit integers as strings, zero values left out.  Tools that
re-encode write lowerCamelCase names and enum numbers; both are read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

__all__ = ["camel", "integer", "mapping", "objects", "pick", "port_number", "text", "texts"]

_WORD = re.compile(r"_([a-z0-9])")
_MAX_DIGITS = 20
_INT64 = 1 << 63
_MAX_TEXT = 65_536


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """``traffic_direction`` as ``trafficDirection``."""
    return _WORD.sub(lambda match: match[1].upper(), name)


def pick(record: dict[str, Any], name: str) -> Any:
    """The field `name` in either spelling; ``None`` where it is absent or null."""
    value = record.get(name)
    return record.get(camel(name)) if value is None else value


def mapping(record: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The sub-message `name`; ``None`` where it is absent or no object."""
    value = pick(record, name)
    return value if isinstance(value, dict) else None


def objects(record: dict[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    """The objects of the list `name`."""
    value = pick(record, name)
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list | tuple) else ()


def text(record: dict[str, Any], name: str) -> str | None:
    """The string `name`; ``None`` where it is absent, empty or no string."""
    value = pick(record, name)
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def texts(record: dict[str, Any], name: str) -> tuple[str, ...] | None:
    """The non-empty strings of the list `name`; ``None`` where there are none."""
    value = pick(record, name)
    found = (
        tuple([item for item in value if isinstance(item, str) and item])
        if isinstance(value, list | tuple)
        else ()
    )
    return found or None


def integer(record: dict[str, Any], name: str) -> int | None:
    """The number `name`, also where it is written as text; ``None`` where it is absent or no integer."""
    value = pick(record, name)
    if isinstance(value, bool):
        return None
    if (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    # The largest fields are 64 bits wide; what is beyond them is no number of Hubble's.
    return value if isinstance(value, int) and -_INT64 <= value < 2 * _INT64 else None


def port_number(record: dict[str, Any], name: str) -> int | None:
    """The port `name`; zero is left out by encoders, and is no port."""
    value = integer(record, name)
    return value if value is not None and 0 < value <= 65_535 else None
