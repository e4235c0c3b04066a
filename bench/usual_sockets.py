"""Rooms as the usual Python stack has them: python-socketio with its Redis manager, under uvicorn."""

import os
from typing import Any

import socketio

_server = socketio.AsyncServer(
    async_mode="asgi", client_manager=socketio.AsyncRedisManager(os.environ["BENCH_REDIS_URL"])
)
app = socketio.ASGIApp(_server)


@_server.on("join")
async def join(sid: str, data: dict[str, Any]) -> dict[str, bool]:
    """Enters a room; who may is not asked."""
    await _server.enter_room(sid, data["room"])
    return {"ok": True}
