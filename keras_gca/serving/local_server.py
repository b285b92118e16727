"""The parts shared by all web pages: a local server, limits on requests, security headers, and error pages.

The pages load nothing from other sites, and the server refuses POST requests that come from other sites. An error is
shown as one plain sentence.

A thread starts handling a request only after the complete request has arrived, and does not wait until the response has
been sent. A client with a slow connection, or a client that does not read the response, therefore does not delay other
clients.
"""

import contextlib
import errno
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
    "Referrer-Policy": "same-origin",  # "no-referrer" would also hide the origin of the pages' own forms
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

EVERYWHERE = ("0.0.0.0", "")  # hosts that stand for all addresses of this computer
MISTAKES = (400, 401, 403, 404, 405, 413, 415, 429, 500, 503)
THREADS = 16
CONNECTIONS = 1_000  # the maximum number of simultaneous connections; a browser keeps several open
LARGEST_HEADER = 16 * 1024  # bytes
IN_MEMORY = 64 * 1024  # bytes; larger requests and responses are buffered on disk
IDLE_SECONDS = 60  # a connection without a request is closed after this time
SLOWEST_REQUEST = 60  # a connection is closed if its request has not arrived completely after this many seconds
PEOPLE_AT_AN_ADDRESS = 50  # for example, all students of a class share the address of one router


def protect(app: Flask, largest_request: int, say: Callable[[str], str] | None = None) -> None:
    """Add security headers to every page of an application, and refuse requests that are too large or cross-site.

    Args:
        app: The application.
        largest_request: The maximum number of bytes in a request.
        say: A function that makes an error page from a sentence, or None for plain-text error pages.
    """
    app.config["MAX_CONTENT_LENGTH"] = largest_request

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method != "POST":
            return
        site, origin = request.headers.get("Sec-Fetch-Site", "same-origin"), request.headers.get("Origin")
        if site != "same-origin" or (origin is not None and urlsplit(origin).netloc != request.host):
            abort(403, "This request is accepted only from the pages of this site.")

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

    # The address of a page may be a secret link, so addresses are not logged. The method is replaced only for this
    # application, because its class belongs to Flask.
    app.log_exception = log_without_address  # type: ignore[method-assign]
    for code in MISTAKES:
        app.register_error_handler(code, say_what_is_wrong)


def posted_json() -> Any:
    """Return the content of a request in JSON, or None if it is not JSON or is nested too deeply."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


class Limit:
    """A limit on how often a client may do something per minute; further requests are refused (status 429).

    The counts are deleted after each minute, so they need little memory, and no data about visitors are kept.

    Args:
        what: The plural noun for what is counted, used in the message.
        per_minute: The maximum number per minute.
    """

    def __init__(self, what: str, per_minute: int):
        self.what, self.per_minute = what, per_minute
        self._lock, self._minute = threading.Lock(), 0.0
        self._counts: Counter[Hashable] = Counter()

    def count(self, who: Hashable) -> None:
        """Count one more action of a client.

        Raises:
            TooManyRequests: The limit is exceeded.
        """
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
    """A server for an application prepared by `protect`.

    Args:
        app: The application.
        listening: The socket that the server listens on.
        threads: The number of requests handled at the same time.
    """

    def __init__(self, app: Flask, listening: socket.socket, threads: int):
        # waitress logs a warning whenever a request has to wait for a thread.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self.port: int = listening.getsockname()[1]
        self._map: dict[int, Any] = {}
        settings = Adjustments(
            sockets=[listening],
            threads=threads,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=LARGEST_HEADER,
            max_request_body_size=2
            * app.config["MAX_CONTENT_LENGTH"],  # the application's own limit has a better message
            inbuf_overflow=IN_MEMORY,
            outbuf_overflow=IN_MEMORY,
            ident=None,
        )
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        self._server = _Server(app, self._map, _sock=listening, adj=settings, sockinfo=address, bind_socket=False)

    def serve(self, give_up: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is called or KeyboardInterrupt is raised.

        Requests in progress at that moment have 5 seconds to finish.

        Args:
            give_up: A function that is called at the beginning of these 5 seconds, to end requests that would take
                longer.
        """
        with contextlib.suppress(KeyboardInterrupt):
            wasyncore.loop(timeout=1, map=self._map, use_poll=True)  # select can watch fewer connections
        give_up()
        self.close()

    def stop(self) -> None:
        """Make `serve` return; call this method from another thread."""
        self._server.trigger.pull_trigger(self.close)

    def close(self) -> None:
        """Close all connections of a server that is not running."""
        self._server.task_dispatcher.shutdown()  # first, because threads must not write to closed connections
        wasyncore.close_all(self._map)


def listen(host: str, port: int) -> socket.socket:
    """Reserve a port, so that no other program can take it while the model is being loaded.

    Args:
        host: The address to listen on.
        port: The port to listen on, or 0 for any free port.

    Returns:
        The socket. Connections to the socket wait until a server is made for it.

    Raises:
        UserError: It is not possible to listen at this address and port.
    """
    try:
        return socket.create_server((host, port))
    except OverflowError:
        raise UserError(f"--port {port}: a number from 0 to 65535 is expected") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "another program uses this port; end that program, or choose another port with --port"
        else:
            reason = error.strerror or str(error)
        raise UserError(f"cannot serve at {host}, port {port}: {reason}") from None


def addresses(host: str, port: int, token: str | None = None) -> str:
    """Return the address for the user to open, including the token if there is one.

    Args:
        host: The address that the server listens on. 0.0.0.0 means all addresses of this computer.
        port: The port that the server listens on.
        token: The token that the server requires (`access.require_token`), or None.
    """
    everywhere = host in EVERYWHERE
    name = socket.gethostname() if everywhere else host
    address = f"http://{name}:{port}/" + ("" if token is None else f"?token={token}")
    return f"{address} (on this computer, you can also use 127.0.0.1 instead of {name})" if everywhere else address


def make_local_server(app: Flask, host: str, port: int, threads: int = THREADS) -> LocalServer:
    """Make a server for an application without starting it.

    Args:
        app: The application.
        host: The address to listen on.
        port: The port to listen on, or 0 for any free port.
        threads: The number of requests handled at the same time.

    Raises:
        UserError: It is not possible to listen at this address and port.
    """
    return LocalServer(app, listen(host, port), threads)


def serve_until_stopped(server: LocalServer, give_up: Callable[[], None] = lambda: None) -> None:
    """Serve until Ctrl-C or SIGTERM, even if a shell started this program with Ctrl-C disabled.

    Args:
        server: The server.
        give_up: See `LocalServer.serve`.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    server.serve(give_up)


class _Connection(HTTPChannel):
    """A connection that records when the current request started to arrive."""

    request_since = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.request_since = time.time()
        return super().received(data)


class _Server(TcpWSGIServer):
    """A server that closes connections whose requests arrive too slowly."""

    channel_class = _Connection

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for connection in self.active_channels.values():
            if connection.request is not None and connection.request_since < now - SLOWEST_REQUEST:
                connection.will_close = True
