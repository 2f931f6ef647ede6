"""What IIS' request filtering refuses by the length that a request announces: <requestLimits maxAllowedContentLength>.

It looks at the Content-Length alone and before the body is read (iis-docs, requestLimits; KB942074). A body without an
announced length is let through here; what IIS does with one is in no document.
"""

from __future__ import annotations

from enum import StrEnum

from tlslab.iis.status import CONTENT_TOO_LONG_404, CONTENT_TOO_LONG_413, Status


class ContentTooLong(StrEnum):
    """The status of a request that announces too much; two documents of Microsoft's disagree, both of them current.

    413.1: iis-docs, since 13 June 2019. 404.13: KB942074 and KB943891. The iis-docs page also says that the client
    gets a 404, and that the substatus is what is logged.
    """

    STATUS_413_1 = "status_413_1"
    STATUS_404_13 = "status_404_13"

    @property
    def status(self) -> Status:
        """It, in full."""
        return CONTENT_TOO_LONG_413 if self is ContentTooLong.STATUS_413_1 else CONTENT_TOO_LONG_404
