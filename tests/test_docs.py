"""Everything that README.md and docs/ show is run here.

A page's blocks run in order, in one folder of their own:

- ``python`` blocks in one namespace; blocks with ``>>>`` through doctest, where ``...`` stands for anything;
- ``console`` blocks: a line ``$ command`` runs in a shell with this environment's own ``fallline``,
  and must exit 0, or with the code that a comment before the block says (``<!-- exits: 2 -->``). Lines
  below it are what it must print, where ``...`` stands for anything. A line ``^C`` presses Ctrl-C.
  Lines that set up an environment are not run; the files they name must be there;
- other languages are not run; nor is a block after ``<!-- not run: why -->``.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<comments>(?:<!--.*?-->\n+)*)(?P<indent>[ ]*)```(?P<language>\w*)[^\n]*\n"
    r"(?P<body>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
SET_UP = re.compile(
    r"^(python3? -m venv|python tests/|pip|\.venv/bin/(pip|python|mkdocs|ruff|pyright|lint-imports))\b"
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
LANGUAGES = {"python", "console", "text", "toml", "json", "yaml"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    body: str
    exits: int
    skipped: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        comments = match["comments"]
        exits = re.search(r"<!-- exits: (\d+) -->", comments)
        skipped = re.search(r"<!-- not run: *(.*?) *-->", comments)
        found.append(
            Block(
                page,
                text.count("\n", 0, match.start("language")) + 2,
                match["language"],
                textwrap.dedent(match["body"]),
                int(exits[1]) if exits else 0,
                skipped[1] if skipped else "",
            )
        )
    return found


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The variables that commands run under."""
    commands = Path(sys.executable).parent
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return {
        **kept,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "88",
        "PYTHONIOENCODING": "utf-8",
    }


def require_output(block: Block, command: str, expected: str, printed: str) -> None:
    def tidy(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip().split("\n")) + "\n"

    if expected.strip():
        same = doctest.OutputChecker().check_output(tidy(expected), tidy(printed), FLAGS)
        assert same, f"{block}: {command}\n--- shown\n{expected}\n--- printed\n{printed}"


def check_set_up(block: Block, command: str) -> None:
    """Every file that a set-up command names is there."""
    words = shlex.split(command)
    if "pip" in words[0] or words[:1] == ["pip"]:
        assert (ROOT / "pyproject.toml").is_file()
        for flag in ("-c", "-r"):
            if flag in words:
                assert (ROOT / words[words.index(flag) + 1]).is_file(), f"{block}: {command}"
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extras = project["optional-dependencies"]
        for named in re.findall(r"\[([\w,]+)\]", command):
            assert set(named.split(",")) <= set(extras), f"{block}: {command}"
    for word in words[1:]:
        if word.endswith(".py"):
            assert (ROOT / word).is_file(), f"{block}: there is no {word}"


def run_console(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Run each ``$ command`` of a block and compare what it prints with what is shown."""
    steps: list[tuple[str, list[str]]] = []
    for line in block.body.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            assert steps, f"{block}: output before any command"
            steps[-1][1].append(line)
    assert steps, f"{block}: no command"
    for place, (command, shown) in enumerate(steps):
        parts = [part.strip() for part in command.split("&&")]
        for part in [part for part in parts if SET_UP.match(part)]:
            check_set_up(block, part)
        command = " && ".join(
            part.removeprefix(".venv/bin/")
            for part in parts
            if not SET_UP.match(part) or part.startswith(".venv/bin/fallline")
        )
        if not command:
            continue
        stops = "^C" in shown
        expected = "\n".join(line for line in shown if line != "^C")
        wanted = block.exits if place == len(steps) - 1 else 0
        code, printed = in_shell(command, folder, environment, stops=stops)
        assert code == wanted, f"{block}: {command} exited {code}\n{printed}"
        require_output(block, command, expected, printed)


def in_shell(
    command: str, folder: Path, environment: dict[str, str], *, stops: bool
) -> tuple[int, str]:
    """The exit code of a command and what it printed; with ``stops``, Ctrl-C once it is at work."""
    process = subprocess.Popen(
        # Ctrl-C is for the command, not for a shell that waits for it.
        ["/bin/sh", "-c", f"exec {command}" if stops else command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdout is not None
    heard = ""
    if stops:
        for line in process.stdout:
            heard += line
            if line.startswith(("fallline predicts", "http://")):
                # Ctrl-C in the middle of training, not of compiling; or while the studio listens.
                time.sleep(1.5)
                os.killpg(process.pid, signal.SIGINT)
                break
    rest = process.communicate(timeout=300)[0]
    code = process.returncode
    return (128 - code if code < 0 else code), heard + rest


def run_python(block: Block, namespace: dict) -> None:
    """Run a block, as a session where it is written as one."""
    if ">>>" not in block.body:
        source = "\n" * (block.line - 1) + block.body
        exec(compile(source, str(block.page), "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(
        block.body, namespace, str(block), str(block.page), block.line - 1
    )
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    result = runner.run(test, out=said.append, clear_globs=False)
    namespace.update(test.globs)
    assert not result.failed, "".join(said)


RUN_ELSEWHERE = {ROOT / "docs" / "tutorials" / "from-a-scan-to-mnist.md"}
"""Pages whose every block is run by a test of their own, as the script they are made from."""


@pytest.mark.parametrize("page", [p for p in PAGES if p not in RUN_ELSEWHERE], ids=name_of)
def test_what_a_page_shows_runs(page, tmp_path, monkeypatch, environment):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.skipped:
            continue
        if block.language == "python":
            run_python(block, namespace)
        elif block.language == "console":
            run_console(block, tmp_path, environment)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page):
    text = page.read_text(encoding="utf-8")
    blocks = blocks_of(page)
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks)
    assert text.count("<!-- not run:") == sum(len(block.skipped) > 10 for block in blocks)
    for block in blocks:
        assert block.language in LANGUAGES, f"{block}: {block.language!r}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)", prose):
        if not re.match(r"\w+:", target):
            assert (page.parent / target).exists(), f"{name_of(page)}: {target}"


def test_every_page_is_in_the_contents():
    contents = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in contents
