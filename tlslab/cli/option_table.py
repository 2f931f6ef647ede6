"""The options and arguments of every command, each with what it takes. Made by make docs from the commands.

A shell asks for them while somebody types, and must not wait until all that the commands import is there.
"""

# fmt: off
OPTIONS: dict[str, dict[str, str]] = {
    "list": {"--help": "", "--json": "", "--symptom": "TEXT|-"},
    "show": {"--commands": "[CASE]", "--fixes": "", "--help": "", "--json": "", "--port": "N", "--profile": "PROFILE",
        "--speed": "N", "_": "NAME|FILE.yaml"},
    "serve": {"--control": "[ADDR:]PORT", "--events": "FILE|-", "--fix": "FIX", "--help": "", "--host": "ADDR",
        "--keylog": "FILE", "--logs": "DIR", "--pcapng": "FILE|-", "--pcapng-limit": "SIZE", "--port": "N",
        "--profile": "PROFILE", "--ready-file": "FILE|-", "--san": "NAME", "--scenario": "NAME|FILE.yaml",
        "--set": "PATH=YAML", "--speed": "N", "--verbose": "", "-s": "NAME|FILE.yaml", "-v": "",
        "_": "NAME|FILE.yaml"},
    "demo": {"--help": "", "--keylog": "FILE", "--logs": "DIR", "--pcapng": "FILE|-", "--pcapng-limit": "SIZE",
        "--profile": "PROFILE", "--speed": "N"},
    "verify": {"--all": "", "--help": "", "--json": "", "--junit": "FILE", "--speed": "N", "_": "NAME|FILE.yaml"},
    "sweep": {"--bodies": "BODIES", "--buffers": "BUFFERS", "--csv": "FILE", "--delays": "DELAYS", "--fix": "FIX",
        "--help": "", "--json": "", "--relays": "RELAYS", "--runs": "RUNS", "--styles": "STYLES", "--svg": "FILE",
        "_": "NAME|FILE.yaml"},
    "matrix": {"--all-fixes": "", "--client": "'COMMAND'", "--clients": "A,B", "--help": "", "--json": "FILE",
        "--list": "", "--markdown": "FILE", "--python": "PATH", "--speed": "N", "--workers": "WORKERS",
        "_": "NAME|FILE.yaml"},
    "probe": {"--ca": "FILE", "--cert": "FILE",
        "--client": "all|openssl|java|schannel|browser|no-renegotiation|ignores-renegotiation|"
        "no-post-handshake-auth|write-then-read|interleaved|expect-continue|prime|curl|chromium|"
        "wget|node|go|lftp",
        "--fix": "FIX", "--help": "",
        "--holds": "all|alice|expired|not-yet-valid|wrong-ca|wrong-eku|revoked|leaf-only|full-chain",
        "--identity": "IDENTITY", "--json": "", "--key": "FILE", "--long": "", "--quick": "",
        "--scenario": "NAME|FILE.yaml", "--set": "PATH=YAML", "--speed": "N", "--upload": "", "--url": "URL",
        "--write-scenario": "FILE.yaml", "--yes": "", "-s": "NAME|FILE.yaml"},
    "trace": {"--help": "", "--json": "", "--keylog": "FILE", "--stream": "N", "_": "FILE"},
    "profiles": {"--help": "", "--json": "", "--markdown": "", "_": "NAME"},
    "pki": {"--help": "", "_": "show|export|reset"},
    "pki show": {"--help": "", "--json": ""},
    "pki export": {"--force": "", "--format": "pem|apart|p12|p12-legacy", "--help": "",
        "--identity": "alice|expired|not-yet-valid|wrong-ca|wrong-eku|revoked|leaf-only|full-chain", "_": "DIR"},
    "pki reset": {"--help": "", "--server": "", "--yes": ""},
    "validate": {"--help": "", "_": "FILES"},
    "schema": {"--help": "", "_": "scenario|events"},
    "completion": {"--help": "", "_": "bash|zsh|fish|powershell"},
}
