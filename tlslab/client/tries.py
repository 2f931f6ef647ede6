"""The connections of a step: the client that it wants, and with which step it comes back where one was not enough."""

from __future__ import annotations

from tlslab.client.https import GAVE_UP, LEFT, RESET, Client, Outcome
from tlslab.client.identities import People
from tlslab.client.logbook import Logbook
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.tls.client import Session


def another_try(step: Step, ended: Outcome) -> Step | None:
    """The step with which a client comes back after a try of `step` that ended so; None for one that does not.

    A browser that left when it was asked comes back with its answer, once whoever sits before it has given one: the
    dialog is up while there is no connection. Whoever sends a request once more because it was reset does so at once.
    """
    if ended.kind == LEFT:
        left = float("inf") if step.gives_up_after is None else step.gives_up_after - ended.seconds
        return _again(step, leaves_at=None, wait=min(step.answers_after, left), answers_after=0.0)
    if ended.kind == RESET and step.retries:
        return _again(step, retries=step.retries - 1)
    return None


def gave_up(step: Step, began: float, now: float) -> Outcome | None:
    """The end of a step that began so long ago that the client's patience was over before it came back."""
    patience = step.gives_up_after
    return None if patience is None or now - began < patience else Outcome(GAVE_UP, now, now - began)


def _again(step: Step, **changes: object) -> Step:
    """The same request on a new connection, right away."""
    return step.model_copy(update={"same_connection": False, "resumes": False, "others": 0, "wait": 0.0, **changes})


def client_for(
    step: Step,
    people: People,
    name: str,
    host: str,
    style: WritingStyle,
    session: Session | None = None,
    logbook: Logbook | None = None,
) -> Client:
    """Make the client that a step wants, for a new connection, which writes what passes into `logbook`.

    `name` is how the binding is called: the server name, unless the step says another, or none. `host` is for the
    header.
    """
    server_name = name if step.sni is None else step.sni or ""
    ignores = step.renegotiation == "ignore"
    settings = people.settings_for(step)
    return Client(settings, server_name, host, style, session, ignores_renegotiation=ignores, logbook=logbook)
