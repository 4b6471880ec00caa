"""The application behind the virtual address: ``application.py NAME`` answers HTTP on port 8080 with NAME."""

import sys
from contextlib import suppress
from socket import socket

from gevent.server import StreamServer

PORT = 8080


def main() -> None:
    """Serve until killed."""
    body = f"{sys.argv[1]}\n".encode()
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def serve(connection: socket, _: object) -> None:
        with suppress(ConnectionError), connection:
            if connection.recv(4096):
                connection.sendall(answer)

    StreamServer(("0.0.0.0", PORT), serve, backlog=512).serve_forever()


if __name__ == "__main__":
    main()
