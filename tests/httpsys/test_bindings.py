"""SSL bindings: their keys, and which of them a ClientHello gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tlslab.httpsys.bindings import (
    Binding,
    BindingRecord,
    Endpoint,
    EndpointText,
    Toggle,
    choose,
    wildcard_certificates,
)
from tlslab.httpsys.settings import BindingPrecedence

ENDPOINT = TypeAdapter(EndpointText)


@pytest.mark.parametrize(
    ("text", "endpoint", "written"),
    [
        ("0.0.0.0:8443", Endpoint("0.0.0.0", 8443, False), "0.0.0.0:8443"),
        (" 127.0.0.1:1 ", Endpoint("127.0.0.1", 1, False), "127.0.0.1:1"),
        ("[::]:8443", Endpoint("::", 8443, False), "[::]:8443"),
        ("[2001:DB8:0::1]:443", Endpoint("2001:db8::1", 443, False), "[2001:db8::1]:443"),
        ("Upload.LocalHost:65535", Endpoint("upload.localhost", 65535, True), "upload.localhost:65535"),
        ("a-1.b:443", Endpoint("a-1.b", 443, True), "a-1.b:443"),
    ],
)
def test_endpoints(text, endpoint, written):
    """Addresses and names, IPv6 in brackets, in their normal form."""
    assert ENDPOINT.validate_python(text) == endpoint
    assert ENDPOINT.validate_python(endpoint) == endpoint
    assert ENDPOINT.dump_python(endpoint) == str(endpoint) == written
    assert endpoint.is_ipv6 is text.startswith("[")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8443",
        ":8443",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:443:443",
        "::1:443",
        "[::1]",
        "[localhost]:443",
        "1.2.3:443",
        "1.2.3.256:443",
        "-a.b:443",
        "a-.b:443",
        "a..b:443",
        "*.b:443",
        "a_b:443",
        "ünicode:443",
        "a b:443",
        "localhost:٤٤٣",
        8443,
        None,
    ],
)
def test_what_is_no_endpoint(text):
    """It is refused with a word on what would be right."""
    with pytest.raises(ValidationError, match=r"expected an endpoint such as 0\.0\.0\.0:8443"):
        ENDPOINT.validate_python(text)


@given(st.text())
def test_any_text_is_an_endpoint_or_an_error(text):
    """And what is one reads back as itself."""
    try:
        endpoint = Endpoint.parse(text)
    except ValueError:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint


def binding(endpoint):
    """A binding named by its endpoint."""
    return Binding(endpoint, BindingRecord(endpoint=endpoint, client_cert_negotiation=Toggle.DISABLE))


WILDCARD, EXACT, NAME = binding("0.0.0.0:1"), binding("127.0.0.1:1"), binding("upload.localhost:1")


@pytest.mark.parametrize(
    ("bindings", "server_name", "chosen"),
    [
        ([WILDCARD, NAME], "upload.localhost", NAME),
        ([WILDCARD, NAME], "UPLOAD.localhost.", NAME),
        ([WILDCARD, NAME], "localhost", WILDCARD),
        ([WILDCARD, NAME], "x.upload.localhost", WILDCARD),
        ([WILDCARD, NAME], None, WILDCARD),
        ([WILDCARD, EXACT], "anything", EXACT),
        ([EXACT, WILDCARD], None, EXACT),
        ([NAME], "localhost", None),
        ([NAME], None, None),
        ([], "localhost", None),
    ],
)
@pytest.mark.parametrize("precedence", list(BindingPrecedence))
def test_choose(bindings, server_name, chosen, precedence):
    """A name's own record or that of an exact address, then the wildcard; maybe nothing at all."""
    assert choose(bindings, server_name, precedence) is chosen


@pytest.mark.parametrize("bindings", [[EXACT, NAME, WILDCARD], [WILDCARD, NAME, EXACT]])
def test_an_exact_address_beside_the_name(bindings):
    """Sources disagree on which of the two answers, so it can be set; who asks for no such name gets the address."""
    address, name = BindingPrecedence
    found = [choose(bindings, server_name, address) for server_name in ("upload.localhost", "localhost", None)]
    assert found == [EXACT, EXACT, EXACT]
    found = [choose(bindings, server_name, name) for server_name in ("upload.localhost", "localhost", None)]
    assert found == [NAME, EXACT, EXACT]


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ({}, ("", "")),
        ({"0.0.0.0:443": "server", "[::]:443": "server-rsa"}, ("server", "server-rsa")),
        ({"[0::0]:443": "deleted"}, ("", "deleted")),
        (
            {"0.0.0.0:8443": "server", "[::1]:443": "server", "127.0.0.1:443": "server", "a.example:443": "server"},
            ("", ""),
        ),
    ],
)
def test_wildcard_certificates(found, names):
    """Those of the two wildcards, on this port and no other."""
    records = [
        Binding(text, BindingRecord(endpoint=text, certificate=certificate, client_cert_negotiation=Toggle.DISABLE))
        for text, certificate in found.items()
    ]
    assert wildcard_certificates(records, 443) == names
