"""HTTP/2 (RFC 9113) at the edges of the proxy; inside, a stream is an HTTP/1.1 message. Loaded only where HTTP/2 is spoken."""
