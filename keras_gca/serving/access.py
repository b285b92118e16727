"""The access token of a server that other computers can reach.

Requests without the token get neither pages nor replies. When the server starts, it prints an address that contains the
token. A browser that opens this address receives the token as a cookie, and is redirected to the address without the
token, to keep the token out of the browser's history. Programs send the header `Authorization: Bearer TOKEN`.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS, Limit

PARAMETER = "token"  # the query parameter of the printed address
NEEDS_TOKEN = "NEEDS_TOKEN"  # the name of the setting that says whether the application requires a token
WRONG_TOKENS_PER_MINUTE = PEOPLE_AT_AN_ADDRESS  # the maximum number of wrong tokens from one address
EXPECTED = (
    "This server requires its token: open the address that was printed when the server started, or send the header "
    "Authorization: Bearer TOKEN."
)


def make_token(host: str) -> str | None:
    """Return a new token for a server that other computers can reach, or None for a loopback address.

    Args:
        host: The address that the server listens on.
    """
    return None if is_loopback(host) else secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Return whether only programs on this computer can reach an address.

    Args:
        host: An IP address or a host name.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name
        return host == "localhost"


def refuse_other_names(app: Flask) -> None:
    """Answer only requests to names of the loopback address (status 403 for others).

    Another site can make its own name point to this computer. A browser would then let the pages of that site read
    this server's responses.

    Args:
        app: The application of a server that only programs on this computer can reach.
    """

    @app.before_request
    def refuse_other_name() -> None:
        if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            abort(403, "This server is for this computer only; open it as http://127.0.0.1.")


def require_token(app: Flask, token: str | None, without: Collection[str] = ()) -> None:
    """Refuse requests without the server's token (status 401), and addresses with too many wrong tokens (status 429).

    Without a token, requests to other names than those of the loopback address are refused; see `refuse_other_names`.
    Tokens are compared in constant time. Call this function after `protect`, which defines the error pages.

    Args:
        app: The application. Its page `/` sets the cookie.
        token: The token, or None if only programs on this computer can reach the server.
        without: The endpoints that do not require the token.
    """
    app.config[NEEDS_TOKEN] = token is not None
    if token is None:
        refuse_other_names(app)
        return
    expected = token.encode()
    # All ports of a computer share cookies, so each server needs its own cookie name.
    cookie = f"token_{secrets.token_hex(4)}"
    wrong = Limit("wrong tokens from your address", WRONG_TOKENS_PER_MINUTE)

    def is_token(given: str) -> bool:
        return hmac.compare_digest(given.encode(), expected)

    @app.before_request
    def refuse_without_token() -> ResponseReturnValue | None:
        if request.endpoint in without:
            return None
        if is_token(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return None
        if request.endpoint and request.path == "/" and is_token(request.args.get(PARAMETER, "")):
            response = redirect(url_for(request.endpoint), 303)
            # SameSite is Lax, because the link may be opened from another site, such as a web mail page. The browser
            # would not send a Strict cookie with the following redirect. `protect` refuses posts from other sites.
            response.set_cookie(cookie, token, httponly=True, samesite="Lax")
            return response
        if is_token(request.cookies.get(cookie, "")):
            return None
        wrong.count(request.remote_addr)
        abort(401, EXPECTED)

    @app.after_request
    def name_scheme(response: Response) -> Response:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
