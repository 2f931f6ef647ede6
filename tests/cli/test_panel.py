"""What `serve` prints when it is ready."""

from __future__ import annotations

import html
import re
import runpy
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from tlslab.cli import recipes
from tlslab.cli.recipes import Recipe
from tlslab.cli.serve import command as serve
from tlslab.lab.options import Options
from tlslab.lab.running import Running
from tlslab.scenario import catalogue
from tlslab.scenario.overlay import parse_set

COMMAND = re.compile(r"^  (for .*|sleep .*|curl .*|printf .*|wget .*|.* serve --scenario .*)$", re.MULTILINE)
CLIENTS = ("curl ", "printf ", "wget ", "python3 ")
OTHER_PORTS = "it will have other ports"  # of a fix, where the system chose more than one port


def words_of(recipe: Recipe) -> str:
    """Its sentences."""
    return " ".join(recipe.sentences)


def every_recipe(running: Running) -> list[Recipe]:
    """The failure, each case and each fix."""
    scenario = running.loaded.scenario
    cases = [recipes.case(running, name, case) for name, case in scenario.cases.items()]
    return [recipes.symptom(running), *cases, *(recipes.fix(running, name) for name in scenario.fixes)]


@pytest.mark.parametrize("name", catalogue.names())
def test_command_lines(running, home, name):
    """The failure, each case and each fix have lines to copy, with files that are there, and say what to expect."""
    for recipe in every_recipe(running(Options(name, port=0))):
        clients = [line for line in recipe.lines if line.startswith(CLIENTS)]
        assert clients or OTHER_PORTS in words_of(recipe) or "send what fails" in words_of(recipe)
        assert "Expect " in words_of(recipe)
        for line in clients:
            words = [piece for word in shlex.split(line) for piece in word.split("'")]  # a program quotes its own
            written = {after for before, after in pairwise(words) if before in ("-sess_in", "-sess_out")}
            assert all(Path(file).parent.is_dir() for file in written)
            files = [word.removeprefix("@") for word in words if word.removeprefix("@").startswith(str(home))]
            files = [file for file in files if file not in written]
            assert len(files) >= (3 if {"--cert", "-cert", "--certificate"} & set(words) else 1)
            assert all(Path(file).is_file() for file in files)


def test_the_start_page_links_what_is_served(running):
    """Both ports of stale-binding, as they really are, each with what its record says."""
    stale = running(Options("stale-binding", port=0))
    links = stale.plan_with_links.landing.bindings
    assert [url for url, _ in links] == [f"https://localhost:{one.port}/" for one in stale.served]
    assert ["deleted" in said for _, said in links] == [True, False]
    assert stale.plan.landing.bindings == ()


def test_lines_of_a_client_that_comes_back(running):
    """One line for each thing that happens; waits by the lab's clock, the end by what openssl prints."""
    idle = running(Options("session-idle-purge", port=0, speed=24.0))
    see = recipes.symptom(idle)
    assert [line.split()[0] for line in see.lines] == ["printf", "sleep", "printf"]
    assert "sleep 15" in see.lines
    assert "They wait for 360 s of the lab's time, 15 s on your watch." in words_of(see)
    assert words_of(see).endswith("Expect the answer 200, and a last line that says New.")
    assert words_of(recipes.fix(idle, "enable-kernel-ssl")) == (
        "Start the lab so, and send what fails. Expect the answer 200, and a last line that says Reused."
    )
    fifo = recipes.symptom(running(Options("session-fifo-eviction", port=0)))
    assert [line.split()[0] for line in fifo.lines] == ["printf", "printf", "for", "printf"]
    assert "wait" not in words_of(fifo)
    lifetime = words_of(recipes.symptom(running(Options("session-lifetime", port=0))))
    assert "They wait for 10 h; a lab with --speed 3600 needs 10 s." in lifetime


@pytest.mark.parametrize("name", catalogue.names())
def test_server_lines(running, shipped, name):
    """A fix on the server's side is a line that starts the lab with it, at the same port; a client's says so.

    Several ports that the system chose cannot be asked for again. A case that sets something starts a lab, too.
    """
    scenario = shipped(name).scenario
    there = running(Options(name, port=0, speed=24.0))
    ports = {one.port for one in there.served}
    port = int(*ports) if len(ports) == 1 else 0
    started = {fix: recipes.fix(there, fix) for fix in scenario.fixes}
    started |= {case: recipes.case(there, case, shown) for case, shown in scenario.cases.items()}
    for key, recipe in started.items():
        shown = scenario.fixes.get(key) or scenario.cases[key]
        starts = [line for line in recipe.lines if " serve " in line]
        assert (len(starts), OTHER_PORTS in words_of(recipe)) == (bool(shown.set), bool(shown.set) and port == 0)
        assert ("changes on the server" in words_of(recipe)) is (key in scenario.fixes and not shown.set)
        for line in starts:
            words = shlex.split(line)
            given = serve.make_context("serve", words[words.index("serve") + 1 :]).params
            assert (given["port"], given["speed"]) == (port, 24.0)
            assert given["fixes"] == ((key,) if key in scenario.fixes else ())
            if key in scenario.cases:
                assert dict(map(parse_set, given["settings"])) == dict(shown.set)


