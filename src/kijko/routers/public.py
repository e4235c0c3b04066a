"""The short list of routes that need no access token, each with its reason. A test walks every route against it."""

from collections.abc import Mapping
from typing import Final

PUBLIC: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/api/auth/signup"): "nobody has a token yet",
    ("POST", "/api/auth/login"): "nobody has a token yet",
    ("POST", "/api/auth/refresh"): "the refresh token in the body is the credential; the access token may have expired",
    ("POST", "/api/auth/password/forgot"): "whoever forgot a password cannot sign in",
    ("POST", "/api/auth/backchannel-logout"): "called by Keycloak, whose signed logout token is the credential",
    ("GET", "/api/auth/oauth/{provider}"): "the beginning of a sign-in",
    ("GET", "/api/auth/oauth/callback"): "state and code are the credential",
    ("POST", "/api/auth/oauth/token"): "the one-time code is the credential",
    ("GET", "/api/gdpr/account/{deletionId}"): "whoever deleted an account or organization may have none left; the "
    "status token is the credential",
    ("POST", "/webhooks/repository/{repositoryId}"): "GitHub or GitLab calls; the signature is the credential",
    ("GET", "/health"): "asked by whoever watches over the server; tells nothing about anyone",
    ("GET", "/health/live"): "asked by whoever watches over the server",
    ("GET", "/health/ready"): "asked by whoever watches over the server",
    ("GET", "/docs"): "documentation; outside production",
    ("GET", "/docs/{asset}"): "documentation; outside production",
    ("GET", "/openapi.json"): "documentation; outside production",
    ("GET", "/asyncapi.json"): "the documentation of events",
}
"""(method, path template) → why it is public."""
