"""A node's answers that do not depend on its state machine: to other nodes, and when something was not carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from harness.http.message import Request, Response
from systems.raft.core.core import NotLeading
from systems.raft.messages import Batch, NotDone
from systems.raft.proposals import Answer, Unknown
from systems.raft.replica import Replica


async def carried_out(answering: Awaitable[Response], patience_s: float) -> Response:
    """The response; 503 with the leader if it certainly has no effect, 504 if it may have one, 400 if it is invalid."""
    try:
        async with asyncio.timeout(patience_s):
            return await answering
    except NotLeading as refused:
        return Response.json(NotDone("failed", str(refused), refused.leader), status=503)
    except (Unknown, TimeoutError) as unknown:
        why = str(unknown) or f"not committed within {patience_s:g} s"
        return Response.json(NotDone("unknown", why), status=504)
    except ValueError as error:
        return Response.json(NotDone("failed", str(error)), status=400)


async def received(replica: Replica[Answer], request: Request) -> Response:
    """The response to messages of other nodes. Raises `ValueError` if they are not of this group."""
    messages = await replica.receive(request.decode(Batch))
    return Response(503, b"this node takes nothing now") if messages is None else Response.json(messages)
