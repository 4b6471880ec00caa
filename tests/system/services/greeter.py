"""A gRPC server with nothing but the health service: ``greeter.py PORT TLS-PORT PLAIN-PORT CERTIFICATE KEY``.

On PLAIN-PORT there is not even that. Run as a process of its own, since `grpcio` and gevent do not go together.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

STATES = {"": "SERVING", "shop": "SERVING", "bank": "NOT_SERVING", "mill": "UNKNOWN"}


def serve(port: str, tls: str, plain: str, certificate: str, key: str) -> None:
    """Answer until killed."""
    servicer = health.HealthServicer()
    for service, state in STATES.items():
        servicer.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(state))
    serving, empty = (grpc.server(ThreadPoolExecutor(2)) for _ in range(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, serving)
    pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
    empty.add_insecure_port(f"127.0.0.1:{plain}")
    serving.add_insecure_port(f"127.0.0.1:{port}")
    serving.add_secure_port(f"127.0.0.1:{tls}", grpc.ssl_server_credentials([pair]))
    empty.start()
    serving.start()
    serving.wait_for_termination()


if __name__ == "__main__":
    serve(*sys.argv[1:])
