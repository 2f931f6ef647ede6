"""A scenario file that makes the lab answer as a server was seen to answer; what was guessed says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tlslab.pki.root_names import root_name
from tlslab.probe.call import HowEnded, Reply
from tlslab.probe.findings import asks_in_words
from tlslab.probe.seen import Fate, Portrait, status_text
from tlslab.schannel.cipher_suites import OPENSSL_NAMES
from tlslab.tls.context import Protocol

GUESSED = "# guessed"
PROTOCOL_NAMES = {one: f"TLS{one.name[3]}.{one.name[5]}" for one in Protocol}
WINDOWS_NAMES = {ours: windows for windows, ours in OPENSSL_NAMES.items()}
USUAL_TIMER = 120  # seconds: HTTP_TIMEOUT_LIMIT_INFO
LONGEST = 64  # characters of an organization's name (X.520)
SMALLEST_HEAD, LARGEST_FIELD = 256, 65534  # bytes, of the knobs (KB820129)


def scenario_text(seen: Portrait) -> str:
    """Write the file; `tlslab validate` accepts it."""
    parts = (_head(seen), _bindings(seen), _sites(seen), _machine(seen), _promise(seen))
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _head(seen: Portrait) -> Iterator[str]:
    where = f"{seen.host}:{seen.port}{seen.path}"
    yield "format_version: 1"
    yield f"title: {_quoted(f'As {where} was seen by tlslab probe')}"
    yield f"story: {_quoted(f'The server asks for a client certificate: {asks_in_words(seen)}.')}"
    yield f"sources: [{_quoted(f'tlslab probe --url https://{where}')}]"
    yield f"symptoms: [{_quoted(f'GET {seen.path} is answered with {status_text(_expected(seen))}')}]"
    yield "unverified:"
    yield f"  - {_quoted('Whatever a line below calls guessed, and all that this file does not set.')}"
    yield f"profile: windows-server-2022 {GUESSED}"


def _bindings(seen: Portrait) -> Iterator[str]:
    asks = "enable" if seen.asks_in_handshake else "disable"
    names = ", ".join(PROTOCOL_NAMES[one] for one in seen.accepted)
    by_name = seen.no_name is not None and not seen.no_name.version
    yield "bindings:"
    yield "  site:"
    if by_name:
        yield f"    endpoint: {_quoted(f'{seen.host}:8443')} # without a server name nobody answered"
    else:
        yield '    endpoint: "0.0.0.0:8443"'
    yield f"    client_cert_negotiation: {asks}"
    yield f"    protocols: [{names}]"


def _sites(seen: Portrait) -> Iterator[str]:
    wants = seen.asks_in_handshake or seen.renegotiates_for_it or seen.asks_post_handshake
    flags = ["Ssl"]
    if wants:
        flags.append("SslNegotiateCert")
        if _is_required(seen):
            flags.append("SslRequireCert")
    yield "sites:"
    yield f"  - path: {_quoted(_plain_path(seen.path))}"
    yield f"    ssl_flags: [{', '.join(flags)}]"
    yield f"    client_cert_retrieval: {_retrieval(seen)}"


def _plain_path(path: str) -> str:
    return path.partition("?")[0]


def _is_required(seen: Portrait) -> bool:
    """Whether a client without a certificate was refused: by 403, by TLS, or otherwise than one with it."""
    return any(_is_refused(one, seen.mine.get(protocol)) for protocol, one in seen.bare.items())


def _is_refused(bare: Reply, mine: Reply | None) -> bool:
    if bare.http is None or bare.status == 403:
        return True
    return bare.status >= 400 and mine is not None and mine.status != bare.status


def _retrieval(seen: Portrait) -> str:
    found = seen.boundary()
    if found is None:
        # What reads most of an upload and freezes behind none, so that nothing is claimed that was not seen.
        what = "as much as was sent was read" if seen.uploads else "no upload was looked at"
        return f"{{kind: early_async_drain}} {GUESSED}: {what}"
    largest, smallest = found
    exact = "" if smallest.size - largest.size == 1 else f" {GUESSED}: {smallest.size} was too much"
    if smallest.fate is Fate.STUCK:
        return f"{{kind: synchronous, buffer: {largest.size}, http_sys_buffer: {largest.size}}}{exact}"
    if smallest.fate is Fate.TOO_LARGE:
        return f"{{kind: read_ahead_413, size: {largest.size}}}{exact}"
    return f"{{kind: early_async_drain}} {GUESSED}: {smallest.size} bytes came to {smallest.fate}, not imitated"


def _machine(seen: Portrait) -> Iterator[str]:
    yield "timers:"
    yield f"  ssl_renegotiation: {_timer(_stuck_seconds(seen))}"
    yield f"  idle_connection: {_timer(_ended_after(seen, 'idle'))}"
    yield f"  header_wait: {_timer(_ended_after(seen, 'header_wait'))}"
    said = seen.ending is not None and seen.ending.end is HowEnded.CLOSE_NOTIFY
    yield f"enable_ssl_close_notify: {str(said).lower()}"
    if seen.head_taken is not None and seen.head_refused is not None:
        size = max(seen.head_taken, SMALLEST_HEAD)
        yield f"max_request_bytes: {size} {GUESSED}: {seen.head_refused} was too much"
        yield f"max_field_length: {min(size, LARGEST_FIELD)} {GUESSED}: one limit was seen, not which"
    yield from _schannel(seen)
    yield from _stores(seen)


def _timer(seconds: float | None) -> str:
    return f"{USUAL_TIMER}s {GUESSED}" if seconds is None else f"{max(1, round(seconds))}s"


def _ended_after(seen: Portrait, name: str) -> float | None:
    answer = seen.idle if name == "idle" else seen.header_wait
    return None if answer is None or answer.end is HowEnded.PATIENCE else answer.seconds


def _stuck_seconds(seen: Portrait) -> float | None:
    ended = [one.answer for one in seen.uploads if one.fate is Fate.STUCK and one.answer.end is not HowEnded.PATIENCE]
    return ended[0].seconds if ended else None


def _schannel(seen: Portrait) -> Iterator[str]:
    yield "schannel:"
    yield f"  send_trusted_issuer_list: {str(bool(seen.list_names)).lower()}"
    if seen.list_looks_cut:
        yield f"  trusted_issuer_list_limit: {seen.list_bytes} {GUESSED}: it looks cut"
    if seen.resumed_by_id is False:
        yield "  maximum_cache_size: 0"
    known = [WINDOWS_NAMES[one] for one in seen.suites if one in WINDOWS_NAMES]
    left_out = [one for one in seen.suites if one not in WINDOWS_NAMES]
    if known and seen.suites_complete and seen.server_prefers is not False:  # a list is in the server's order
        yield f"  cipher_suites: [{', '.join(known)}]"
        if left_out:
            yield f"  # not imitated: {', '.join(left_out)}"
    elif seen.suites:
        yield f"  # all suites, where these were seen: {', '.join(seen.suites)}"


def _stores(seen: Portrait) -> Iterator[str]:
    """As many names as it sent, and as many bytes: whose they are is nobody's business in a lab."""
    names = seen.list_names
    if not names:
        return
    mine = [name for name in names if name in seen.issuers_of_mine][:1]
    others = len(names) - (1 if mine or not seen.has_identity else 0)
    room = sum(map(len, names)) - sum(map(len, mine))
    yield "stores:"
    yield "  Root:"
    yield f"    roots: {GUESSED}: as many names as it sent, of that length in all"
    if mine or not seen.has_identity:
        yield "      - {authority: client} # stands for the issuer of the client's certificate"
    yield from _other_roots(others, room)
    if seen.list_looks_cut and not mine and seen.has_identity:
        yield f"      - {{authority: client}} {GUESSED}: cut off, for it was not named"


