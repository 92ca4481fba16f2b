"""`transcode` of an upstream -> Transcoding: JSON for clients, gRPC for the service, as a descriptor says."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from xds.diagnostics import did_you_mean
from xds.native.traffic import Transcoding
from xds.settings.reader import Reader


def files_of(services: Any) -> Iterator[str]:
    """The descriptors that the section `services` names; anything may stand there."""
    for service in services.values() if isinstance(services, dict) else ():
        versions = service.get("versions") if isinstance(service, dict) else None
        for holder in (service, *(versions.values() if isinstance(versions, dict) else ())):
            upstream = holder.get("upstream") if isinstance(holder, dict) else None
            transcode = upstream.get("transcode") if isinstance(upstream, dict) else None
            file = transcode.get("descriptor") if isinstance(transcode, dict) else None
            if isinstance(file, str):
                yield file


def transcoding(reader: Reader, value: Mapping[str, Any], at: str) -> Transcoding | None:
    """The descriptor and which of its services; None after diagnostics."""
    file, names = value["descriptor"], tuple(value["services"])
    data = reader.files.get(reader.file(file, f"{at}/descriptor"))
    if data is None:
        reader.say("upstream-invalid", f"there is no readable file '{file}' in the project", f"{at}/descriptor")
        return None
    known = _services(data)
    if known is None:
        help_ = "make it with protoc --include_imports --descriptor_set_out=FILE"
        reader.say(
            "upstream-invalid",
            f"{file} is no descriptor set (google.protobuf.FileDescriptorSet)",
            f"{at}/descriptor",
            help_,
        )
        return None
    for number, name in enumerate(names):
        if name not in known:
            help_ = did_you_mean(name, known) or "the descriptor has none"
            reader.say("upstream-invalid", f"{file} has no service {name}", f"{at}/services/{number}", help_)
    return Transcoding(base64.b64encode(data).decode(), names)


def _services(data: bytes) -> list[str] | None:
    """The full names of the services in a descriptor set, or None if it is none."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # type: ignore[import-untyped]
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        files = FileDescriptorSet.FromString(data).file
    except DecodeError:
        return None
    return [f"{file.package}.{service.name}".lstrip(".") for file in files for service in file.service]
