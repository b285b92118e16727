"""What the web pages share: a server for this machine, how often somebody may ask, and what a page must refuse and say.

Nothing is loaded from outside, no other site may post here, and what goes wrong is one plain sentence.

The server reads a request whole before a thread takes it, and sends an answer after the thread has left it: so somebody
with a slow line, or who reads nothing, keeps no other waiting.
"""

import contextlib
import logging
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from werkzeug.exceptions import HTTPException, TooManyRequests

from keras_gca.errors import UserError

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # no referrer at all would hide the origin of our own forms
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

MISTAKES = (400, 403, 404, 405, 413, 415, 429, 500, 503)
THREADS = 16
CONNECTIONS = 1_000  # at the same time; browsers keep several each
LARGEST_HEADER = 16 * 1024  # bytes
IN_MEMORY = 64 * 1024  # bytes of a request or an answer; larger ones wait on the disk
IDLE_SECONDS = 60  # after which a connection without a request is closed
SLOWEST_REQUEST = 60  # seconds within which a request must have come whole
PEOPLE_AT_AN_ADDRESS = 50  # a class behind one router has one address


def protect(app: Flask, largest_request: int, say: Callable[[str], str] | None = None) -> None:
    """Give every page of an application the headers, and refuse what is too large or comes from another site.

    largest_request: in bytes. say: makes the page for a mistake from a sentence; plain text if None.
    """
    app.config["MAX_CONTENT_LENGTH"] = largest_request

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method != "POST":
            return
        site, origin = request.headers.get("Sec-Fetch-Site", "same-origin"), request.headers.get("Origin")
        if site != "same-origin" or (origin is not None and urlsplit(origin).netloc != request.host):
            abort(403, "This is taken from this site's own pages only.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    def say_what_is_wrong(error: HTTPException) -> Response:
        sentence = error.description or error.name
        kind = "text/plain" if say is None else "text/html"
        response = Response(sentence if say is None else say(sentence), error.code, mimetype=kind)
        if retry_after := getattr(error, "retry_after", None):
            response.headers["Retry-After"] = retry_after
        return response

    def log_without_address(exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
        app.logger.error("Error at %s %s", request.method, request.url_rule, exc_info=exc_info)

    # An address may be a secret link. The application is made elsewhere, so its class cannot have the method instead.
    app.log_exception = log_without_address  # type: ignore[method-assign]
    for code in MISTAKES:
        app.register_error_handler(code, say_what_is_wrong)


class Limit:
    """How often within a minute somebody may do something; more is refused with status 429, in a sentence.

    The counts of a minute are forgotten when it ends, so they take little memory and nobody is remembered.

    what: the plural of what is counted, for the sentence.
    """

    def __init__(self, what: str, per_minute: int):
        self.what, self.per_minute = what, per_minute
        self._lock, self._minute = threading.Lock(), 0.0
        self._counts: Counter[Hashable] = Counter()

    def count(self, who: Hashable) -> None:
        """Count one more. Raises TooManyRequests beyond the limit."""
        minute, second = divmod(time.monotonic(), 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            self._counts[who] += 1
            beyond = self._counts[who] > self.per_minute
        if beyond:
            wait = 60 - int(second)
            sentence = f"That is more than {self.per_minute:,} {self.what} within a minute. Please wait {wait} seconds."
            raise TooManyRequests(sentence, retry_after=wait)


class LocalServer:
    """Serves an application, which `protect` has prepared, at a socket that listens."""

    def __init__(self, app: Flask, listening: socket.socket, threads: int):
        self.port: int = listening.getsockname()[1]
        self._map: dict[int, Any] = {}
        settings = Adjustments(
            sockets=[listening],
            threads=threads,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=LARGEST_HEADER,
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],  # the application says it better
            inbuf_overflow=IN_MEMORY,
            outbuf_overflow=IN_MEMORY,
            ident=None,
        )
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        self._server = _Server(app, self._map, _sock=listening, adj=settings, sockinfo=address, bind_socket=False)

    def serve(self, give_up: Callable[[], None] = lambda: None) -> None:
        """Returns after `stop`, or KeyboardInterrupt; requests that are being answered have 5 seconds to end.

        give_up: called before these seconds, to end what would take longer.
        """
        with contextlib.suppress(KeyboardInterrupt):
            wasyncore.loop(timeout=1, map=self._map, use_poll=True)  # select cannot watch as many connections
        give_up()
        self.close()

    def stop(self) -> None:
        """End `serve`, from any other thread."""
        self._server.trigger.pull_trigger(self.close)

    def close(self) -> None:
        """Close all connections of a server that does not run."""
        self._server.task_dispatcher.shutdown()  # first, for threads must not write to what is closed
        wasyncore.close_all(self._map)


def make_local_server(app: Flask, host: str, port: int, threads: int = THREADS) -> LocalServer:
    """A server for an application, not started yet; port 0 takes a free one. Raises UserError where it cannot listen.

    threads: how many requests are answered at the same time.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it would warn whenever a request waits for a thread
    try:
        listening = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot serve at {host}, port {port}: {error}") from None
    return LocalServer(app, listening, threads)


def serve_until_stopped(server: LocalServer, give_up: Callable[[], None] = lambda: None) -> None:
    """Serve until Ctrl-C or SIGTERM, also where a shell has started this program with Ctrl-C turned off.

    give_up: see `LocalServer.serve`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    server.serve(give_up)


class _Connection(HTTPChannel):
    """A connection that knows since when its next request has been coming."""

    request_since = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.request_since = time.time()
        return super().received(data)


class _Server(TcpWSGIServer):
    """A server that does not wait forever for a request that comes byte by byte."""

    channel_class = _Connection

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for connection in self.active_channels.values():
            if connection.request is not None and connection.request_since < now - SLOWEST_REQUEST:
                connection.will_close = True
