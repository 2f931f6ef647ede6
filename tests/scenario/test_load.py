"""Every problem of a scenario file, each with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlslab.errors import LabError, ScenarioError
from tlslab.scenario import catalogue, yaml_nodes
from tlslab.scenario.load import LoadedScenario, load_scenario, parse_scenario


def problems(text: str) -> list[str]:
    """What is said of a file called f.yaml."""
    try:
        parse_scenario(text.encode(), "f", "f.yaml")
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_sound_scenario(loaded):
    """It knows its name, its file, and what its profile says where it says nothing."""
    assert (loaded.name, loaded.file) == ("small", "small.yaml")
    binding, site = loaded.scenario.bindings["site"], loaded.scenario.sites[0]
    assert (binding.client_cert_negotiation, binding.protocols) == ("disable", ("TLS1.0", "TLS1.1", "TLS1.2"))
    assert (site.client_cert_retrieval.kind, site.client_cert_retrieval.size) == ("read_ahead_413", 49_152)
    assert loaded.scenario.timers.ssl_renegotiation == 120


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("format_version: 1", "format_version: 2", "1:17: format_version: 2 is not known here; known: 1"),
        ("title: T\n", "titel: T\n", "1:1: 'title' is missing"),
        ("title: T\n", "titel: T\n", "2:1: titel: there is no such key here; did you mean title?"),
        (
            "title: T\n",
            "title: 7\n",
            "2:8: title: expected text (put a number or a word such as true in quotes), found 7",
        ),
        (
            "{outcome: reset}",
            "{outcome: 200, arrivals: -1}",
            "16:36: symptom.expect.arrivals: expected at least 0, found",
        ),
        ("story: S", "story: ''", "3:8: story: is empty"),
        ("[here]", "here", "4:10: sources: expected a list, found 'here'"),
        ("[here]", "[]", "4:10: sources: at least one is needed here"),
        ("2012-r2", "2012-r3", "6:10: profile: there is no profile of that name; did you mean windows-server-2012-r2"),
        ("  site:", "  Site:", "8:3: bindings.Site: expected a name of a-z and 0-9, joined by hyphens, found 'Site'"),
        ('"0.0.0.0:8443"', "8443", "9:15: bindings.site.endpoint: expected an endpoint such as 0.0.0.0:8443"),
        ("    endpoint:", "    endpont:", "9:5: bindings.site: 'endpoint' is missing"),
        (
            '8443"\n',
            '8443"\n    certificate: rsa\n',
            "10:18: bindings.site.certificate: 'rsa' is not known here; did you mean server-rsa?",
        ),
        (
            "sites:\n",
            "schannel: {cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_CBC]}\nsites:\n",
            "10:58: schannel.cipher_suites[1]: the lab has no cipher suite of that name; did you mean TLS_RSA_WITH",
        ),
        (
            "sites:\n",
            "schannel: {cipher_suites: [TLS_AES_128_GCM_SHA256]}\nsites:\n",
            "10:28: schannel.cipher_suites[0]: a suite of TLS 1.3, which this list does not reach",
        ),
        (
            '8443"\n',
            '8443"\n    protocols: [TLS1.2, TLS1.5]\n',
            "10:25: bindings.site.protocols[1]: 'TLS1.5' is not known here; did you mean",
        ),
        (
            '8443"\n',
            '8443"\n    client_cert_negotiation: on\n',
            "10:30: bindings.site.client_cert_negotiation: 'on' is not known here; known: enable, disable",
        ),
        (
            '8443"\n',
            '8443"\n    ctl_store: Mien\nstores: {Root: {}, Mine: {}}\n',
            "10:16: bindings.site.ctl_store: there is no store 'Mien'; did you mean Mine?",
        ),
        (
            "sites:\n",
            "stores: {Root: {roots: [{name: A, count: 2}]}}\nsites:\n",
            "10:25: stores.Root.roots[0]: 2 roots need {n} in their name",
        ),
        (
            "sites:\n",
            "stores:\n  root: {}\nsites:\n",
            "11:3: stores.root: certutil calls this store Root, found 'root'",
        ),
        ("/up.load", "up.load", "13:11: sites.up.load.path: expected a path such as /upload, found 'up.load'"),
        ("/up.load", "/upload", "13:11: sites./upload.path: the path /upload is taken already, by sites.0"),
        ("[Ssl]", "[Sll]", "12:17: sites./upload.ssl_flags[0]: 'Sll' is not known here; did you mean Ssl?"),
        (
            "[Ssl]\n",
            "[Ssl]\n    client_cert_retrieval: {kind: after_body, bufer: 1}\n",
            "13:47: sites./upload.client_cert_retrieval.bufer: there is no such key here; known: kind, max",
        ),
        (
            "[Ssl]\n",
            "[Ssl]\n    client_cert_retrieval: {kind: after_boddy}\n",
            "13:28: sites./upload.client_cert_retrieval: 'after_boddy' is not known here; did you mean after_body",
        ),
        (
            "[Ssl]\n",
            "[Ssl]\n    client_cert_retrieval: {max: 1MiB}\n",
            "13:28: sites./upload.client_cert_retrieval: 'kind' is missing",
        ),
        (
            "[Ssl]\n",
            "[Ssl]\n    client_cert_retrieval: {kind: synchronous, buffer: 40 KBytes}\n",
            "13:56: sites./upload.client_cert_retrieval.buffer: expected a size such as 40KiB, 1MiB or 49152, found",
        ),
        ("symptom:", "timers: {entity_body: 0}\nsymptom:", "14:23: timers.entity_body: expected more than 0, found 0"),
        ("symptom:", "timers:\nsymptom:", "14:8: timers: expected a mapping, found nothing"),
        ("1MiB}", "-1}", "15:42: symptom.client[0].body: expected at least 0, found -1"),
        ("1MiB}", "2GiB}", "15:42: symptom.client[0].body: expected at most 1,073,741,824, found '2GiB'"),
        ("1MiB}", "1MiB, chunked: yes}", "15:57: symptom.client[0].chunked: expected true or false, found 'yes'"),
        ("POST /upload", "POST upload", "15:22: symptom.client[0].request: expected a method and a path"),
        (
            "POST /upload",
            "POST /uplaod",
            "15:22: symptom.client[0].request: no site serves /uplaod; did you mean /upload",
        ),
        (
            "1MiB}",
            "1MiB, binding: sit}",
            "15:57: symptom.client[0].binding: there is no binding 'sit'; did you mean site?",
        ),
        (
            "1MiB}",
            "1MiB, same_connection: true}",
            "15:65: symptom.client[0].same_connection: the first step has no connection before it to go on with",
        ),
        (
            "1MiB}",
            "1MiB}, {request: GET /, identity: none, same_connection: true}",
            "15:99: symptom.client[1].same_connection: the step before has another identity",
        ),
        (
            "1MiB}",
            "1MiB, resumes: true}",
            "15:57: symptom.client[0].resumes: the first step has no connection before it whose session it could offer",
        ),
        (
            "1MiB}",
            "1MiB}, {request: GET /, identity: none, resumes: true}",
            "15:91: symptom.client[1].resumes: the step before has another identity",
        ),
        ("  client: [{request: POST /upload, body: 1MiB}]\n", "", "15:3: symptom: 'client' is missing"),
        (
            "{outcome: reset}",
            "{after: 1s}",
            "16:11: symptom.expect: 'outcome' is missing: what is seen on the wire, an HTTP status such as 200",
        ),
        ("{outcome: reset}", "reset", "16:11: symptom.expect: expected a mapping, found 'reset'"),
        ("{outcome: reset}", "{outcome: rest}", "16:21: symptom.expect.outcome: expected an HTTP status such as 200"),
        (
            "{outcome: reset}",
            "{outcome: reset, events: [HelloRequestSend]}",
            "16:37: symptom.expect.events[0]: there is no event of that name; did you mean HelloRequestSent",
        ),
        (
            "{outcome: reset}",
            "{outcome: reset, events: [PeerReset], never: [PeerReset]}",
            "16:11: symptom.expect: events and never both name PeerReset",
        ),
        (
            "{outcome: reset}",
            "{outcome: reset, httperr: Timer_SslRenegotation}",
            "16:37: symptom.expect.httperr: there is no HTTPERR reason of that name; did you mean Timer_Ssl",
        ),
        (
            "{outcome: reset}",
            "{outcome: reset, messages: [ServerHello]}",
            "16:39: symptom.expect.messages[0]: expected who sent what",
        ),
        (
            "{outcome: reset}",
            "{writes_everything: {outcome: reset}}",
            "16:11: symptom.expect: 'reads_while_writing' is missing",
        ),
        (
            "server-config]",
            "server-conf]",
            "21:15: fixes.a-fix.changes[0]: 'server-conf' is not known here; did you mean",
        ),
        ("deterministic: true", "deterministic: false", "18:3: fixes.a-fix: a fix that is not deterministic needs a"),
        (
            "site.client_cert_negotiation: enable",
            "sit.protocols: []",
            "25:11: fixes.a-fix.set: cannot set bindings.sit.protocols: there is no 'sit' in bindings",
        ),
        (
            "site.client_cert_negotiation: enable",
            "site.client_cert_negotiation: on",
            "25:50: fixes.a-fix.set: bindings.site.client_cert_negotiation: 'on' is",
        ),
        (
            "bindings.site.client_cert_negotiation: enable",
            "sites./upload.path: /up.load",
            "25:31: fixes.a-fix.set: sites./up.load.path: the path /up.load is taken already",
        ),
    ],
)
def test_one_problem(sound, old, new, wanted):
    """What is wrong, where, and what would be right."""
    assert old in sound
    found = problems(sound.replace(old, new, 1))
    assert any(problem.startswith(f"f.yaml:{wanted}") for problem in found), found


STEP = "symptom.client[0]"


@pytest.mark.parametrize(
    ("details", "wanted"),
    [
        ("sni: true", f"15:53: {STEP}.sni: expected false for a client that sends no name, or a name such as"),
        ("sni: 10.0.0.1", f"15:53: {STEP}.sni: expected false for a client that sends no name, or a name such as"),
        ("sni: 'a b'", f"15:53: {STEP}.sni: expected false for a client that sends no name, or a name such as"),
        ("answers_after: soon", f"15:63: {STEP}.answers_after: expected a duration such as 120s"),
        ("leaves_at: hello", f"15:59: {STEP}.leaves_at: 'hello' is not known here; known: certificate_request"),
        ("retries: true", f"15:57: {STEP}.retries: expected a number, found true"),
        ("retries: 21", f"15:57: {STEP}.retries: expected at most 20, found 21"),
        ("sends: root", f"15:55: {STEP}.sends: 'root' is not known here; known: leaf, chain, all"),
        ("sends: leaf, identity: none", f"15:12: {STEP}: sends says how much of a chain goes out, and a client"),
        ("pace: 0", f"15:54: {STEP}.pace: expected more than 0, found 0"),
        ("pace: fast", f"15:54: {STEP}.pace: expected a size such as 40KiB, 1MiB or 49152, found 'fast'"),
        ("pace: 9, body: 0", f"15:12: {STEP}: pace is how fast a body is sent, and this step has no body"),
        ("renegotiation: ignores", f"15:63: {STEP}.renegotiation: 'ignores' is not known here; did you mean ignore?"),
    ],
)
def test_nonsense_of_a_client(sound, details, wanted):
    """What a step cannot say, where, and what it could."""
    body = "" if "body:" in details else "body: 1MiB, "
    found = problems(sound.replace("body: 1MiB}", f"{body}{details}}}", 1))
    assert any(problem.startswith(f"f.yaml:{wanted}") for problem in found), found


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [("sni: false, ", "", "sni"), ("", "sends: leaf, ", "sends"), ("filters_by_usage: true, ", "", "filters_by_usage")],
)
def test_a_connection_keeps_what_it_began_with(sound, before, after, named):
    """A second request on it has the same server name, and comes from the same client."""
    steps = f"{{{before}request: GET /upload}}, {{{after}request: GET /upload, same_connection: true}}"
    [found] = problems(sound.replace("{request: POST /upload, body: 1MiB}", steps, 1))
    assert f"the step before has another {named}, and a connection keeps its own" in found


def test_every_problem_at_once(sound):
    """Syntax of values, unknown keys, references and settings are reported together, in the order of the lines."""
    text = sound.replace("title: T", "titel: T").replace("POST /upload", "POST /nowhere").replace("enable", "on")
    text = text.replace('8443"', '8443"\n  other: {endpoint: "0.0.0.0:8443"}').replace(
        "costs: little", "costs: little\n    costs: 1"
    )
    found = problems(text)
    assert [problem.split(": ")[0] for problem in found] == [
        "f.yaml:1:1",
        "f.yaml:2:1",
        "f.yaml:10:21",
        "f.yaml:16:22",
        "f.yaml:26:5",
    ]


def test_settings_are_laid_over_a_sound_lab_only(sound):
    """A scenario whose bindings are wrong does not say so once more for every fix."""
    assert len(problems(sound.replace("0.0.0.0:8443", "nowhere"))) == 1


def test_a_defeat_is_checked_over_its_fix(sound):
    """What a defeat sets may refer to what its fix has set."""
    fix = "set: {sites./upload.client_cert_retrieval: {kind: after_body}}"
    fix += "\n    defeated_by:\n"
    defeat = "      too-much: {set: {sites./upload.client_cert_retrieval.max: SIZE}, expect: {outcome: 200}}"
    text = sound.replace("set: {bindings.site.client_cert_negotiation: enable}", fix + defeat)
    assert problems(text.replace("SIZE", "1MiB")) == []
    assert problems(text.replace("SIZE", "much"))[0].startswith(
        "f.yaml:27:65: fixes.a-fix.defeated_by.too-much.set: sites."
    )


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", "1:1: the file is empty"),
        (b"- a", "1:1: a scenario is a mapping: key: value"),
        (b"a: \xc3\xa9\nb: \xff", "2:4: this is not UTF-8 text: save the file as UTF-8"),
        (b" " * 2**20 + b"a", "1:1: a scenario has at most 1,048,576 bytes"),
    ],
)
def test_no_scenario_at_all(raw, wanted):
    """A file that is something else has one problem."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(raw, "f", "f.yaml")
    assert [str(problem) for problem in caught.value.problems] == [f"f.yaml:{wanted}"]


