"""HTTP/2 of the proxy: frames, header blocks, streams; hyper-h2 is the other side where an oracle is needed."""
