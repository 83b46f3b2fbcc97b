"""The proxy's side of the watch: certificates and snapshots from the control plane. Knows nothing of requests or routes.

The watch protocol (version 1)
==============================
HTTP/1.1 over TLS 1.3 (ALPN `http/1.1`) on the control plane's address. The server proves the SPIFFE id that the bootstrap
file names, by a certificate of the bundle in `ca`; the client's certificate is optional in the handshake and demanded per
endpoint. Answers other than 2xx have a JSON body `{"error": "<one sentence>"}`. `NAME` is the proxy's name (`a-0`).

`POST /v1/certificates?name=NAME`, body: a CSR in PEM (`content-type: application/x-pem-file`), at most 16 KiB.
    Authenticated by `authorization: Bearer <bootstrap token>` (first certificate) or by the client certificate (renewal).
    200: `{"chain": "<PEM: leaf, then intermediates>", "bundle": "<PEM: trusted roots>", "lifetime_s": 3600.0,
    "not_after": 1790000000}`. `lifetime_s` is what is left of it now: the proxy renews after half of it, by its monotonic
    clock. `not_after` (Unix seconds) is only shown. 400: no such CSR; 401: no or wrong token and no certificate; 403: the
    caller may not have the identity that the CSR asks for. Every renewal has a new key.

`GET /v1/watch?name=NAME&version=V`: client certificate demanded. V is the version in force, 0 for none.
    200, `content-type: application/x-ndjson`, chunked, endless. One JSON object per line:
    `{"kind": "snapshot", "snapshot": {…}}`: first at once, then whenever it changes (`meshes.builtin.snapshot`);
    `{"kind": "heartbeat"}`: at least every 5 s. Lines of other kinds are ignored. A line is at most 8 MiB long.
    After 15 s without a line the proxy takes the control plane for gone and connects anew.
    401: no certificate; 404: nobody of that name with that identity. The control plane may end the stream at any time (the
    proxy comes back): it should when the client's certificate expires.

`POST /v1/ack?name=NAME`, client certificate demanded: `{"version": 7, "ok": true, "error": ""}`, or `ok` false with the
    sentence why the proxy refused that version (it keeps the former one). `version` is 0 if it couldn't even be read. 204.
    Sent on a connection of its own, after each snapshot line; best effort: V in the next watch says the same.

Without a control plane the proxy keeps what it has and tries again after 0.1 s, doubled each time up to 5 s, with full jitter.
"""
