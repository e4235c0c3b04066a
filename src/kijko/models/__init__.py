"""The wire contract and nothing else: what crosses HTTP, sockets and job results, field by field."""
