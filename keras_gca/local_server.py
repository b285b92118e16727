"""What the web pages share: a server for this machine, and what a page must refuse and say.

Nothing is loaded from outside, no other site may post here, and what goes wrong is one plain sentence.
"""

import signal
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from keras_gca.errors import UserError

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # no referrer at all would hide the origin of our own forms
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
MISTAKES = (400, 403, 404, 405, 413, 415)


def protect(app: Flask, largest_request: int, say: Callable[[str], str] | None = None) -> None:
    """Give every page of an application the headers, and refuse what is too large or comes from another site.

    largest_request: in bytes. say: makes the page for a mistake from a sentence; plain text if None.
    """
    app.config["MAX_CONTENT_LENGTH"] = largest_request

    @app.before_request
    def refuse_other_sites():
        if request.method != "POST":
            return
        site, origin = request.headers.get("Sec-Fetch-Site", "same-origin"), request.headers.get("Origin")
        if site != "same-origin" or (origin is not None and urlsplit(origin).netloc != request.host):
            abort(403, "This is taken from this site's own pages only.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    def say_what_is_wrong(error):
        if say is not None:
            return say(error.description), error.code
        return Response(error.description, error.code, mimetype="text/plain")

    for code in MISTAKES:
        app.register_error_handler(code, say_what_is_wrong)


def make_local_server(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """A server with a thread for each request; port 0 takes a free one. Raises UserError where it cannot listen."""
    try:
        listening = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot serve at {host}, port {port}: {error}") from None
    with listening:  # the server takes a duplicate of its own
        return make_server(host, listening.getsockname()[1], app, True, 1, _Quiet, fd=listening.fileno())


def serve_until_stopped(server: BaseWSGIServer) -> None:
    """Serve until Ctrl-C or SIGTERM, also where a shell has started this program with Ctrl-C turned off."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    server.serve_forever()  # returns at a KeyboardInterrupt


class _Quiet(WSGIRequestHandler):
    """Requests are not logged: an address may be a secret link."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
