"""An interrupt waits while something is made, whichever thread the system gives it to."""

import os
import signal
import threading
import time

import pytest

from flowdiag.model.interrupts import held_back


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("thread", [False, True])
def test_it_comes_at_the_end(number, thread):
    """It comes once, by the function that answered before, which answers again after."""
    come, done = [], threading.Event()
    beside = threading.Thread(target=done.wait)
    if thread:
        beside.start()
    before = signal.signal(number, lambda *_: come.append(number))
    try:
        with held_back():
            for _ in range(50):
                os.kill(os.getpid(), number)
            # The other thread may be slow to take it.
            time.sleep(0.1)
            assert come == []
        assert come == [number]
        os.kill(os.getpid(), number)
        for _ in range(500):
            if len(come) > 1:
                break
            time.sleep(0.01)
        assert come == [number, number]
    finally:
        signal.signal(number, before)
        done.set()


def test_what_is_made_stays_with_its_maker():
    """Another thread is never interrupted, and may make things too."""
    made = []

    def make():
        with held_back():
            made.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()

    assert made == [signal.getsignal(signal.SIGINT)]


def test_what_the_system_answers_is_left_to_it():
    """A library's caller may not want signals answered by Python."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with held_back():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
