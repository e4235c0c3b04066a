"""The API's contents page: every feature's router, in the order the documentation shows them."""

from collections.abc import Sequence

from fastapi import APIRouter

from kijko.routers import (
    api_keys,
    auth,
    auth_oauth,
    auth_sessions,
    catalogue,
    chunking,
    connections,
    docs,
    executions,
    executions_records,
    exports,
    health,
    ingestion,
    invitations,
    members,
    model_keys,
    organizations,
    privacy,
    projects,
    pushes,
    repositories,
    root,
    search,
    skills,
    skills_many,
    statistics,
    trials,
    uploads,
)

API: Sequence[APIRouter] = (
    auth.router,
    auth_oauth.router,
    auth_sessions.router,
    organizations.router,
    invitations.router,
    projects.router,
    members.router,
    repositories.router,
    ingestion.router,
    search.router,
    connections.router,
    uploads.router,
    pushes.router,
    chunking.router,
    exports.router,
    catalogue.router,
    trials.router,
    skills_many.router,
    skills.router,
    executions_records.router,
    statistics.router,
    executions.router,
    privacy.router,
    api_keys.router,
    model_keys.router,
)
"""Under /api, and under /api/v1, its other name."""

ROOT: Sequence[APIRouter] = (root.router, health.router, pushes.receiving)
"""At the root."""

DOCS: APIRouter = docs.router
"""At the root too, where the documentation is served."""
