"""Whatever a peer sends, a parser returns a value or raises WireError."""

import inspect
import pkgutil
from functools import partial
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlslab.wire
from tlslab.errors import WireError
from tlslab.wire import fields
from tlslab.wire.alerts import parse_alert_untrusted
from tlslab.wire.certificate_request import parse_certificate_request_untrusted
from tlslab.wire.client_hello_reader import ClientHelloReader
from tlslab.wire.handshake import parse_handshake_header_untrusted
from tlslab.wire.hello import (
    parse_server_hello_untrusted,
    read_client_hello_untrusted,
    read_session_id_untrusted,
)
from tlslab.wire.records import parse_record_header_untrusted

TLS_1_0, TLS_1_2, TLS_1_3 = 0x0301, 0x0303, 0x0304

PARSERS = {
    "parse_record_header_untrusted": parse_record_header_untrusted,
    "parse_alert_untrusted": parse_alert_untrusted,
    "parse_handshake_header_untrusted": parse_handshake_header_untrusted,
    "read_client_hello_untrusted": read_client_hello_untrusted,
    "read_session_id_untrusted": read_session_id_untrusted,
    "parse_server_hello_untrusted": parse_server_hello_untrusted,
    "parse_certificate_request_untrusted": lambda data: [
        _value_or_wire_error(partial(parse_certificate_request_untrusted, version=version), data)
        for version in (TLS_1_0, TLS_1_2, TLS_1_3)
    ],
    "whole_vector_untrusted": lambda data: fields.whole_vector_untrusted(data, 2, "it"),
    "vectors_untrusted": lambda data: fields.vectors_untrusted(data, 1, "it"),
    "uint16s_untrusted": lambda data: fields.uint16s_untrusted(data, "it"),
    "extensions_untrusted": lambda data: fields.extensions_untrusted(data, "it", {}),
    "feed_untrusted": lambda data: ClientHelloReader().feed_untrusted(data),
}


def _value_or_wire_error(parse, data):
    try:
        return parse(data)
    except WireError as error:
        return error


def _untrusted_names():
    for module in pkgutil.iter_modules(tlslab.wire.__path__):
        for name, thing in vars(import_module(f"tlslab.wire.{module.name}")).items():
            members = [name, *vars(thing)] if inspect.isclass(thing) else [name]
            yield from (member for member in members if member.endswith("_untrusted"))


def test_every_parser_is_fuzzed():
    """A new parser must be added to the table above."""
    assert set(_untrusted_names()) == set(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=3 * settings().max_examples)
@given(data=st.binary(max_size=200))
def test_any_bytes(name, data):
    """Random bytes never bring up another exception."""
    _value_or_wire_error(PARSERS[name], data)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@settings(max_examples=3 * settings().max_examples)
@given(data=st.data())
def test_damaged_handshake(client_hellos, server_flights, version, data):
    """Real messages with a few bytes changed reach deeper than random bytes do."""
    hello = data.draw(_damaged(client_hellos[version]))
    _value_or_wire_error(PARSERS["feed_untrusted"], hello)
    assert read_session_id_untrusted(hello[9:]) == read_client_hello_untrusted(hello[9:]).session_id
    _value_or_wire_error(
        PARSERS["parse_server_hello_untrusted"], data.draw(_damaged(server_flights[version]["ServerHello"]))
    )
    request = data.draw(_damaged(server_flights[TLS_1_2]["CertificateRequest"]))
    _value_or_wire_error(PARSERS["parse_certificate_request_untrusted"], request)


@st.composite
def _damaged(draw, message):
    changed = bytearray(message)
    for at in draw(st.lists(st.integers(0, len(message) - 1), max_size=4)):
        changed[at] = draw(st.integers(0, 255))
    return bytes(changed)


@settings(max_examples=3 * settings().max_examples)
@given(data=st.data())
def test_segments_make_no_difference(client_hellos, data):
    """However TCP cuts a hello, the same one comes out."""
    record = client_hellos[TLS_1_3]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(record)), max_size=6)))
    reader = ClientHelloReader()
    answers = [
        reader.feed_untrusted(record[a:b]) for a, b in zip([0, *cuts], [*cuts, len(record)], strict=True) if a < b
    ]
    assert answers[-1] == read_client_hello_untrusted(record[9:])
    assert set(answers[:-1]) <= {None}
