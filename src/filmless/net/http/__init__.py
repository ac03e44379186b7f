"""HTTP as all rooms speak it: the server, problem answers, streams, and where a request came from."""
