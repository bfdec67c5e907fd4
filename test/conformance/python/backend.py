"""Serves the in-memory backend of the Python SDK, as its package brings it.

    python3 backend.py PORT

prints the version of the package when it accepts calls, and serves until its input ends. The
backend's own server runs ten calls at a time, which a few workers use up; this one runs more.
"""

import importlib.metadata
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from durabletask.internal.orchestrator_service_pb2_grpc import (
    add_TaskHubSidecarServiceServicer_to_server,
)
from durabletask.testing import InMemoryOrchestrationBackend

server = grpc.server(ThreadPoolExecutor(max_workers=1_000))
add_TaskHubSidecarServiceServicer_to_server(InMemoryOrchestrationBackend(), server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
print(importlib.metadata.version("durabletask"), flush=True)
sys.stdin.read()
server.stop(None)
