"""The words that people and programs have for the same thing, a heading for each.

A heading names the signs that its phrases are: `= reset`. Below it stand regular expressions, in any case, parted by
`|` or by the end of a line. `@NAME` is every form of an error code, `#NAME` its number alone; `{0}` in a heading is
what the phrase's first group caught, and `{not}` in a phrase any way to say no. Headings are tried in order, and a
piece of text that one has taken is gone for the next: what is special stands above what is general.

To add a phrase, put it under its heading, and the line that had it into tests/symptoms/pasted.tsv.
"""

PHRASES = r"""
# --- other people's troubles: no scenario has them until its symptoms say so
= name-not-found
could ?n[o']t resolve|unable to resolve|failed to resolve|not (?:be )?resolved?\b|no such host|unknown ?host
NAME_NOT_RESOLVED|NameResolution|ENOTFOUND|EAI_AGAIN|getaddrinfo|NXDOMAIN|name or service not known|\bDNS\b
@ERROR_WINHTTP_NAME_NOT_RESOLVED
= refused
connection refused|actively refused|CONNECTION_REFUSED|failed to connect to|could ?n[o']t connect to server
@ECONNREFUSED|@EHOSTUNREACH|@ERROR_WINHTTP_CANNOT_CONNECT|no route to host|unreachable
= connect-timeout
OpenTimeout|TLS handshake timeout|connected party did not properly respond
connect(?:ion)? ?timed out(?!\) while|\) in headers)|ConnectTimeout\w*|connect ETIMEDOUT
dial tcp[^|]{0,60}time-?out|CONNECTION_TIMED_OUT
= server-certificate
certificate verify failed|unable to get (?:local )?issuer|PKIX path|subject name (?:does not )?match\w*
CERT_(?:DATE|AUTHORITY|COMMON_NAME)_\w+|unknown authority|BAD_CERT_DOMAIN|UNKNOWN_ISSUER
remote certificate (?:is|was) \w+|trust relationship|hostname (?:mismatch|does not match|.{1,40}doesn't match)
self[- ]signed certificate in certificate chain|invalid peer certificate|certificate signed by unknown
@SEC_E_UNTRUSTED_ROOT|@SEC_E_CERT_UNKNOWN
= legacy-renegotiation
unsafe legacy renegotiation(?: disabled)?
= another-protocol
\b(?:SQL ?Server|SQL|psql|mysql|postgres\w*|SQLSTATE|redis|mongo\w*|LDAPS?|SMTP|IMAP|SSH|FTPS?|NTLM)\b
= service-unavailable
the service is unavailable|application pool|\bapp ?pool
= altered
@SEC_E_MESSAGE_ALTERED
= header-too-long
request (?:header )?(?:is )?too long|(?:request )?header field (?:is )?too long|\b(?:Request|Field)Length\b
size of the request headers|token (?:bloat|size|too (?:large|long|big))|MaxTokenSize
= kerberos
\bkerberos\b
= host-name
invalid hostname|hostname is invalid|\b400 (?:- |\d+ )?Hostname\b
= bad-request
bad request
= preflight
\bpreflights?\b|(?-i:\bOPTIONS\b)|Access-Control-Allow-\w+|\bCORS\b(?! request did not succeed)
= now-and-then
now and then|sporadic\w*|intermittent\w*|from time to time|sometimes|occasional\w*|a few times a day
= wrong-protocol
wrong[ _]version[ _]number|unsupported[ _]protocol|VERSION_OR_CIPHER_MISMATCH|protocol[ _]version|no cipher
unrecognized SSL message|first record does not look like|@SEC_E_ALGORITHM_MISMATCH
= httperr-{0}
\b((?:Timer_(?!SslReneg)|Client_Reset|Connections?_|Version_N|URL_Length|AppOffline|AppPoolTimer|AppShutdown|QueueFull)\w*)

# --- statuses, by number and in words
= 403.7
client certificate (?:is )?required|requires? (?:your browser to have a )?[^.]{0,50}client certificate that
= 403.16
untrusted or invalid|not trusted or is invalid|client cert\w*[^.;]{0,40}(?:not trusted|untrusted)
untrusted client cert\w*
= 403.17
client certificate (?:has )?expired|(?:has )?expired or is not yet valid|expired client certificate
@CERT_E_EXPIRED
= untrusted-root
@CERT_E_UNTRUSTEDROOT|terminated in a root certificate which is not trusted
= 413
(?:request )?entity (?:is )?too ?large|(?:payload|content) ?too ?large|request body too large
= {0}.{1}
(?<![\d.])([45]\d\d)\.(\d{1,2})(?![\d.])(?! ?(?:s|ms|MB|KB)\b)
= {0}.{1}
sc-status[ =:]*([45]\d\d)\W{1,3}sc-substatus[ =:]*(\d{1,3})\b
= {0}.{1}
^ ?w3c ([1-5]\d\d) (\d{1,3})\b
= {0}
HTTP/[\d.?]+\"? (\d{3})\b(?: \d+)?|\" (\d{3}) (?:\d+|-)(?= |$)|\d+/[-\d]+/[-\d]+ (\d{3}) \d+|TCP_\w+/(\d{3})
(?:status|code|HTTP|error:?|response|returned|with)['"]?(?: code| error)*[: =]+[\[(]?([2-5]\d\d)\b(?![.:\d])
[\[(]([45]\d\d)[\])]
\b(40\d|41[0-7]|42\d|431|50\d)(?=:? -? ?(?-i:[A-Z][a-z]{2,}))(?! (?:can.t|read|write|server closed)\b)
= 403
\bforbidden\b
= 401
\bunauthori[sz]ed\b
= 502
bad gateway|acting as a gateway
= 504
gateway time-?out

# --- how HAProxy says it: who ended it, and while what was awaited
= proxy closed answer
\bSH--
= proxy handshake
\bSC--
= proxy timeout answer
\bsH--

# --- client certificates, renegotiation
= no-renegotiation
no[ _]?renegotiation|renegotiation (?:is )?(?:not (?:supported|allowed|permitted)|rejected|refused|disabled)
TooManyRenegotiation\w*|refus\w* (?:to )?renegotiat\w*|RENEGOTIATION_REQUESTED|\(-114\)
rehandshake was requested|renegotiat\w+ failed
does ?n[o']t (?:support )?renegotiat\w*
= alert-{0}
\balert(?: number| code)?[ :=]*\[?(\d{1,3})\b|description: ([a-z_ ]+)\)|alert[ :]+(no_renegotiation)
= bad-client-auth
BAD_SSL_CLIENT_AUTH_CERT|did ?n[o']t accept your (?:login )?certificate|\(-117\)
= negotiation-off
negotiate client certificate\s*:\s*disabled|clientcertnegotiation=disabled?
= not-offered
CLIENT_AUTH_CERT_NEEDED|(?<!\d)-1206\b
(?:not|never) (?:being )?asked(?: for| to (?:select|choose)\w*)?(?: one| a| any| it)?
@ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED
(?:\b{not}|n.t) (?:(?:get|be|being|even|any) )*(?:offer|prompt|ask|show|present|select|pop)\w*[^.;]{0,30}cert\w*
\b(?:no|without)(?: a| any)?(?: client| cert\w*)* (?:prompt|pop-?up|picker|dialog)
certificate (?:is )?never (?:offered|asked for)|\b(?:not|never|n't) (?:being )?(?:prompt\w*|offered)
(?:missing|not|isn't) (?:from|in|on) the (?:selection|list|dialog|certificate)[\w ]*
\bcert\w* (?:dialog|picker|prompt|selection)[\w ]* (?:empty|missing|not|n.t)
sends? (?:an )?empty certificate|no matching issuer
= no-ca-names
no client certificate CA names
= ca-list
(?:acceptable )?client certificate CA names|list (?:has |thus |been |was |is )*truncated
list has grown too long|trusted (?:certification|certificate) authorities|SendTrustedIssuerList
certificate_authorities|trusted issuers?|list of issuers
= hello-request
hello ?request|SEC_I_RENEGOTIATE|@SEC_I_RENEGOTIATE
= no-hello-certificate
no peer certificate(?: available)?|no server ?hello
= tls13
TLS ?v?1\.3|post.handshake
= client-certificate
client[ -]?cert(?:ificate)?s?|mutual TLS|mTLS|certificate auth\w*
= renegotiation
\bre-?negotiat\w*|rehandshake\w*
= intermediate
intermediates?\b
= expired
\bexpired\b
= renewed
\brenew\w*

# --- sessions
= not-resumed
(?:not|never|n't|no(?: longer)?)(?: session| be| says?)* (?:resum|reus)\w*
(?:new|full) (?:TLS |SSL )*(?:handshake|session)s?|no session resumption
(?:session|resumption)s? (?:cache )?(?:is |are )?(?:disabled|lost|gone)
session ?ids? (?:changes?|(?:is |are )?(?:different|new))|session (?:cache )?(?:time ?out|expir\w*|ends?)
sessions? (?:(?:is|are|get|gets|was|were) )?(?:evict|purg|lost|dropp|forgotten)\w*|\bnew, TLSv?[\d.]+
resumption fails
= idle-minutes
(?:five|5)(?: idle| quiet)? min\w*|idle (?:for )?(?:five |5 |a few )?min\w*|(?:is|was|while|when) idle|idle time
= ten-hours
(?:ten|10) h(?:ours?)?\b|36000000
= under-load
under (?:heavy )?load|busy hours?|peak (?:hours?|times?)|many (?:clients|users)
= affinity
affinity|sticky|persistence by|session persistence|shopping carts?
= event-{0}
\b(?:event(?: ?id)?|schannel|httpevent)\D{0,14}(\d{4,5})\b
= endpoint-configuration
error (?:occurred while using|with the) SSL configuration (?:for|of an?) endpoint

# --- how a connection ends
= handshake closed
connection terminated during handshake|before secure TLS connection was established
(?:host|peer) (?:terminated|closed)(?: the| connection| during| in| SSL| TLS)* handshake|tls handshake eof
SSL peer shut down incorrectly|closed while SSL/TLS handshake
peer suddenly disconnected|closed the transport stream|failed to receive handshake|END_OF_FILE_ERROR
handshake has read 0 bytes|write client hello
= closed answer
non-properly terminated\.?\)? in headers
= unexpected-eof
UNEXPECTED_EOF\w*|unexpected eof while reading|(?:0A|0x0*A)000126|non-properly terminated
= closed upload
broken ?pipe\w*|caused connection abort
outbound has closed|established connection was aborted|@EPIPE|@ECONNABORTED|SendFailure
= handshake reset
CONNECT_RESET\w*|write:errno=(?:104|54|10054)\b
= reset
connection (?:to [\w. ]{1,30} )?(?:was )?reset|reset by (?:peer|iis)|CONNECTION_RESET|connection ?reset\w*
forcibly closed|netReset|error in the pull function|terminated abnormally|connection was (?:lost|dropped)
dropped the connection|connection ?lost\b|resets? (?:(?:the|every|all|each|my|our) )?connections?
(?:is|are|get|gets|was|were) reset\b|\[?\bRST\b(?:, ACK\])?|disconnect/reset|lost in a non-clean fashion
connections? (?:drops?|dies|breaks|(?:is|gets?|was) (?:dropped|killed|cut))|\bresets\b
NET_RESET|-0x0*50\b|@ECONNRESET|@ERROR_WINHTTP_CONNECTION_ABORTED|@ERROR_WINHTTP_CONNECTION_RESET
@ERROR_CONNECTION_ABORTED
= closed
socket hang up|hung up|remote ?disconnected|closed connection without|(?:server )?disconnect(?:ed)?(?: without)?
EOF occurred|unexpected (?:end|eof)[\w ]*|\bEOF(?:Error|Exception)?\b|SSLEOFError|CONNECTION_CLOSED
NET_INTERRUPT|(?:connection|transfer) was interrupted|unexpectedly closed|did ?n.t send any data
end of file reached|end of stream|premature\w*|empty reply|EMPTY_RESPONSE|no bytes
IncompleteMessage|before message completed|BadStatusLine|NoHttpResponse\w*
failed to respond|without (?:sending|a) (?:any )?(?:data|response|answer)|other side closed
broke connection|netInterrupt
closed unexpectedly|(?:connection|stream|socket)(?: was| is)? ?(?:closed|terminated)|connection termination
StreamClosed\w*|ResponseEnded|ConnectionClosed|BrokenResourceError|ReceiveFailure
ZERO_SIZE_OBJECT|no data received|READ_ERROR|no close_notify[\w ]*|ResponseNeverReceived|SYSCALL\w*
server returned nothing|NoCloseNotify\w*|(?:read|write) (?:failed|error) \(5\)|SSL (?:read|write) error
= answer timeout
awaiting headers|headers ?timeout\w*|read ?timed? ?out|ReadTimeout|read operation timed out
= timeout
time[d]?[ -]?out\w*|TIMED_OUT|deadline exceeded|\bhang(?:s|ing)?\b|\bhung\b|\bstuck\b|\bstall\w*|\bfreez\w*
\bfrozen|never (?:finish|return|complet|answer|respond|end)\w*|deadlock\w*|takes forever|too long to respond
a task was canceled|execution expired
HttpClient\.Timeout|canceled due to the configured|(?:no|without) (?:response|answer)|@ETIMEDOUT
@ERROR_WINHTTP_TIMEOUT|@ERROR_SEM_TIMEOUT
= zero-window
zero ?window|window (?:is |goes to |size )?(?:full|zero)|stops reading|\bWin=0\b
= minutes
(?:two|2) minutes|120 ?s(?:econds)?\b
= session-invalidated
session has been invalidated
= protocol-error
SSL_PROTOCOL_ERROR|can.?t provide a secure connection|unexpected record|RECORD_LAYER_FAILURE
= curl-{0}
(?:lib|py)?curl(?:[._ ]?error)?:? *\(?(\d{1,2})\b\)?,?
= closed answer
could ?n[o']t read response headers|\bS[DL]--
error reading (?:status line )?from remote server

# --- where it happened, and other circumstances
= handshake tls-failed
SSL (?:handshake|connection|connect attempt) (?:failed|failure|error|could not be established)
not configured properly with HTTP\.SYS|unable to (?:make|establish)(?: a)? (?:secure|SSL) connection
message received was unexpected or badly formatted|token supplied to the function is invalid
(?:enable|establish) ?(?:crypto|SSL connection)|cannot connect to host
could not create SSL\S*(?: secure channel)?|SSL proxy connect failed|can.t establish a secure connection
secure connection to the server cannot be made|@SEC_E_INVALID_TOKEN|@SEC_E_ILLEGAL_MESSAGE
= handshake
SSL_connect|Connect(?:or)?(?:Error|Exception)\w*|can.t connect to|handshak\w*|SSL connect\w*
SecureChannelFailure|client error \(connect\)|before headers|SSL proxy connect|negotiat\w+ TLS|client ?hello
SSL/TLS connection|secure (?:channel|connection) fail\w*|urlopen error \[errno
= upload
(?-i:\b(?:PUT|PATCH)\b|\bPut \")|\bPOST(?:ing|s)?\b|\bupload\w*|\bwrit(?:e|ing|ev)\b\w*|Send failure
SSL_write\w*|copying content|PutAsync|PostAsync|RequestTransmission\w*|\bbig (?:files?|bod(?:y|ies))
\b(?:request )?body\b
= answer
SSL_read|Recv failure|recv\(\)|apr_socket_recv|reading (?:response|status|from)[\w ]*|on a receive|in headers
status line|read failed|receiving data
= get
(?-i:\b(?:GET|HEAD)\b|\bGet \")
= large
\b(?:large|larger|big|bigger|huge)\b|(?:over|above|larger than|more than) \d+ ?(?:K|M|bytes)\w*
= small-works
small(?:er)? (?:ones?|files?|uploads?|requests?|bod\w+)(?: and GET)?(?: (?:are|is))?(?: works?| fine| ok| pass)?
works for small\w*
= browser
\bbrowsers?\b|\bChrome\b|\bEdge\b|\bFirefox\b|\bSafari\b|internet explorer
= proxy
\bproxy\b|\bupstream\b|\bnginx\b|haproxy|reverse proxy|\bARR\b|envoy|load balancer
= works-elsewhere
(?:works?|worked) (?:in|with|from|on) \w+(?: \w+)?|another (?:port|machine|pc)
= answer request-failed
\bReadError
= tls-failed
SSL (?:handshake )?(?:error|failed|exception)|SSLError|SSLException|lib\(0\)::reason\(0\)|secure TLS
unexpected error occurred on a send
= request-failed
failed to fetch|fetch failed|load failed|network ?error|error sending request|connection error|failed to load
error occurred while sending the request|can.t access|status:? ?0\b|CORS request did not succeed|ERR_FAILED
cannot load|unable to access|ConnectionError|connection aborted|max.retries exceeded|connection broken|operation failed
unable to (?:read|write) data|IOException|error in the push function|could not (?:read|write)|socket error
"""

