"""Samples made worse, for the contract test: cut, broken and shuffled, and JSON with values of other kinds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

__all__ = ["damaged", "misshapen"]

_DAMAGES = 24
_LINES = 4
"""Records of a sample of which misshapen variants are made."""
_KINDS: tuple[Any, ...] = (None, True, -1, 2**63, 0.5, "", "\x1b[1m", [], {}, [[]], {"x": [None]})
_VARIANTS = 40
"""Variants of one record: which value is replaced, and by what, is drawn at random."""
_SAMPLE = 1 << 16


def damaged(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """What a sample may become on its way: cut anywhere, other line ends, wrong bytes, lines in another order."""
    yield data.replace(b"\n", b"\r\n")
    yield data.removesuffix(b"\n")
    yield data + b"\x00" * 64
    yield b"\n\n" + data
    lines = data.split(b"\n")
    for _ in range(_DAMAGES):
        yield data[: rng.randrange(len(data) + 1)]
        yield data[rng.randrange(len(data) + 1) :]
        broken = bytearray(data)
        hits = 1 + len(data) // 200 if data else 0
        places = rng.choices(range(len(data)), k=2 * hits)
        # Bytes that the sample has itself make days and numbers that do not exist, which a random byte seldom does.
        values = rng.randbytes(hits) + bytes(rng.choices(data, k=hits))
        for place, value in zip(places, values, strict=True):
            broken[place] = value
        yield bytes(broken)
        mixed = [*lines, *(bytes(rng.choices(range(32, 127), k=40)) for _ in range(3))]
        rng.shuffle(mixed)
        yield b"\n".join(mixed)


def misshapen(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Make JSON in which one value at a time is of another kind than the format says, as any writer may write it.

    For JSON lines, all variants of a record come in one text, one per line; for a document, each comes alone.
    """
    whole = _record(data)
    if whole is not None and data.strip().count(b"\n"):
        yield from _variants(whole, rng)
        return
    seen: set[tuple[str, ...]] = set()
    for line in data[:_SAMPLE].split(b"\n"):
        record = _record(line)
        if record is None or len(seen) == _LINES:
            continue
        shape = tuple(str(key) for _, key in _places(record))
        if shape not in seen:
            seen.add(shape)
            yield b"".join(variant + b"\n" for variant in _variants(record, rng))


def _record(text: bytes) -> Any:
    """A JSON object or array; ``None`` for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _variants(record: Any, rng: random.Random) -> Iterator[bytes]:
    copy = deepcopy(record)
    every = [(place, kind) for place in _places(copy) for kind in _KINDS]
    for (container, key), wrong in rng.sample(every, min(_VARIANTS, len(every))):
        right = container[key]
        container[key] = wrong
        yield json.dumps(copy, separators=(",", ":")).encode()
        container[key] = right


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each value below, as what holds it and where."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
