"""Error codes that go by several numbers and names: one name each, and every form in which programs print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# The numbers of Linux, macOS and the BSDs, Windows sockets, and libuv on Windows (errno.h, winsock2.h, uv/errno.h).
ERRNOS = {
    "ECONNRESET": (104, 54, 10054, 4077),
    "ECONNABORTED": (103, 53, 10053, 4079),
    "EPIPE": (32, 10058, 4047),
    "ETIMEDOUT": (110, 60, 10060, 4039),
    "ECONNREFUSED": (111, 61, 10061, 4078),
    "EHOSTUNREACH": (113, 65, 10065),
}
# winerror.h and wininet.h; an HRESULT made of one is 0x8007 and the number.
WIN32 = {
    "ERROR_SEM_TIMEOUT": 121,
    "ERROR_CONNECTION_ABORTED": 1236,
    "ERROR_WINHTTP_TIMEOUT": 12002,
    "ERROR_WINHTTP_NAME_NOT_RESOLVED": 12007,
    "ERROR_WINHTTP_CANNOT_CONNECT": 12029,
    "ERROR_WINHTTP_CONNECTION_ABORTED": 12030,
    "ERROR_WINHTTP_CONNECTION_RESET": 12031,
    "ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED": 12044,
    "ERROR_WINHTTP_INVALID_SERVER_RESPONSE": 12152,
    "ERROR_WINHTTP_SECURE_CHANNEL_ERROR": 12157,
    "ERROR_WINHTTP_SECURE_FAILURE": 12175,
}
HRESULTS = {
    "SEC_E_INVALID_TOKEN": 0x80090308,
    "SEC_E_MESSAGE_ALTERED": 0x8009030F,
    "SEC_E_INCOMPLETE_MESSAGE": 0x80090318,
    "SEC_E_UNTRUSTED_ROOT": 0x80090325,
    "SEC_E_ILLEGAL_MESSAGE": 0x80090326,
    "SEC_E_CERT_UNKNOWN": 0x80090327,
    "SEC_E_ALGORITHM_MISMATCH": 0x80090331,
    "SEC_I_RENEGOTIATE": 0x00090321,
    "CRYPT_E_REVOKED": 0x80092010,
    "CRYPT_E_REVOCATION_OFFLINE": 0x80092013,
    "CERT_E_EXPIRED": 0x800B0101,
    "CERT_E_UNTRUSTEDROOT": 0x800B0109,
    "CERT_E_CHAINING": 0x800B010A,
    "CERT_E_WRONG_USAGE": 0x800B0110,
}
_WINSOCK = 10_000  # from here on the numbers of Windows sockets and WinHTTP stand for themselves


def forms(*names: str) -> str:
    """Make the pattern of every form of these codes: by name, and by number where nothing else can be meant."""
    return "|".join(form for name in names for form in _forms(name))


def numbers(*names: str) -> str:
    """Make the pattern of the numbers alone, which mean these codes where little else is said."""
    known = [number for name in names for number in (*ERRNOS.get(name, ()), WIN32.get(name, 0)) if number > _WINSOCK]
    return rf"(?<![\d.:-]){_one_of(known)}(?![\d.:-])"


def _forms(name: str) -> Iterator[str]:
    yield (
        rf"\b(?:WSA)?{name}(?![A-Z])"
        if name not in WIN32
        else rf"\b{name.replace('WINHTTP', '(?:WINHTTP|INTERNET)')}(?![A-Z])"
    )
    small = _one_of(ERRNOS.get(name, ()))
    if small:
        yield rf"(?:errno[ =:]*|os error |winerror |(?<!curl: )(?<!curl )\(){small}(?![\d,.])"
        yield rf"(?:errno|code)['\"]?[ =:]+-{small}(?!\d)"
    large = [number for number in (*ERRNOS.get(name, ()), WIN32.get(name, 0)) if number > _WINSOCK]
    if large:
        yield rf"(?:error|code|exception)[ =:#]*\(?{_one_of(large)}(?!\d)"
    hresults = [number | 0x8007_0000 for number in {*large, WIN32.get(name, 0)} - {0}]
    yield from map(_hresult, [*hresults, *([HRESULTS[name]] if name in HRESULTS else [])])


def _one_of(numbers: Iterable[int]) -> str:
    """Make a pattern of several numbers; of none, nothing."""
    known = "|".join(map(str, numbers))
    return known and f"(?:{known})"


def _hresult(code: int) -> str:
    """In hexadecimal, and in decimal with and without a sign."""
    return rf"0x0*{code:X}(?![\dA-F])|(?<!\d){code}(?!\d)|-{2**32 - code}(?!\d)"
