"""What Windows calls each knob, for people who know Windows."""

from __future__ import annotations

WINDOWS_NAMES = {
    "endpoint": "netsh http add sslcert ipport= or hostnameport=",
    "client_cert_negotiation": "netsh http add sslcert clientcertnegotiation=; IIS 6: SSLAlwaysNegoClientCert",
    "protocols": r"SCHANNEL\Protocols in the registry",
    "ssl_flags": "applicationHost.config <access sslFlags>; IIS Manager: SSL Settings, Ignore / Accept / Require",
    "client_cert_retrieval": "how the component above http.sys calls HttpReceiveClientCertificate",
    "continue_100": "the order of 100 Continue and the certificate; what Windows does is unverified",
    "application_delay": "the lab's own: how long the application takes before it asks",
    "ssl_renegotiation": "HTTPERR Timer_SslRenegotiation, default two minutes (KB820729)",
    "entity_body": "HTTP_TIMEOUT_LIMIT_INFO EntityBody",
    "header_wait": "HTTP_TIMEOUT_LIMIT_INFO HeaderWait; netsh http add timeout headerwaittimeout",
    "idle_connection": "HTTP_TIMEOUT_LIMIT_INFO IdleConnection; netsh http add timeout idleconnectiontimeout",
    "drain_entity_body": "HTTP_TIMEOUT_LIMIT_INFO DrainEntityBody",
}