def test_a_byte_order_mark_is_no_problem(sound):
    """Windows editors write one."""
    assert parse_scenario(b"\xef\xbb\xbf" + sound.encode(), "f", "f").scenario.title == "T"


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "a\0b"])
def test_an_unreadable_file(tmp_path, name):
    """A file that cannot be read is one clear line."""
    with pytest.raises(LabError, match="cannot read") as caught:
        load_scenario(tmp_path / name)
    assert not isinstance(caught.value, ScenarioError)


# --- any file at all -----------------------------------------------------------------------------------------


def read(raw: bytes) -> None:
    """Read as `tlslab validate` does: a scenario or its problems, which can be printed, and nothing else."""
    try:
        result: LoadedScenario | ScenarioError = parse_scenario(raw, "f", "f.yaml")
    except ScenarioError as error:
        result = error
    assert isinstance(result, LoadedScenario) or (result.problems and str(result).encode())


@given(st.binary(max_size=300))
def test_any_bytes(raw):
    """Any file is a scenario or has problems."""
    read(raw)


SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(catalogue.folder().glob("*.yaml"))]
SCRAPS = [
    "",
    "~",
    "[]",
    "{}",
    "-1",
    "true",
    "*freeze",
    "&freeze ",
    "a: b",
    "sites.0",
    "x" * 99,
    "\n",
    "'",
    "ü",
    "9" * 30,
]


@settings(max_examples=2 * settings().max_examples)
@given(st.data())
def test_any_change_to_a_shipped_scenario(data):
    """A shipped scenario with words replaced at random is a scenario or has problems."""
    words = data.draw(st.sampled_from(SHIPPED)).split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(words) - 1))
        words[index] = data.draw(st.sampled_from(SCRAPS) | st.sampled_from(words) | st.text(max_size=5))
    read(" ".join(words).encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["profile", "bindings", "sites", "timers", "symptom", "cases", "fixes", "on_unavailable", "sources", "title"]


@settings(max_examples=2 * settings().max_examples)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_value_under_any_key(changed):
    """JSON is YAML: a scenario whose parts are anything has problems, or is one."""
    node, _ = yaml_nodes.parse(SHIPPED[0], "f")
    assert node is not None
    read(json.dumps({**node.plain(), **changed}, ensure_ascii=False).encode())
