"""Nanoseconds of a second as logs write it, for `single_pass.py`."""

from datetime import UTC, datetime


def syslog(second):
    """As in ``Apr 21 09:10:02``, of 2026."""
    return int(datetime.strptime(f"2026 {second.decode()} +0000", "%Y %b %d %H:%M:%S %z").timestamp()) * 10**9


def iso(second):
    """As in ``2026-04-21T09:10:02``, or with a blank and slashes."""
    text = second.decode().replace(" ", "T").replace("/", "-")
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def klog(second):
    """As in ``0421 09:10:02``, of 2026."""
    return int(datetime.strptime(f"2026{second.decode()} +0000", "%Y%m%d %H:%M:%S %z").timestamp()) * 10**9


def epoch(second):
    """As in ``1776762602``."""
    return int(second) * 10**9
