"""The types every room shares: plain, frozen values without behaviour.

This room imports nothing of flowdiag but itself.
Times are integer nanoseconds since the epoch, UTC; text forms are made at the edges
(`flowdiag.model.time`).  Unknown is ``None``, never ``0`` or ``""``.
"""
