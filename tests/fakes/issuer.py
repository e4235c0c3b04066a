"""A second issuer of access tokens: it signs with a key of its own and serves the public half as a JWKS over HTTP.

The product trusts it only because the tests' settings name it, so that most tests need no sign-in.
"""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KID = "tests"
AUDIENCE = "kijko-api"


class Issuer:
    """Signs tokens. Processes of one test run share the key through a file."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.url = url
        if not key_file.exists():
            key_file.write_bytes(
                rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        self.private_key = serialization.load_pem_private_key(key_file.read_bytes(), None)

    def jwks(self) -> dict[str, Any]:
        """The public key as the product fetches it."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private_key.public_key()))
        return {"keys": [key | {"kid": KID, "use": "sig", "alg": "RS256"}]}

    def token(self, user_id: uuid.UUID, organization_id: uuid.UUID | None, **claims: Any) -> str:
        """An access token as the realm gives it; a claim given as None is left out."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(uuid.uuid4()),
            "jti": str(uuid.uuid4()),
            "typ": "Bearer",
            "azp": "kijko-api",
            "iat": now,
            "exp": now + 3600,
            "org_id": str(organization_id) if organization_id else None,
            "email": f"{user_id}@people.test",
        } | claims
        kept = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(kept, self.private_key, algorithm="RS256", headers={"kid": KID})


def serve(issuer_dir: Path) -> tuple[str, ThreadingHTTPServer]:
    """Serves the issuer's JWKS from a thread; answers its URL and the server to shut down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer.jwks()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    issuer = Issuer(url, issuer_dir / "issuer.pem")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return url, server