def _other_roots(count: int, room: int) -> Iterator[str]:
    """So many roots whose names take `room` bytes, as nearly as names can: some are a letter longer than the others."""
    if not count:
        return
    bare = [len(root_name(f"Root CA {number}", "I").public_bytes()) - 1 for number in range(1, count + 1)]
    length, longer = divmod(max(0, room - sum(bare)), count)
    for extra, how_many, first in ((1, longer, "B"), (0, count - longer, "A")):
        if how_many:
            size = max(1, min(length + extra, LONGEST))
            organization = (first + "n-imitated-authority-" * 4)[:size]
            yield f'      - {{name: "Root CA {{n}}", organization: {organization}, count: {how_many}}}'


def _promise(seen: Portrait) -> Iterator[str]:
    wants = seen.asks_in_handshake or seen.renegotiates_for_it or seen.asks_post_handshake
    refused = wants and _is_required(seen)
    step = f"{{request: {_quoted(f'GET {seen.path}')}, identity: none}}"
    yield "symptom:"
    yield f"  title: {_quoted('A client without a certificate')}"
    yield f"  client: [{step}]"
    yield f"  expect: {{outcome: {'403.7' if refused else '200'}}}"
    yield "fixes: {}"
    yield f"teach: {_quoted('What the probe printed says how each of this was seen.')}"


def _expected(seen: Portrait) -> Reply | None:
    answers = seen.mine or seen.bare
    return answers[min(answers)] if answers else None
