"""What a request of this lab is answered with: the path's access rules and the pages, put together."""

from __future__ import annotations

from tlslab.core.plan import LabPlan, Site
from tlslab.httpsys.effects import Request, Response
from tlslab.httpsys.entity_body import BodyFacts
from tlslab.httpsys.question import Question, QuestionState
from tlslab.iis import pages
from tlslab.iis.access import SslFlag, refusal, wants_certificate
from tlslab.iis.sites import match_path, path_of
from tlslab.iis.status import (
    CERTIFICATE_UNAVAILABLE,
    ENTITY_TOO_LARGE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OK,
    Status,
)
from tlslab.types import TlsFacts

METHODS = ("GET", "HEAD", "POST", "PUT")


class Answers:
    """Answers the requests of one connection."""

    def __init__(self, plan: LabPlan) -> None:
        self._plan = plan
        self._sites = {site.path: site for site in plan.sites}

    def site(self, request: Request) -> Site | None:
        """The site a request is for; None for the start page, an unknown path or a method nobody serves."""
        if request.method not in METHODS:
            return None
        path = match_path(request.target, self._sites)
        return self._sites[path] if path else None

    def response(self, request: Request, body: BodyFacts, tls: TlsFacts, binding: str, question: Question) -> Response:
        """Answer a request that came on `binding`; `question` is that of its connection."""
        as_html = pages.prefers_html(request.accept)
        path = path_of(request.target)
        report = pages.RequestReport(self._plan.scenario, binding, request.method, path, tls, body.length, body.sha256)
        status = self._status(request, tls, question) if body.complete else ENTITY_TOO_LARGE
        if status is None:
            content_type, content = pages.start_page(self._plan.landing, as_html)
            status = OK
        elif status is OK:
            content_type, content = pages.answer(report, as_html)
        else:
            content_type, content = pages.refusal(status, report, as_html)
        headers = (("Allow", ", ".join(METHODS)),) if status is METHOD_NOT_ALLOWED else ()
        subject = tls.client_certificate.subject if tls.client_certificate else None
        return Response(status.code, status.substatus, content_type, content, subject, headers, status.win32)

    def _status(self, request: Request, tls: TlsFacts, question: Question) -> Status | None:
        """The status of the answer; None for the start page."""
        if request.method not in METHODS:
            return METHOD_NOT_ALLOWED
        site = self.site(request)
        if site is None:
            return None if path_of(request.target) == "/" else NOT_FOUND
        if question.state is QuestionState.UNAVAILABLE and wants_certificate(site.ssl_flags):
            return CERTIFICATE_UNAVAILABLE
        flags = frozenset(site.ssl_flags)
        if site.client_cert_retrieval.answers_first and tls.client_certificate is None and question.is_open:
            flags = flags - {SslFlag.SSL_REQUIRE_CERT}
        return refusal(flags, tls.client_certificate) or OK
