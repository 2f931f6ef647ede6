"""The reasons that HTTPERR gives where http.sys refuses a request, and the words of its page for each."""

from __future__ import annotations

# Reason -> what stands in parentheses in the short form, behind the hyphen in the long one, and its sentence.
TEXTS = {
    "Hostname": ("Invalid Hostname", "Invalid Hostname", "The request hostname is invalid."),
    "RequestLength": ("Request Header Too Long", "Request Too Long", "The size of the request headers is too long."),
    "FieldLength": ("Header Field Too Long", "Header Field Too Long", "A request header field is too long."),
    "Header": ("Invalid Header Name", "Invalid Header", "The request has an invalid header name."),
    "Number": ("Invalid Number", "", "The request is badly formed."),
    "BadRequest": ("", "", "The request is badly formed."),
    "N/A": ("", "", "The service is unavailable."),
    "N/I": ("", "", "The request is not implemented."),
    "Version_N/S": ("", "", "The HTTP version of the request is not supported."),
}
