"""How long a lab waits for its clients, where its clock has another speed than theirs."""

from __future__ import annotations

from dataclasses import dataclass

from tlslab.httpsys.timers import Timers

REACTION_SECONDS = 2.0  # chosen: as long as a client on a busy machine may take to answer, a JVM's first handshake too


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the lab waits for clients, who live by the wall's clock while its own runs `speed` times as fast.

    The core has one clock, so all is in seconds of the lab's; `reaction` alone is in the wall's, and how long a client
    may take to answer. The numbers are chosen.
    """

    speed: float = 1.0
    reaction: float = REACTION_SECONDS

    @property
    def alert_drain(self) -> float:
        """How long the client's bytes are thrown away, so that the lab's alert arrives."""
        return 5.0 * self.speed

    @property
    def fin(self) -> float:
        """How long after close_notify the client's FIN may take; then the lab ends its side, too."""
        return 0.02 * self.speed

    def timers(self, timers: Timers) -> Timers:
        """The timers as they run: on the wall each lasts what it is set to, or else as long as a client may need.

        At 3,600 times the speed two minutes are 33 ms, and no Java has said its first word by then.
        """
        least = {timer: min(seconds, self.reaction) * self.speed for timer, seconds in timers}
        return timers.model_copy(update={timer: max(seconds, least[timer]) for timer, seconds in timers})
