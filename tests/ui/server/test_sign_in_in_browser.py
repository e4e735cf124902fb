"""Signing in with a provider of OpenID Connect, a small one on this computer; it needs Authlib, as signing in does."""

from __future__ import annotations

import base64
import functools
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser
from support.browsing import RESTS, new_context
from support.server import free_port, serving

pytest.importorskip("authlib", reason="signing in needs Authlib")

CLIENT, SECRET, PERSON = "attnviz", secrets.token_hex(16), "student@example.org"


class Provider(BaseHTTPRequestHandler):
    """Knows one person, and asks nobody for a password."""

    nonces: dict[str, str] = {}  # by the code that is exchanged for the token

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        here = f"http://{self.headers['Host']}"
        if address.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": here,
                    "authorization_endpoint": f"{here}/authorize",
                    "token_endpoint": f"{here}/token",
                    "jwks_uri": f"{here}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                }
            )
        elif address.path == "/keys":
            self.answer({"keys": [public_key()]})
        elif address.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            assert asked["client_id"] == CLIENT and asked["response_type"] == "code"
            code = secrets.token_hex(8)
            self.nonces[code] = asked["nonce"]
            self.send_response(302)
            parameters = urlencode({"code": code, "state": asked["state"]})
            self.send_header("Location", f"{asked['redirect_uri']}?{parameters}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        shown = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        assert shown == f"{CLIENT}:{SECRET}" or body.get("client_secret") == [SECRET]
        now = int(time.time())
        claims = {
            "iss": f"http://{self.headers['Host']}", "aud": CLIENT, "sub": "one", "email": PERSON, "iat": now,
            "exp": now + 600, "nonce": self.nonces.pop(body["code"][0]),
        }  # fmt: skip
        token = signed(claims)
        self.answer({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def answer(self, content: object) -> None:
        """JSON."""
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@functools.cache
def private_key() -> Any:
    """The provider's own, made for this run."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def text_of(data: bytes) -> str:
    """Bytes as tokens have them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_key() -> dict[str, str]:
    """The provider's key as RFC 7517 writes it."""
    numbers = private_key().public_key().public_numbers()
    modulus, exponent = (text_of(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
    return {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": modulus, "e": exponent}


def signed(claims: dict[str, object]) -> str:
    """A token of RFC 7519, signed as RS256."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    parts = [{"alg": "RS256", "typ": "JWT", "kid": "one"}, claims]
    content = ".".join(text_of(json.dumps(part).encode()) for part in parts)
    signature = private_key().sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{content}.{text_of(signature)}"


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_who_signs_in_sees_the_page_and_nobody_else(browser: Browser, provider: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": secrets.token_hex(32),
        "client_id": CLIENT,
        "client_secret": SECRET,
        "server_metadata_url": f"{provider}/.well-known/openid-configuration",
    }
    secrets_file = tmp_path / ".streamlit" / "secrets.toml"
    secrets_file.parent.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    secrets_file.write_text("\n".join(["[auth]", *lines]))
    variables = {"HOME": str(tmp_path), "ATTNVIZ_PUBLIC": "1"}
    with serving(tmp_path, port=port, **variables) as url:
        page = new_context(browser, base_url=url, locale="en-US").new_page()
        page.goto("/")
        sign_in = page.get_by_role("button", name="Sign in", exact=True)
        sign_in.wait_for()
        assert page.locator(".attnviz-ready").count() == 0 and page.locator(".st-key-sentence").count() == 0
        request = urllib.request.Request(f"{url}/api/v1/models")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
        sign_in.click()
        page.locator(".attnviz-ready").wait_for(state="attached")
        page.wait_for_function(RESTS)
        page.get_by_role("button", name="Sign out").click()
        sign_in.wait_for()
        assert page.locator(".attnviz-ready").count() == 0
        page.context.close()