@pytest.mark.parametrize("name", catalogue.names())
def test_the_panel_fits_a_terminal(panel_text, home, name):
    """At 80 columns it is 30 lines and fewer, commands unfolded; the last one is what fails."""
    lines = panel_text(name).splitlines()
    *before, last, rule = lines
    assert len(before) <= 28
    assert rule.startswith(" What happens")
    assert last.lstrip().startswith(CLIENTS)
    assert [line for line in before if line.startswith("See it fail")]
    assert len([line for line in lines if line.startswith("Fix ")]) == 1


def test_one_fix_and_where_the_others_are(panel_text):
    """The one that is recommended and certain, then the command that shows the others: as this lab is served."""
    text = panel_text("post-request-renegotiation", width=200, speed=24.0)
    (port,) = re.findall(r"^URL +https://localhost:(\d+)/", text, re.MULTILINE)
    assert text.count("\nFix negotiate-on-binding: ") == 1
    assert re.search(rf"^1 more fix: .*show post-request-renegotiation --port {port} --speed 24 --fixes$", text, re.M)
    assert re.search(rf"^What to hold beside it: .* --port {port} --speed 24 --commands$", text, re.M)


def test_prose_keeps_to_the_width(panel_text, home):
    """Only what is copied is longer than a line."""
    lines = panel_text(width=60, speed=100.0).splitlines()
    copied = [
        line for line in lines if COMMAND.match(line) or "https://" in line or " show " in line or str(home) in line
    ]
    assert not [line for line in lines if len(line) > 60 and line not in copied]


def test_a_client_that_filters(panel_text):
    """The panel says why it is not curl that shows this failure."""
    text = " ".join(panel_text("ca-list-truncation").split())
    assert "curl sends what it has" in text
    assert "See it fail" in text
    assert " wget -q " in text


@pytest.mark.parametrize("name", ["a-browser-uploads-twice", "a-small-post-arrives-twice"])
def test_a_client_that_no_line_can_be(running, shipped, name):
    """What it does is said beside curl's line, on this lab and on another, and what is promised is its own."""
    case = shipped("large-post-deadlock").scenario.cases[name]
    words = words_of(recipes.case(running(Options("large-post-deadlock", port=0)), name, case))
    assert "comes back on another connection, as Chromium does; curl answers where it is." in words
    assert "Expect of such a client " in words
    assert "the answer 200 for alice; the request arrives twice." in words


def test_facts(panel_text, home):
    """Every URL, the CA file, the identity in both forms, the password."""
    text = panel_text(width=120)
    assert re.search(r"^URL +https://localhost:\d+/  site: clientcertnegotiation=disable$", text, re.MULTILINE)
    assert re.search(r"^ +https://upload\.localhost:\d+/  upload: clientcertnegotiation=disable$", text, re.MULTILINE)
    assert f"Files      {home / 'pki'}:" in text
    words = " ".join(text.split())
    assert "server-ca.pem is what a client must trust, alice.pem with alice-key.pem what it shows" in words
    assert "alice.p12, password tlslab. Others: tlslab pki show" in words
    assert text.count("Mind:") == 1
    assert "Mind: a browser may send an upload that was reset again by itself, and freeze for up to 360 s." in text


def test_a_binding_without_its_certificate(panel_text):
    """It says so of that binding alone, and curl goes there all the same; with the fix it says nothing."""
    text = panel_text("stale-binding", width=200)
    assert re.search(r"^URL .*/  site: clientcertnegotiation=disable, certificate deleted$", text, re.M)
    assert re.search(r"^ +https.*/  other: clientcertnegotiation=disable$", text, re.M)
    assert "Expect that the connection is reset (curl: (35) or (56), Connection reset by peer)." in text
    [line] = [line for line in COMMAND.findall(text) if line.startswith("curl ")]
    assert re.fullmatch(r"curl .*--cacert [^ ]+ https://localhost:\d+/public", line)
    assert "--tlsv1.0" not in line
    assert "certificate deleted" not in panel_text("stale-binding", fixes=("bind-again",))


def test_with_a_fix(panel_text):
    """With a fix of the server in place, the last command shows that it works."""
    text = panel_text(fixes=("negotiate-on-binding",), width=200)
    assert "See it fail" not in text
    assert "See it work, with the fix negotiate-on-binding\n  Expect the answer 200 for alice." in text
    assert "clientcertnegotiation=enable" in text
    assert re.search("^10 more fixes: ", text, re.M)


