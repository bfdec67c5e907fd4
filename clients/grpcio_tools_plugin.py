"""The Python generators inside grpcio-tools, as a plugin for buf: no protoc has to be installed.

It reads a CodeGeneratorRequest on stdin and answers messages (_pb2.py), their types for editors
and type checkers (_pb2.pyi) and clients and servers of services (_pb2_grpc.py).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(
    supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
)
with TemporaryDirectory() as directory:
    generated = Path(directory, "generated")
    generated.mkdir()
    descriptors = Path(directory, "descriptors.binpb")
    descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    outputs = [f"--{language}_out={generated}" for language in ("python", "pyi", "grpc_python")]
    inputs = [f"--descriptor_set_in={descriptors}", *request.file_to_generate]
    if protoc.main(["protoc", *outputs, *inputs]) != 0:
        sys.exit(1)  # protoc has said why on stderr.
    for path in sorted(file for file in generated.rglob("*") if file.is_file()):
        name = path.relative_to(generated).as_posix()
        response.file.add(name=name, content=path.read_text("utf-8"))
sys.stdout.buffer.write(response.SerializeToString())
