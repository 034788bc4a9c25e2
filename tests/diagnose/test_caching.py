"""What hangs on an end alone is asked once a run, and of each end."""

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind


def test_each_end_is_asked_once_a_run():
    """Ends that are equal are different ends; another run asks anew, and ``None`` is an answer too."""
    asked = []

    @cached_per_run
    def name(context, end):
        asked.append((context, end))
        return end.name

    run, other = Context(), Context()
    web, same, nobody = (Endpoint(kind=EndpointKind.POD, name=name) for name in ("web", "web", None))

    assert [name(run, end) for end in (web, same, nobody, web, same, nobody)] == ["web", "web", None] * 2
    assert name(other, web) == "web"
    assert [(id(context), id(end)) for context, end in asked] == [
        (id(run), id(web)),
        (id(run), id(same)),
        (id(run), id(nobody)),
        (id(other), id(web)),
    ]


def test_an_end_that_is_gone_lends_its_place_to_no_other():
    """Identities are used again as soon as their objects are gone: those that were asked for are kept."""

    @cached_per_run
    def name(context, end):
        del context
        return end.name

    run = Context()

    assert [name(run, Endpoint(kind=EndpointKind.POD, name=str(n))) for n in range(100)] == [
        str(n) for n in range(100)
    ]
