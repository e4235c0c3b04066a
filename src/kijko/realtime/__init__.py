"""The edge of real time: sockets that listen to rooms. What a room is and who may hear it, `services.events` knows.

`hub` has the rooms of one process and their listeners; `outbox` sends without waiting for slow ones; `websocket` is the
plain WebSocket of a project.
"""
