"""How other programs come to trust the lab's servers, what that risks, and how they show its identities.

Nothing here runs anything: the lab changes no trust store.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlslab.lab.shell import join
from tlslab.pki.description import Description
from tlslab.pki.names import LOOPBACK, RESERVED
from tlslab.pki.server_authority import KEY, ServerAuthority
from tlslab.pki.store import PKCS12_PASSWORD as PASSWORD

URL = "https://localhost:8443/"  # where the first binding of a scenario of the catalogue is
STORE = "truststore.p12"
Instructions = list[tuple[str, list[str]]]


def risk(server: ServerAuthority) -> str:
    """Say how far the server authority goes, and what somebody risks who trusts it."""
    end = f"{server.authority.certificate.not_valid_after_utc:%Y-%m-%d}"
    if server.vouches_for is None:
        return (
            "An older lab made it, without limits, and what trusting it risks is much: whoever gets its key "
            f"({KEY}) can pose as any web site to what trusts it, until {end}. tlslab pki reset --server makes one "
            "that goes no further than the lab needs."
        )
    asked = f". Because somebody asked for it, it vouches for {', '.join(server.added)}, too" if server.added else ""
    return (
        f"It vouches for names that end in {', '.join(RESERVED[:-1])} or {RESERVED[-1]}, which no site on the net has, "
        f"and for {' and '.join(LOOPBACK)}{asked}. What trusting it risks: whoever gets its key ({KEY}) can pose as "
        f"one of these to what trusts it, until {end}, and as no other site. Java alone does not look at such limits: "
        "to Java, as any site. Take it out again when you are done. A start within 30 days of its end makes a new one, "
        "and says so."
    )


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported to `folder`: the server authority and `name`, among others, in these formats."""

    folder: Path
    authority: Description
    name: str
    certificate: Description
    formats: frozenset[str]

    @property
    def ca(self) -> str:
        """The authority's file."""
        return str(self.folder / "server-ca.pem")

    @property
    def cert(self) -> str:
        """The identity's certificate, in PEM."""
        return str(self.folder / f"{self.name}.pem")

    @property
    def key(self) -> str:
        """Its key, in PEM."""
        return str(self.folder / f"{self.name}-key.pem")

    @property
    def p12(self) -> str:
        """Both as PKCS#12, in the newest format that was exported."""
        legacy = "p12-legacy" in self.formats and "p12" not in self.formats
        return str(self.folder / f"{self.name}{'-legacy' if legacy else ''}.p12")

    @property
    def leaf_and_key(self) -> str:
        """Its certificate without its authorities, and its key, in PEM."""
        return str(self.folder / f"{self.name}-leaf-and-key.pem")

    @property
    def chain(self) -> str:
        """Its authorities, in PEM."""
        return str(self.folder / f"{self.name}-chain.pem")

    @property
    def has_pem(self) -> bool:
        """Whether `cert` and `key` are there."""
        return "pem" in self.formats

    @property
    def has_p12(self) -> bool:
        """Whether `p12` is there."""
        return not self.formats.isdisjoint(("p12", "p12-legacy"))


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of program: sentences, each with the command lines that belong to it."""

    title: str
    steps: Instructions


def ways(exported: Exported) -> Iterator[Way]:
    """For curl, Windows, browsers, Java, Python, Node and Apache, in that order."""
    yield Way("curl", _curl(exported))
    yield Way("Windows (Edge, Chrome, .NET, curl.exe)", _windows(exported))
    yield Way("Browsers elsewhere", _browsers(exported))
    yield Way("Java", _java(exported))
    yield Way("Python", _python(exported))
    yield Way("Node", _node(exported))
    yield Way("Apache as a proxy in front of the lab", _apache(exported))


def _curl(e: Exported) -> Instructions:
    if e.has_pem:
        identity = ["--cert", e.cert, "--key", e.key]
    else:
        identity = ["--cert-type", "P12", "--cert", f"{e.p12}:{PASSWORD}"]
    return [("Nothing to install:", [join(["curl", "--cacert", e.ca, *identity, URL])])]


def _windows(e: Exported) -> Instructions:
    # On another system the files are copied first, so that only their names are right.
    ca, p12 = (name if os.name == "nt" else Path(name).name for name in (e.ca, e.p12))
    thumbprint = e.certificate.fingerprint_sha1
    copied = "" if os.name == "nt" else "Copy the files there. "
    steps: Instructions = [
        (
            f"{copied}For the current user; without -user, in an elevated prompt, for the whole machine. By hand it is "
            "certmgr.msc, or certlm.msc for the machine: Trusted Root Certification Authorities, All Tasks, Import.",
            [join(["certutil", "-user", "-addstore", "Root", ca])],
        )
    ]
    undo = [join(["certutil", "-user", "-delstore", "Root", e.authority.common_name])]
    if e.has_p12:
        line = join(["certutil", "-user", "-p", PASSWORD, "-importPFX", p12, "NoRoot"])
        steps.append((f"The identity{_for_old_windows(e)}:", [line]))
        undo.append(join(["certutil", "-user", "-delstore", "My", thumbprint]))
    else:
        steps.append(_no_p12())
    return [*steps, ("To take them out again:", undo)]


def _for_old_windows(e: Exported) -> str:
    if "p12-legacy" in e.formats:
        return ""
    return ' (where the password is "incorrect", as in Windows Server 2016: --format p12-legacy)'


def _no_p12() -> tuple[str, list[str]]:
    return "The identity needs a .p12 file here: export it with --format p12.", []


def _browsers(e: Exported) -> Instructions:
    steps: Instructions = [
        (
            "Firefox has a store of its own: Settings, Privacy & Security, View Certificates; under Authorities import "
            "server-ca.pem for web sites, under Your Certificates the .p12. On macOS, Chrome and Safari ask the "
            "Keychain: Keychain Access, import both, and set the authority to Always Trust.",
            [],
        )
    ]
    if os.name == "nt":
        return steps
    database = "sql:$HOME/.pki/nssdb"
    add = [_nss(database, "-A", "-t", "C,,", "-n", e.authority.common_name, "-i", e.ca)]
    remove = [_nss(database, "-D", "-n", e.authority.common_name)]
    if e.has_p12:
        add.append(f'pk12util -d "{database}" -i {join([e.p12])} -W {PASSWORD}')
        remove.append(_nss(database, "-F", "-n", e.name))
    where = "Chrome, Chromium and Edge on Linux use NSS (Debian: libnss3-tools); -d sql:PROFILE is Firefox's profile"
    steps.append((f"{where} instead, which about:support names:", add))
    new = [f'mkdir -p "$HOME/.pki/nssdb" && {_nss(database, "-N", "--empty-password")}']
    steps.append(("Where no browser has made that database yet, it is made first:", new))
    brought = " (the .p12 brought its issuers along, untrusted; certutil -L shows their names)" if e.has_p12 else ""
    steps.append((f"To take them out again{brought}:", remove))
    return steps if e.has_p12 else [*steps, _no_p12()]


def _nss(database: str, *words: str) -> str:
    return f'certutil -d "{database}" {join(words)}'


def _java(e: Exported) -> Instructions:
    store = str(e.folder / STORE)
    imported = ["keytool", "-importcert", "-noprompt", "-alias", "tlslab", "-file", e.ca]
    imported += ["-keystore", store, "-storetype", "PKCS12", "-storepass", PASSWORD]
    run = ["java", *_property("trustStore", store)]
    run += _property("keyStore", e.p12) if e.has_p12 else []
    steps: Instructions = [
        ("A store of its own, so that the JDK's cacerts stays as it is:", [join(imported)]),
        (
            "Before 8u301 and 11.0.12 Java reads --format p12-legacy alone."
            if e.has_p12
            else "Only the authority; the identity needs a .p12 file, see --format p12.",
            [join([*run, "Program"])],
        ),
    ]
    return steps


def _property(name: str, file: str) -> list[str]:
    prefix = f"-Djavax.net.ssl.{name}"
    return [f"{prefix}={file}", f"{prefix}Password={PASSWORD}", f"{prefix}Type=PKCS12"]


def _python(e: Exported) -> Instructions:
    steps: Instructions = [
        (
            "requests (instead of the authorities it brings along):",
            _with_variable("REQUESTS_CA_BUNDLE", e.ca, "python3"),
        ),
        ("The ssl module, urllib (instead of the system's):", _with_variable("SSL_CERT_FILE", e.ca, "python3")),
    ]
    if not e.has_pem:
        return [*steps, ("The identity needs PEM files here: export it with --format pem.", [])]
    code = [
        f"requests.get({URL!r}, verify={e.ca!r}, cert=({e.cert!r}, {e.key!r}))",
        f"context = ssl.create_default_context(cafile={e.ca!r})",
        f"context.load_cert_chain({e.cert!r}, {e.key!r})",
    ]
    return [*steps, ("Or in the program, with the identity:", code)]


def _node(e: Exported) -> Instructions:
    if e.has_pem:
        identity = f"cert: fs.readFileSync({e.cert!r}), key: fs.readFileSync({e.key!r})"
    else:
        identity = f"pfx: fs.readFileSync({e.p12!r}), passphrase: {PASSWORD!r}, ca: fs.readFileSync({e.ca!r})"
    line = f"https.get({URL!r}, {{{identity}}}, answer => answer.pipe(process.stdout))"
    return [
        ("Read once, when node starts, beside the authorities it brings along:", _with_variable(_NODE, e.ca, "node")),
        ("The identity is the program's business:", [line]),
    ]


def _apache(e: Exported) -> Instructions:
    lines = ["SSLProxyEngine on", f'SSLProxyCACertificateFile "{e.ca}"']
    if "apart" not in e.formats:
        return [("The identity needs two files here: export it with --format apart.", lines)]
    lines.append(f'SSLProxyMachineCertificateFile "{e.leaf_and_key}"')
    chain = [f'SSLProxyMachineCertificateChainFile "{e.chain}"']
    why = "With authorities in the certificate's file it refuses to start, and without the key there it sends nothing:"
    return [(why, [*lines, *chain])]


_NODE = "NODE_EXTRA_CA_CERTS"


def _with_variable(name: str, value: str, command: str) -> list[str]:
    if os.name == "nt":
        return [f'set "{name}={value}"', command]
    return [f"{name}={shlex.quote(value)} {command}"]
