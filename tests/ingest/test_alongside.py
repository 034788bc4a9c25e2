"""Work beside reading: it is done when the body is, and what it raises reaches whoever asked for it."""

import threading

import pytest

from flowdiag.ingest.alongside import alongside


def test_it_is_another_thread_s_and_done_at_the_end():
    """Each of the two waits for the other once, so that neither is done by itself."""
    begun, go_on = threading.Event(), threading.Event()
    done = []

    def work():
        begun.set()
        assert go_on.wait(10)
        done.append(threading.current_thread())

    with alongside(work):
        assert begun.wait(10)
        assert not done
        go_on.set()

    assert len(done) == 1
    assert done[0] is not threading.current_thread()
    assert not done[0].is_alive()


def test_without_any_the_body_runs_alone():
    """No thread is begun for nothing."""
    before = threading.active_count()
    with alongside(None):
        assert threading.active_count() == before


def test_its_error_waits_for_the_body():
    """As where it would have been done after the body."""
    seen = []

    def work():
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"), alongside(work):
        seen.append("read")

    assert seen == ["read"]


def test_the_body_s_error_comes_first():
    """Nobody is told of two."""

    def work():
        raise LookupError("no such thing")

    with pytest.raises(OSError, match="cannot be read"), alongside(work):
        raise OSError("cannot be read")
