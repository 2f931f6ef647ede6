"""Sessions that a client offers again, over all connections of a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlslab.text import HostPort, format_elapsed
from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.finding import Finding, first_handshake, messages_after

SESSION_SCENARIOS = ("session-idle-purge", "session-fifo-eviction", "session-lifetime", "session-cache-disabled")


def _hellos(conversation: Conversation) -> tuple[Message, Message] | None:
    """The ClientHello of the first handshake and its ServerHello, of TLS 1.2 or older."""
    first = first_handshake(iter(conversation.messages), "ClientHello", Side.CLIENT)
    if first is None or first.piece.encrypted:
        return None
    answer = first_handshake(messages_after(conversation, first), "ServerHello", Side.SERVER)
    return None if answer is None or answer.piece.is_tls13 else (first, answer)


def _issued(everything: Sequence[Conversation], server: HostPort, before: float) -> Iterator[tuple[float, Message]]:
    """Each ServerHello of TLS 1.2 or older that a server sent before a moment, and when."""
    for conversation in everything:
        for message in conversation.messages if conversation.server == server else ():
            at = conversation.began + message.at
            if at < before and message.is_handshake("ServerHello", Side.SERVER) and not message.piece.is_tls13:
                yield at, message


def session_not_honoured(conversation: Conversation, everything: Sequence[Conversation]) -> Finding | None:
    """The client offers a session that this server issued earlier in the trace, and gets another one."""
    hellos = _hellos(conversation)
    if hellos is None or hellos[0].piece.session_id in (None, hellos[1].piece.session_id):
        return None
    offer, answer = hellos
    offered_at = conversation.began + offer.at
    own = [
        (at, message)
        for at, message in _issued(everything, conversation.server, offered_at)
        if message.piece.session_id == offer.piece.session_id
    ]
    if not own:  # a client that also offers TLS 1.3, or a ticket, makes one up
        return None
    (first, issued), (used, _) = own[0], own[-1]
    resumed = "" if len(own) == 1 else f" and resumed {format_elapsed(offered_at - used)} before"
    sentence = (
        f"The client offered the session {(offer.piece.session_id or '')[:8]}... (frame {offer.frame}), which this "
        f"server had issued {format_elapsed(offered_at - first)} before (frame {issued.frame}){resumed}. The server "
        f"made a new one (frame {answer.frame}). Why cannot be seen from here; documented are five idle minutes (IIS "
        "6.0), a full table, ten hours, and a cache that is switched off. Behind one address there may also be several "
        "machines."
    )
    frames = (issued.frame, offer.frame, answer.frame)
    return Finding("session_not_honoured", "certain", sentence, frames, SESSION_SCENARIOS)
