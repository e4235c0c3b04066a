"""The edge of real time: sockets that listen to rooms. What a room is and who may hear it, `services.events` knows.

`hub` has the rooms of one process and their listeners; `websocket` is the plain WebSocket of a project (with `outbox`);
Socket.IO is `transports` over `engine` (Engine.IO's sessions) under `socketio` (a client) with its `seats` in rooms.
"""
