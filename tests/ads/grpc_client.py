"""A process whose gRPC channel finds its server through xDS: prints what each line on stdin is answered with.

It is a process of its own because gRPC reads GRPC_XDS_BOOTSTRAP_CONFIG once.
"""

from __future__ import annotations

import sys

import grpc


def main(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary("/greeter/Greet")
        for line in sys.stdin:
            try:
                answer = call(line.strip().encode(), timeout=120, wait_for_ready=True).decode()
            except grpc.RpcError as error:
                answer = f"{error.code().name}: {error.details()}"
            print(answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
