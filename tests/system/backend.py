"""A backend that starts fast and serves little: ``backend.py PORT [ADDRESS]`` answers each HTTP request with its port.

Run as a process of its own, so that a test can kill it.
"""

import select
import socket
import sys


def serve(port: int, address: str) -> None:
    """Answer until killed."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(1024)
    body = f"{port}\n".encode()
    reply = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    poll, clients = select.epoll(), {}
    poll.register(server.fileno(), select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == server.fileno():
                client = server.accept()[0]
                clients[client.fileno()] = client
                poll.register(client.fileno(), select.EPOLLIN)
                continue
            answer(clients.pop(fd), poll, reply)


def answer(client: socket.socket, poll: select.epoll, reply: bytes) -> None:
    """Answer whatever was asked, and close."""
    poll.unregister(client.fileno())
    with client:
        try:
            if client.recv(65536):
                client.sendall(reply)
        except OSError:
            return


if __name__ == "__main__":
    serve(int(sys.argv[1]), *(sys.argv[2:] or ["127.0.0.1"]))
