"""The API's composition root: settings in, an ASGI application out. `kijko.main:app_factory` is what uvicorn starts."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Route as PlainRoute
from starlette.routing import WebSocketRoute

from kijko.clients import Clients, forges, mail
from kijko.clients.embeddings import Embeddings
from kijko.clients.git import Git, Surveyor
from kijko.clients.keycloak import Keycloak
from kijko.clients.llm import Models
from kijko.clients.storage import ObjectStorage
from kijko.clients.stripe import Stripe
from kijko.core.crypto import Box
from kijko.core.db import Database
from kijko.core.envelope import Masters
from kijko.core.logging import configure, flush
from kijko.core.notices import Notices
from kijko.core.places import Kind, Places
from kijko.core.redis import connect as connect_redis
from kijko.core.tenancy import Tenants
from kijko.core.tokens import Tokens
from kijko.core.turns import Turns
from kijko.middleware.access_log import AccessLog
from kijko.middleware.activity import ProjectActivity
from kijko.middleware.address import networks
from kijko.middleware.body_limit import BodyLimit, Limits
from kijko.middleware.cors import Cors
from kijko.middleware.headers import Headers
from kijko.middleware.last_resort import LastResort
from kijko.middleware.request_id import RequestId
from kijko.middleware.version import VersionName
from kijko.realtime import transports
from kijko.realtime.engine import Engine
from kijko.realtime.entrance import Entrance
from kijko.realtime.hub import Hub
from kijko.realtime.shared import Realtime
from kijko.realtime.socketio import Connection
from kijko.realtime.websocket import ProjectSocket
from kijko.routers import API, DOCS, ROOT
from kijko.routers.dispatch import Dispatch, mount
from kijko.routers.health import checkup
from kijko.routers.openapi import Described, unique_id
from kijko.routers.problems import handle_errors
from kijko.routers.route import Route
from kijko.services import api_keys, model_keys
from kijko.services.events import Listening
from kijko.services.executions import Texts
from kijko.services.presence import Present
from kijko.services.projects.activity import Activity
from kijko.services.search import Questions
from kijko.services.trials import Trials
from kijko.setting_errors import explained
from kijko.settings import Settings, load, read, require, required

if TYPE_CHECKING:
    from kijko.workers.nudges import CeleryJobs

_WEBHOOK_BYTES: Final = 1_048_576
_UPLOADS: Final = "You have several uploads under way. Wait until one of them has ended, then send this one."
_EXPORTS: Final = "You have two exports under way. Wait until one of them has ended."
_MOST_EXPORTS: Final = 2
_SOCKETS: Final = "You have as many connections open as you may. Close one, then connect again."
_ORGANIZATION_SOCKETS: Final = "Your organization has as many connections open as it may. Close one, then connect."
_STREAMS: Final = "You follow as many executions at once as you may. Wait until one of them has ended."
_NEEDED: Final = (
    "database.api_url",
    "redis.url",
    "keycloak.url",
    "keycloak.client_secret",
    "stripe.secret_key",
    "storage.url",
    "auth.encryption_key",
    "keys.master",
)
_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "Last-Event-ID",
    "X-Organization-Id",
    "X-Request-ID",
)
ANSWER_HEADERS: Final = (
    "X-Request-ID",
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "ETag",
    "Location",
    "Content-Disposition",
    "WWW-Authenticate",
    "Idempotent-Replayed",
)


def app_factory() -> FastAPI:
    """The API of this process's environment, for `uvicorn --factory`."""
    with explained():
        settings = load()
        require(settings, *_NEEDED)
        mail.connect(settings.mail)  # this and the store only to see that their settings fit together
        ObjectStorage(settings.storage)
    configure(settings.log)
    return create_app(settings)


