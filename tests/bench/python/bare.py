"""The least that a Python plugin on asyncio can be: parses every line, answers every line, knows nothing else."""

import asyncio
import json
import sys


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=16 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, sys.stdout)
    while line := await reader.readline():
        message = json.loads(line)
        result = {}
        if message["method"] == "handle_intent":
            result = {"success": True, "data": message["params"]["intent"]["context"]}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        transport.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")


asyncio.run(main())
