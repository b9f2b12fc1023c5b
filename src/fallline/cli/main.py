"""The entry point: ``fallline COMMAND``."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Annotated

import typer

from fallline.cli import (
    check_gradient,
    compare,
    diagnose,
    fit,
    predict,
    report,
    runs,
    studio,
    terrain,
)
from fallline.cli.screen import complain
from fallline.errors import FalllineError

app = typer.Typer(
    name="fallline",
    help="Train models by gradient descent: one command, explained in words.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    epilog="Start with:  fallline fit digits",
)
app.command("fit", epilog=fit.EXAMPLES)(fit.fit)
app.command("diagnose", epilog=diagnose.EXAMPLES)(diagnose.diagnose)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.command("runs", epilog=runs.EXAMPLES)(runs.runs)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("terrain", epilog=terrain.EXAMPLES)(terrain.terrain)
app.command("studio", epilog=studio.EXAMPLES)(studio.studio)
app.command("check-gradient", epilog=check_gradient.EXAMPLES)(check_gradient.check_gradient)


def _version(asked: bool) -> None:
    if asked:
        from fallline import __version__

        typer.echo(f"fallline {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train models by gradient descent: one command, explained in words."""


def main() -> None:
    """Run a command; a mistake of the user's is a sentence and exit code 2, not a traceback."""
    # Imports and traces make objects by the hundred thousand that stay: to look for garbage among
    # them at the usual pace costs a tenth of a second, and once more at the end a quarter.
    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)
    try:
        app()
    except FalllineError as error:
        complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe has gone (`| head`): nothing is wrong, and nothing more to say.
        sys.stderr.close()
        sys.exit(0)