# Numbers that mean something in a question, and nothing in the middle of a log.
NUMBERS = r"""
= {0}
(?<![\d.:/#*=,-])(403|413|502|503|504)(?![\d.:/%-]|,\d)
= event-{0}
(?<![\d.:-])(36[89]\d\d|15021|1530\d)(?![\d.:-])
= reset
#ECONNRESET|#ERROR_WINHTTP_CONNECTION_ABORTED|#ERROR_WINHTTP_CONNECTION_RESET
= closed upload
#EPIPE|#ECONNABORTED
= timeout
#ETIMEDOUT|#ERROR_WINHTTP_TIMEOUT
= refused
#ECONNREFUSED|#EHOSTUNREACH|#ERROR_WINHTTP_CANNOT_CONNECT
= name-not-found
#ERROR_WINHTTP_NAME_NOT_RESOLVED
= not-offered
#ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED|^ ?-110$
= no-renegotiation
^ ?-114$
= bad-client-auth
^ ?-117$
"""

# What a line of a log has in it that may say something: looked for first, because most lines say nothing.
INTERESTING = r"""
reset|clos|\beof|pipe|time|deadline|hang|hung|stuck|stall|free?z|froze|never|40[13]\b|413|50[234]|conn|errno|no bytes
fail|error|exception|fatal|refus|abort|lost|terminat|disconnect|interrupt|unexpected|renego|hello ?request|client hello
alert|event|channel|cert|session|resum|too large|forbidden|window|\bRST\b|trunc|untrusted|expired|no data|no response
unable|cannot|can.t|[45]\d\d \d{1,3} \d{1,10}(?: [\d-]+)*\s*$|\" [45]\d\d |Timer_|0x8|EnableKernel|CacheSize|CacheTime
"""
