"""What was seen in a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlslab.client.https import Outcome
from tlslab.events import Event, HandshakeMessage, HttpErrLogged, RequestReceived, ResponseSent
from tlslab.text import format_status


@dataclass(frozen=True, slots=True)
class Observation:
    """How each step ended, and every event of the lab; `before_last` counts those from before the last step."""

    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]
    before_last: int = 0

    @property
    def last(self) -> Outcome:
        """How the last step ended: what an expectation speaks of."""
        return self.outcomes[-1]

    def event_names(self) -> set[str]:
        """The types of event that happened."""
        return {type(event).__name__ for event in self.events}

    def httperr_reasons(self) -> list[str]:
        """The reasons of the HTTPERR lines, in order."""
        return [event.reason for event in self.events if isinstance(event, HttpErrLogged)]

    @property
    def arrivals(self) -> int:
        """How often the head of the last step's request reached the server: whoever else is there sends none."""
        return sum(isinstance(event, RequestReceived) for event in self.events[self.before_last :])

    def messages(self) -> list[str]:
        """The order on the wire: `C ClientHello`, `S ServerHello`, `C GET /`, `S 200`."""
        return list(self._messages())

    def _messages(self) -> Iterator[str]:
        for event in self.events:
            match event:
                case HandshakeMessage(direction=direction, name=name):
                    yield f"{'S' if direction == 'sent' else 'C'} {name}"
                case RequestReceived(method=method, target=target):
                    yield f"C {method} {target}"
                case ResponseSent(status=status, substatus=substatus):
                    yield f"S {format_status(status, substatus)}"
