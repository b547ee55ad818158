"""What a node answers when the group did not carry out what was asked, or when that is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from harness.http.message import Response
from systems.raft.core.core import NotLeading
from systems.raft.messages import NotDone
from systems.raft.replica import Unknown


async def carried_out(answering: Awaitable[Response], patience_s: float) -> Response:
    """The response, or 503 if it surely has no effect, with who leads; 504 if it may have one; 400 if it makes no sense."""
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
