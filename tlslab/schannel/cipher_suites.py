"""The cipher suites that Schannel and OpenSSL share, by the names of Windows and the RFCs.

Left out on purpose: RC4 and 3DES, which OpenSSL's default build leaves out, and export suites, which it no longer has;
DHE, for which the lab holds no parameters; TLS 1.3's, which OpenSSL sets elsewhere and always offers. Before Windows 10
the names of ECDHE suites end with a curve (`_P256`), which OpenSSL does not tie to a suite.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

# Names: Microsoft Learn, TLS Cipher Suites in Windows Server 2022, and Supported Cipher Suites and Protocols in the
# Schannel SSP. OpenSSL's: openssl-ciphers(1), "TLS v1.0 cipher suites" and the sections after it.
OPENSSL_NAMES: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384": "ECDHE-ECDSA-AES256-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384": "ECDHE-RSA-AES256-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA256": "AES256-SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
}
CURVE = re.compile(r"_P(256|384|521)\Z")
TLS_1_3 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})


def known_suite(name: str) -> str:
    """Give the name back. ValueError: it is none of the table; the message says which one was probably meant."""
    if name in OPENSSL_NAMES:
        return name
    if name in TLS_1_3:
        raise ValueError("a suite of TLS 1.3, which this list does not reach; protocols: [TLS1.2] turns 1.3 off")
    plain = CURVE.sub("", name)
    if plain in OPENSSL_NAMES:
        raise ValueError(f"OpenSSL ties no curve to a suite; write {plain}")
    near = difflib.get_close_matches(name[:64], OPENSSL_NAMES, n=1, cutoff=0.65)
    hint = f"did you mean {near[0]}?" if near else "write it as Windows does, such as TLS_RSA_WITH_AES_128_CBC_SHA"
    raise ValueError(f"the lab has no cipher suite of that name; {hint}")


def openssl_names(suites: Sequence[str]) -> tuple[str, ...]:
    """Translate suites of the table, in their order."""
    return tuple(OPENSSL_NAMES[suite] for suite in suites)
