"""``fallline studio``: terrain, fit and graph in the browser."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen
from fallline.cli.places import RUNS

if TYPE_CHECKING:
    import socket as sockets

    from fallline.studio.server import Studio

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline studio\n\n"
    "fallline studio sales.csv\n\n"
    "fallline studio --runs elsewhere --port 8321 --no-browser"
)
PORT = 8321


def studio(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A table to train on: a file, or a bundled set.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(help="The folder of saved runs; the page sees no other.")
    ] = RUNS,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where to listen; 0 for any free port.",
            show_default=f"{PORT}, or a free one",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others let other machines in.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser",
            help="Open the browser, or only print the address.",
            show_default="--browser",
        ),
    ] = True,
) -> None:
    """See gradient descent in the browser: terrains, fits, graphs, networks that train, runs compared."""
    table = _table(data)
    listener = _listen(host, port)
    address = listener.getsockname()[:2]
    run(
        _studio(table, runs, host, address[1]), listener, _origin(host, address[1]), browser=browser
    )


def _table(data: str | None) -> Path | None:
    """The table, if it can be read at all: said now, not in the browser."""
    if data is None:
        return None
    from fallline.data.datasets import BUNDLED
    from fallline.data.readers import read_table

    path = Path(data)
    if data in BUNDLED:
        return path
    read_table(data)
    return path.resolve()


def _listen(host: str, port: int | None) -> sockets.socket:
    """A listening socket, bound before anything is printed, so that what is printed is true."""
    import socket

    from fallline.errors import FalllineError

    if not host.strip():
        # To the system this is every address, which is to be asked for in words.
        raise FalllineError("--host is empty: give an address, such as 127.0.0.1.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [PORT, 0] if port is None else [port]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
        except (OSError, OverflowError) as error:
            listener.close()
            if port is None and candidate:
                continue
            reason = getattr(error, "strerror", None) or str(error)
            raise FalllineError(
                f"Cannot listen on {host}, port {candidate}: {reason}. Give another --port, or --host."
            ) from None
        listener.listen(64)
        return listener
    raise AssertionError


def _origin(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _studio(table: Path | None, runs: Path, host: str, port: int) -> Studio:
    from fallline.studio.catalogue import catalogue
    from fallline.studio.server import Studio
    from fallline.studio.view import Given
    from fallline.studio.views import VIEWS

    given = Given(table, runs.expanduser().resolve())
    names = ["127.0.0.1", "localhost", "[::1]", host]
    if host in ("0.0.0.0", "::"):
        # Asked to listen on every address, it cannot know by which names it is called.
        names = ["*"]
    return Studio(VIEWS, given, lambda: catalogue(given), names, port)


def run(studio: Studio, listener: sockets.socket, origin: str, *, browser: bool) -> None:
    """Serve until Ctrl-C."""
    import uvicorn

    from fallline.studio.server import LONGEST_MESSAGE

    server = uvicorn.Server(
        uvicorn.Config(
            studio.app,
            log_level="warning",
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )

    def new_address() -> str:
        return f"{origin}/?token={studio.keys.new_token()}"

    with contextlib.suppress(KeyboardInterrupt):
        # The address is data: whoever reads stdout gets just that.
        typer.echo(new_address())
        screen.remark("The studio runs; Ctrl-C ends it, Enter prints another address.")
        if browser:
            threading.Thread(target=_open, args=(new_address(),), daemon=True).start()
        # The engine is imported while the browser starts.
        threading.Thread(target=_warm_up, daemon=True).start()
        if sys.stdin is not None and sys.stdin.isatty():
            threading.Thread(target=_on_enter, args=(new_address,), daemon=True).start()
        server.run(sockets=[listener])
    _leave()


def _leave() -> None:
    """End the process at once.

    Python would wait for what is being compiled, ten seconds or more, or stop threads in the middle of
    compiled code, which aborts.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        screen.remark("No browser could be opened: open the address yourself.")


def _warm_up() -> None:
    from fallline.descent.cache import use_compilation_cache
    from fallline.studio.catalogue import catalogue
    from fallline.studio.view import Given

    use_compilation_cache()
    catalogue(Given())


def _on_enter(new_address: Any) -> None:
    with contextlib.suppress(ValueError, OSError):
        for _ in sys.stdin:
            typer.echo(new_address())
