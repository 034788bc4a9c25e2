"""Records that wait: those that are alike are one number each, and become rows like the others."""

from flowdiag.tally.waiting import Repeats, Waiting

KINDS = ((1, 2, 80, 5), (3, 4, -1, 6), (7, 8, 65535, 9))


def columns(waiting):
    """What waits, row by row."""
    return list(
        zip(waiting.srcs, waiting.dsts, waiting.ports, waiting.kinds, waiting.ats, waiting.flags, strict=True)
    )


def test_numbers_become_the_rows_that_they_stand_for():
    """In the order in which records came, behind what waited already; a time is wider than the other columns."""
    waiting, repeats = Waiting(), Repeats()
    numbers = [repeats.add(*kind) for kind in KINDS]
    waiting.srcs.append(11)
    waiting.dsts.append(12)
    waiting.ports.append(13)
    waiting.kinds.append(14)
    waiting.ats.append(1 << 60)
    waiting.flags.append(1)
    for place, at, flag in ((2, 1 << 61, 3), (0, 5, 0), (2, 6, 0xFFFF)):
        repeats.numbers.append(numbers[place])
        repeats.ats.append(at)
        repeats.flags.append(flag)
    repeats.move_to(waiting)

    first = (11, 12, 13, 14, 1 << 60, 1)
    assert columns(waiting) == [
        first,
        (*KINDS[2], 1 << 61, 3),
        (*KINDS[0], 5, 0),
        (*KINDS[2], 6, 0xFFFF),
    ]


def test_what_was_moved_waits_no_longer_and_its_number_stays():
    """Numbers are valid until the kinds are forgotten, however often rows are taken."""
    waiting, repeats = Waiting(), Repeats()
    number = repeats.add(*KINDS[1])
    for at in (1, 2):
        repeats.numbers.append(number)
        repeats.ats.append(at)
        repeats.flags.append(0)
        repeats.move_to(waiting)
    repeats.move_to(waiting)

    assert columns(waiting) == [(*KINDS[1], 1, 0), (*KINDS[1], 2, 0)]
    assert (len(repeats.numbers), len(repeats.ats), len(repeats.flags)) == (0, 0, 0)
    waiting.clear()
    assert columns(waiting) == []
