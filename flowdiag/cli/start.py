"""Where the program begins: interrupts are handled before anything else is imported.

To import the command line takes a tenth of a second, in which Python itself would answer an interrupt with a traceback.
"""

from __future__ import annotations

# Module signal loads enum first, which takes longer than all else before the handlers are there.
import _signal  # type: ignore[import-not-found]
import gc
import os

TYPE_CHECKING = False
"""As typing has it, which is not loaded for that."""
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130
"""As `flowdiag.cli.exit_codes.INTERRUPTED`, which is not loaded yet."""
_YOUNG = 100_000
"""Objects made between two looks for cycles; Python's own number is 700."""


def main() -> None:
    """Run the command line."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _leave)
    # nohup has a hangup ignored, and so it stays.
    if hasattr(_signal, "SIGHUP") and _signal.getsignal(_signal.SIGHUP) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGHUP, _leave)
    # numpy's library for matrices, of which there are none here, begins with a thread a core that waits for work by
    # spinning: a tenth of a second of another core, which workers and their thread have use for.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imported modules stay, but would be searched for cycles some fifty times, which takes 7 of the 250 ms of a small
    # run.
    gc.set_threshold(_YOUNG)
    from flowdiag.cli.main import main as run
    from flowdiag.model.ending import ends_with_its_command, leave

    ends_with_its_command()
    try:
        run()
    except SystemExit as ended:
        leave(ended.code)
        raise


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing was begun that is to be cleared away."""
    del number, frame
    try:
        os.write(2, b"interrupted; nothing was written\n")
    finally:
        os._exit(_INTERRUPTED)