def test_with_a_fix_of_the_client(panel_text):
    """A fix on the client's side leaves the failure as it was."""
    assert "See it fail" in panel_text(fixes=("prime-with-get",))


def test_what_to_expect(panel_text):
    """How the failure ends is said in lab time and on the watch, and not where --set may have changed it."""
    reset = "then the connection is reset (curl: (56) Recv failure: Connection reset by peer)."
    assert f"nothing for 120 s (5 s with --speed 24); {reset}" in panel_text(width=200)
    assert f"nothing for 120 s (5 s on your watch); {reset}" in panel_text(width=200, speed=24.0)
    changed = panel_text(settings=("timers.ssl_renegotiation=30s",))
    assert "Expect " not in changed
    assert "Set        timers.ssl_renegotiation=30s" in changed


@pytest.mark.parametrize(
    ("options", "minded", "unminded"),
    [
        ({"speed": 24.0}, ["keep their speed", "a browser that asks you for a certificate has 5 s"], ["each lasts"]),
        ({"speed": 100.0}, ["timers.header_wait", "each lasts 2 s on your watch, 200 s of the lab's", "has 2 s"], []),
        ({"speed": 0.5}, ["keep their speed"], ["browser", "each lasts"]),
        ({"host": "0.0.0.0"}, ["only on a network you trust", "add --san"], ["copy the CA file"]),
        ({"host": "0.0.0.0", "sans": ("winlab",)}, ["only on a network you trust", "copy the CA file"], []),
        ({"host": "127.0.0.1"}, [], ["Mind"]),
        ({"sans": ("winlab",)}, ["other machines cannot reach it: add --host"], ["only on a network you trust"]),
    ],
)
def test_warnings(panel_text, options, minded, unminded):
    """What a speed does not scale, and who can reach the lab."""
    text = panel_text("post-request-renegotiation", width=300, **options)
    assert [words in text for words in minded] == [True] * len(minded)
    assert [words in text.split("Mind", 1)[-1] for words in unminded if "Mind" in text] in ([], [False] * len(unminded))


def test_other_names(panel_text, running):
    """--san is what the printed commands call the lab, and where they look for names that only it knows."""
    text = panel_text(sans=("winlab", "192.0.2.10"))
    assert re.search(r"https://winlab:\d+/upload", text)
    fix = recipes.fix(running(Options("large-post-deadlock", port=0, sans=("winlab",))), "dedicated-sni-name")
    assert re.search(r"--connect-to upload\.localhost:(\d+):winlab:\1 ", fix.lines[-1])
    assert "https://localhost" not in text


def test_several_free_ports(running, tmp_path):
    """Ports the system chose apart cannot be asked for again, so nothing is printed that would be wrong then."""
    own = tmp_path / "own.yaml"
    content = (catalogue.folder() / "large-post-deadlock.yaml").read_text(encoding="utf-8")
    own.write_text(content.replace("upload.localhost:8443", "upload.localhost:8444"), encoding="utf-8")
    recipe = recipes.fix(running(Options(str(own), port=0)), "negotiate-on-binding")
    (line,) = recipe.lines
    assert line.endswith(f"serve --scenario {own} --fix negotiate-on-binding --port 0")
    assert OTHER_PORTS in words_of(recipe)


def test_ready_file_of_an_ipv6_wildcard(running, tmp_path):
    """`host` is what can be connected to, and the URL has brackets where it needs them."""
    own = tmp_path / "own.yaml"
    content = (catalogue.folder() / "post-request-renegotiation.yaml").read_text(encoding="utf-8")
    own.write_text(content.replace("0.0.0.0:8443", "[::]:8443"), encoding="utf-8")
    ready = running(Options(str(own), port=0)).as_json()
    (binding,) = ready["bindings"]
    port = binding["port"]
    assert binding == {
        "name": "site",
        "url": f"https://[::1]:{port}/",
        "host": "::1",
        "port": port,
        "hostname": "::1",
        "protocols": ["TLS1.2"],
    }
    assert ready["target_url"] == f"https://[::1]:{port}/protected"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_picture_shows_this_panel(home, colours):
    """docs/pictures has the panel as it is, but for paths: `python docs/pictures.py` makes it anew."""
    docs = Path(__file__).parents[2] / "docs"
    shown = "".join(re.findall(r"<text [^>]*>([^<]*)</text>", (docs / "pictures" / f"panel-{colours}.svg").read_text()))
    shown = html.unescape(shown).replace("\xa0", " ")
    lines = runpy.run_path(str(docs / "pictures.py"))["recorded"](home).export_text().splitlines()
    lines = [line.strip(" ─") for line in lines if not re.search("/|tlslab|--speed", line)]
    assert len(lines) > 15
    assert [line for line in lines if line not in shown] == []
