"""Draw docs/pictures/fit.svg: what a terminal shows after ``fallline fit digits``.

Run it by hand, from anywhere, when the command's output has changed::

    python docs/pictures/make_terminal.py

The command runs for real, in a pseudo-terminal 88 columns wide, in an empty folder. What it wrote is
drawn by rich. Nothing is retouched, but for two things that a still picture cannot do otherwise:
of a progress bar only the last state is kept, and long sentences break between words.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

WIDTH = 88
COMMAND = ["fallline", "fit", "digits"]
PICTURE = Path(__file__).with_name("fit.svg")
THEME = TerminalTheme(
    (23, 27, 36),
    (214, 219, 229),
    [
        (23, 27, 36),
        (240, 113, 120),
        (149, 230, 150),
        (255, 180, 84),
        (67, 199, 255),
        (210, 166, 255),
        (149, 230, 203),
        (199, 204, 214),
    ],
    [
        (104, 112, 128),
        (255, 140, 145),
        (170, 240, 170),
        (255, 204, 128),
        (120, 216, 255),
        (224, 190, 255),
        (170, 240, 220),
        (255, 255, 255),
    ],
)


def run_in_terminal(command: list[str]) -> str:
    """What a command writes to a terminal, standard output and error together."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": str(WIDTH),
        "LINES": "50",
        "PYTHONIOENCODING": "utf-8",
    }
    program = Path(sys.executable).with_name(command[0])
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment,
        )
        os.close(theirs)
        written = bytearray()
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                # Linux says so when the other end has closed.
                break
            if not part:
                break
            written += part
        if process.wait():
            raise SystemExit(written.decode())
    os.close(ours)
    return written.decode()


def settled(written: str) -> str:
    """The lines as they stand at the end: a line that was erased shows what was written last."""
    lines = written.replace("\r\n", "\n").split("\n")
    last = (line.rsplit("\x1b[2K", 1)[-1].replace("\r", "") for line in lines)
    return re.sub(r"\x1b\[\?\d+[hl]|\x1b\[\d*A", "", "\n".join(last)).strip("\n")


def main() -> None:
    """Run the command and draw the picture."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "bold #95e6cb"), (" ".join(COMMAND), "bold")))
    for line in settled(run_in_terminal(COMMAND)).split("\n"):
        text = Text.from_ansi(line)
        text.rstrip()
        console.print(text, overflow="fold", no_wrap=False)
    svg = console.export_svg(title=" ".join(COMMAND), theme=THEME, unique_id="fallline-fit")
    # Fonts come from the reader's own machine, not from elsewhere.
    svg = re.sub(r"@font-face\s*{[^}]*}\s*", "", svg)
    svg = svg.replace(
        "font-family: Fira Code, monospace",
        "font-family: 'Fira Code', 'DejaVu Sans Mono', 'Menlo', 'Consolas', monospace",
    )
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    print(f"{PICTURE}: {len(svg):,} bytes")


if __name__ == "__main__":
    main()
