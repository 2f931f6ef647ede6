"""A connection's life: what moves it, and how it is said to have ended."""

from __future__ import annotations

import pytest

from tlslab.core.life import ALIVE, BY_CAUSE, ENDING, ENDS, WITH_TLS, Life, LifeCause, with_tls
from tlslab.errors import LocalMisuse
from tlslab.tables import after
from tlslab.tls.server import Handshake
from tlslab.types import ConnectionEnd


def test_an_ordinary_life():
    """A binding is chosen, TLS ends its handshake, the client says goodbye, what is left drains, the socket closes."""
    life = after(BY_CAUSE, Life.GREETING, LifeCause.BINDING_CHOSEN)
    assert life is Life.HANDSHAKE
    life = with_tls(life, Handshake.NONE)
    assert life is Life.SERVING
    for cause in (LifeCause.CLOSE_NOTIFY, LifeCause.DRAIN, LifeCause.SOCKET_CLOSED):
        life = after(BY_CAUSE, life, cause)
    assert life is Life.OVER


@pytest.mark.parametrize("handshake", list(Handshake))
def test_only_the_first_handshake_moves_it(handshake):
    """It serves once the first is over, and none that comes later changes that."""
    assert (with_tls(Life.HANDSHAKE, handshake) is Life.SERVING) is (handshake is Handshake.NONE)
    assert with_tls(Life.SERVING, handshake) is Life.SERVING


def test_every_connection_can_end_and_stays_ended():
    """Whatever lives can be drained and reset by either side; what has ended can only be closed."""
    for life in ALIVE:
        assert {after(BY_CAUSE, life, cause) for cause in ENDING} == set(ENDING.values())
    for life in set(Life) - set(ALIVE):
        assert {cause for at, cause in BY_CAUSE if at is life} == {LifeCause.SOCKET_CLOSED}
        assert all(at is not life for at, _ in WITH_TLS)


@pytest.mark.parametrize(
    ("life", "cause"),
    [
        (Life.GREETING, LifeCause.CLOSE_NOTIFY),
        (Life.SERVING, LifeCause.BINDING_CHOSEN),
        (Life.PARTING, LifeCause.CLOSE_NOTIFY),
        (Life.DRAINING, LifeCause.RESET),
    ],
)
def test_what_makes_no_sense_is_misuse(life, cause):
    """A pair that is in no table is a defect of ours, told at once."""
    with pytest.raises(LocalMisuse, match=f"{cause.name} makes no sense while it is {life.name}"):
        after(BY_CAUSE, life, cause)


def test_each_end_has_its_name():
    """Drained is closed, a reset is somebody's, and what still lives when its socket closes was abandoned."""
    assert {end: {life for life, name in ENDS.items() if name is end} for end in ConnectionEnd} == {
        ConnectionEnd.CLOSED: {Life.DRAINING},
        ConnectionEnd.RESET: {Life.RESETTING},
        ConnectionEnd.RESET_BY_PEER: {Life.RESET_BY_PEER},
        ConnectionEnd.ABANDONED: set(ALIVE),
    }
