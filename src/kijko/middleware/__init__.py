"""What surrounds every request: plain ASGI, one class a file, a few microseconds each."""
