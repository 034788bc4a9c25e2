"""What kind a port is, of all of them at once."""

from flowdiag.parserkit import port_kind, port_kinds


def test_every_port_is_of_the_kind_that_asking_for_it_gives():
    """The scanner takes records for alike whose ports are of one kind."""
    assert port_kinds() == bytes(map(port_kind, range(65_536)))