def create_app(settings: Settings) -> FastAPI:
    """The API. Nothing is connected before its lifespan begins."""
    app = FastAPI(
        title="Kijko",
        version=version("kijko"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings),
        middleware=_middleware(settings),
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.trusted_proxies = networks(settings.http.trusted_proxies)
    handle_errors(app)
    app.router = _routes(app.router.lifespan_context, with_docs=settings.with_docs)
    app.openapi = app.state.described = Described(app)  # type: ignore[method-assign]  # the framework's own way to replace the document
    return app


def openapi_document() -> dict[str, Any]:
    """The API's OpenAPI document, of code alone: no setting is needed and nothing is connected."""
    return create_app(read()).openapi()


def _routes(lifespan: Callable[[Any], AbstractAsyncContextManager[Any]], *, with_docs: bool) -> Dispatch:
    dispatch = Dispatch(lifespan=lifespan, redirect_slashes=False, generate_unique_id_function=unique_id)
    for router in API:
        mount(dispatch, "/api", router, Route)
    for router in (*ROOT, *((DOCS,) if with_docs else ())):
        mount(dispatch, "", router, Route)
    dispatch.routes.append(WebSocketRoute("/api/projects/{projectId}/ws", ProjectSocket()))
    for kind in (PlainRoute, WebSocketRoute):
        dispatch.routes.append(kind("/socket.io/", transports.SocketIO()))
    dispatch.reindex()
    return dispatch


def _middleware(settings: Settings) -> list[Middleware]:
    """From the outside in."""
    return [
        Middleware(VersionName),
        Middleware(RequestId),
        Middleware(AccessLog),
        Middleware(Headers, production=settings.environment == "production"),
        Middleware(
            Cors,
            allow_origins=settings.origins,
            allow_credentials=True,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
            max_age=600,
        ),
        Middleware(LastResort),
        Middleware(BodyLimit, limit_bytes=settings.http.body_limit_bytes, apart=_limits_apart(settings)),
        Middleware(ProjectActivity),
    ]


def _limits_apart(settings: Settings) -> Limits:
    return (
        ("/api/files/upload", settings.storage.max_request_bytes),
        ("/webhooks/", _WEBHOOK_BYTES),
        ("/socket.io/", transports.READ),
    )


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_clients(settings) as clients:
            app.state.clients = clients
            app.state.checkup = checkup(clients)
            app.state.questions = Questions(clients.embeddings, timeout_s=settings.embedding.question_timeout_s)
            app.state.trials = Trials(clients.database, clients.models, app.state.questions, settings)
            app.state.texts = texts = Texts(clients.redis)
            hub = Hub(Listening(clients.database), clients.notices)
            present = Present(clients.database)
            app.state.activity, use = Activity(clients.database), api_keys.Use(clients.database)
            app.state.door = api_keys.Door(clients.database, use)
            app.state.refusals = api_keys.Refusals(
                clients.redis, settings.auth.refused_keys_per_minute, settings.redis.timeout_s
            )
            entrance = Entrance(clients.tokens, app.state.door, app.state.refusals, app.state.trusted_proxies)
            places = _places(clients, settings)
            app.state.realtime = _realtime(hub, entrance, places, present)
            gathering = [asyncio.create_task(each.run()) for each in (app.state.activity, use, present, places)]
            # What is there by now stays: the collector need not look at it again while requests wait.
            gc.collect()
            gc.freeze()
            try:
                yield
            finally:
                await hub.close()
                await texts.close()
                for each in gathering:
                    each.cancel()
                await asyncio.wait(gathering)
        flush()

    return lifespan


def _realtime(hub: Hub, entrance: Entrance, places: Places, present: Present) -> Realtime:
    engine = Engine({}, lambda session: Connection(session, lambda: made))
    made = Realtime(hub, entrance, places, present, engine)
    return made


def _places(clients: Clients, settings: Settings) -> Places:
    events, metric = settings.events, "connections_at_once"
    kinds = (
        Kind("person", metric, events.connections, _SOCKETS),
        Kind("organization", metric, events.organization_connections, _ORGANIZATION_SOCKETS),
    )
    return Places(clients.redis, kinds, silence_s=events.silence_s, deadline_s=events.count_timeout_s)


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[Clients]:
    """The API's clients. Each part outside may be down at this moment: it is asked when it is needed.

    Raises:
        MissingSetting: one that the API needs is not set; the text names it.
    """
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=settings.keycloak.timeout_s))
        redis = connect_redis(settings.redis)
        stack.push_async_callback(redis.aclose)
        notices = Notices(redis)
        stack.push_async_callback(notices.close)
        stripe = Stripe(settings.stripe)
        stack.push_async_callback(stripe.close)
        jobs = _jobs(settings)
        stack.callback(jobs.close)
        hubs = forges.connect(settings)
        for hub in hubs.values():
            stack.push_async_callback(hub.close)
        keycloak = Keycloak(settings.keycloak)
        stack.push_async_callback(keycloak.aclose)
        embeddings = Embeddings(settings.embedding)
        stack.push_async_callback(embeddings.close)
        database = await _database(settings)
        stack.push_async_callback(database.close)
        masters = Masters.of(settings.keys)
        models = Models(settings.models, model_keys.OwnKeys(Tenants(database), masters, of_trials=True))
        stack.push_async_callback(models.close)
        yield Clients(
            database=Tenants(database),
            redis=redis,
            storage=ObjectStorage(settings.storage),
            exports=Turns("exports_at_once", _MOST_EXPORTS, _EXPORTS),
            uploads=Turns("uploads_at_once", settings.storage.max_at_once, _UPLOADS),
            streams=Turns("streams_at_once", settings.events.connections, _STREAMS),
            stripe=stripe,
            keycloak=keycloak,
            mail=mail.connect(settings.mail),
            tokens=Tokens(settings.keycloak, settings.auth, http),
            git=Git(settings.git),
            surveyor=Surveyor(settings.git),
            forges=hubs,
            jobs=jobs,
            notices=notices,
            box=Box.of(settings.auth),
            masters=masters,
            models=models,
            embeddings=embeddings,
            http=http,
        )


def _jobs(settings: Settings) -> "CeleryJobs":
    # Celery takes a quarter of a second to import: whoever only needs the app's routes does without.
    from kijko.workers.app import make_app  # noqa: PLC0415
    from kijko.workers.nudges import CeleryJobs  # noqa: PLC0415

    return CeleryJobs(make_app(settings))


async def _database(settings: Settings) -> Database:
    group = settings.database
    return await Database.connect(
        required(group.api_url, "KIJKO_DATABASE_API_URL"),
        pool_size=group.pool_size,
        statement_timeout_ms=group.statement_timeout_ms,
        connect_timeout_s=group.connect_timeout_s,
        acquire_timeout_s=group.acquire_timeout_s,
        prepared=group.prepared_statements,
        application_name="kijko-api",
        eager=False,
    )
