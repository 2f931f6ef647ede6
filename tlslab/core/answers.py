"""What a request of this lab is answered with: the path's access rules and the pages, put together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tlslab.core.plan import LabPlan
from tlslab.core.settings import Site
from tlslab.httpsys.effects import Request, Response, Service
from tlslab.httpsys.entity_body import BodyFacts
from tlslab.httpsys.question import Question, QuestionState
from tlslab.httpsys.revocation import RevocationList, checked, freshness
from tlslab.iis import pages
from tlslab.iis.access import SslFlag, refusal, wants_certificate
from tlslab.iis.sites import match_path, path_of
from tlslab.iis.status import (
    APPLICATION_REFUSES,
    CERTIFICATE_UNAVAILABLE,
    ENTITY_TOO_LARGE,
    FRONT_END_REFUSES,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OK,
    Status,
)
from tlslab.types import TlsFacts

METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
PREFLIGHT = "OPTIONS"  # as a browser asks whether a page of another origin may (Fetch standard, CORS)
REFUSED = Service(refuses=True)
KEPT = 128  # targets and answers; a client may make a target 16 KiB long


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a target leads: its path, the site that lies on, if any, and how requests there are served."""

    path: str
    site: Site | None
    service: Service


class Answers:
    """Answers the requests of a lab: one for all its connections."""

    def __init__(self, plan: LabPlan) -> None:
        self._plan = plan
        self._sites = {site.path: site for site in plan.sites}
        setup = plan.setup
        self._crl = RevocationList(setup.crl_age, setup.crl_published_every)
        self._freshness = freshness(binding for listener in plan.listeners for binding in listener.bindings)
        # Clients ask for few targets, again and again, and are answered by the same bytes.
        self._place = lru_cache(KEPT)(self._find_place)
        self._response = lru_cache(KEPT)(self._make_response)

    def service(self, request: Request) -> Service:
        """How a request is to be served."""
        if request.method not in METHODS:
            return Service()
        place = self._place(request.target)
        if request.content_length and place.site is not None and place.site.refuses_length(request.content_length):
            return REFUSED
        return place.service

    def response(self, request: Request, body: BodyFacts, tls: TlsFacts, binding: str, question: Question) -> Response:
        """Answer a request that came on `binding`; `question` is that of its connection."""
        if binding in self._freshness:
            tls = checked(tls, self._freshness[binding], self._crl, request.received_at)
        as_html = pages.prefers_html(request.accept)
        length = request.content_length or 0
        told = (request.method, request.target, request.origin)
        return self._response(*told, as_html, body, length, tls, binding, question.state)

    def _make_response(
        self,
        method: str,
        target: str,
        origin: str,
        as_html: bool,
        body: BodyFacts,
        announced: int,
        tls: TlsFacts,
        binding: str,
        question: QuestionState,
    ) -> Response:
        place = self._place(target)
        report = pages.RequestReport(self._plan.scenario, binding, method, place.path, tls, body.length, body.sha256)
        site = place.site
        if site is not None and method in METHODS and site.refuses_length(announced):
            status: Status | None = site.content_too_long.status
        else:
            status = self._status(method, place, tls, question) if body.complete else _too_large(site)
        if status is None:
            content_type, content = pages.start_page(self._plan.landing, as_html)
            status = OK
        elif status is OK:
            content_type, content = pages.answer(report, as_html)
        else:
            content_type, content = pages.refusal(status, report, as_html)
        allows = status is METHOD_NOT_ALLOWED or (method == PREFLIGHT and status is OK)
        headers: tuple[tuple[str, str], ...] = (("Allow", ", ".join(METHODS)),) if allows else ()
        if site is not None and site.application_answers_preflights and origin and status is OK:
            headers += _cors(origin, method)
        subject = tls.client_certificate.subject if tls.client_certificate else None
        has_length = site is None or site.application_announces_length
        return Response(
            *(status.code, status.substatus, content_type, content, subject, headers, status.win32),
            has_length=has_length or status is not OK,
        )

    def _status(self, method: str, place: _Place, tls: TlsFacts, question: QuestionState) -> Status | None:
        """The status of the answer; None for the start page."""
        site = place.site
        if method not in METHODS or (method == PREFLIGHT and site is None):
            return METHOD_NOT_ALLOWED
        if site is None:
            return None if place.path == "/" else NOT_FOUND
        if question is QuestionState.UNAVAILABLE and wants_certificate(site.ssl_flags):
            return CERTIFICATE_UNAVAILABLE
        flags = frozenset(site.ssl_flags)
        if (
            site.client_cert_retrieval.answers_first
            and tls.client_certificate is None
            and question is QuestionState.OPEN
        ):
            flags = flags - {SslFlag.SSL_REQUIRE_CERT}
        own = APPLICATION_REFUSES if site.application_requires_certificate and method != PREFLIGHT else OK
        return refusal(flags, tls.client_certificate) or (OK if tls.client_certificate else own)

    def _find_place(self, target: str) -> _Place:
        matched = match_path(target, self._sites)
        site = self._sites[matched] if matched else None
        return _Place(path_of(target), site, _service(site))


def _cors(origin: str, method: str) -> tuple[tuple[str, str], ...]:
    """What lets a page of that origin see the answer, and send certificates (Fetch standard, CORS protocol)."""
    headers = (("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true"))
    if method != PREFLIGHT:
        return headers
    return (
        *headers,
        ("Access-Control-Allow-Methods", ", ".join(METHODS)),
        ("Access-Control-Allow-Headers", "Content-Type"),
    )


def _too_large(site: Site | None) -> Status:
    """The refusal of a body that goes on beyond what is read ahead."""
    refuses_with = ENTITY_TOO_LARGE.code if site is None else site.client_cert_retrieval.refuses_with
    return ENTITY_TOO_LARGE if refuses_with == ENTITY_TOO_LARGE.code else FRONT_END_REFUSES


def _service(site: Site | None) -> Service:
    """How requests to a path are served; None is the start page, and what there is no path for."""
    if site is None:
        return Service()
    return Service(
        retrieval=site.client_cert_retrieval if wants_certificate(site.ssl_flags) else None,
        continue_after_certificate=site.continue_after_certificate,
        delay_seconds=site.application_delay,
    )
