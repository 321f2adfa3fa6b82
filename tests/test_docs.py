"""Code blocks of the README and the documentation run as a reader would run them.

The blocks of a page run in their order, in one folder that holds `products/` and `port.geojson` of a simulated port,
`ais/` with AIS of it, and `results/`, a survey of them. A block that needs a network, an account, a GPU or too long is
marked `<!-- not run: reason -->` and is parsed: Python as Python, commands against the options that they have.
"""

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import sarship as ss
from sarship.cli import main
from sarship.simulate import simulate_ais

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = {"sarship", "ls", "cat"}
"""Commands that a test may call; a block with another, such as one that installs, must be marked."""
NOT_CODE = {"text", "{toctree}", "{include}"}
COMMANDS = {"sarship", "pip", "python", "pytest", "bash"}
OPERATORS = {"&&", "||", ";", "|"}
START = re.compile(r"(?P<indent> *)(?P<fence>```+)(?P<language>[^`]*)$")
MARK = re.compile(r" *<!-- not run: (.+) -->$")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    reason: str
    """Why it is not run; empty where it is."""

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced and indented blocks of a page, in their order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    blocks, k = [], 0
    while k < len(lines):
        start = START.match(lines[k])
        is_indented = lines[k].startswith("    ") and (k == 0 or not lines[k - 1].strip()) and not in_list(lines, k)
        if not start and not is_indented:
            k += 1
            continue
        before = next((line for line in reversed(lines[:k]) if line.strip()), "")
        mark = MARK.match(before)
        if start:
            stop = next(n for n in range(k + 1, len(lines)) if lines[n].strip() == start["fence"])
            body, language = lines[k + 1 : stop], start["language"].strip().removeprefix("{code-cell} ")
            indent = len(start["indent"])
        else:
            further = (n for n in range(k, len(lines)) if lines[n].strip() and not lines[n].startswith("    "))
            stop = next(further, len(lines))
            body, language, indent = lines[k:stop], "", 4
        text = "\n".join(line[indent:] for line in body if not line.startswith("%"))  # a notebook's own commands
        if not language:  # a command or what one prints
            language = "sh" if text.split()[0] in COMMANDS else "text"
        blocks.append(Block(page, k + 1 + bool(start), language.split()[0], text, mark[1] if mark else ""))
        k = stop + 1
    return blocks


def in_list(lines: list[str], k: int) -> bool:
    """True if an indented line goes on an item of a list."""
    before = next((line for line in reversed(lines[:k]) if line and not line.startswith(" ")), "")
    return bool(re.match(r"[-*] |\d+\. ", before))


BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.language not in NOT_CODE]
RUN = {page: [block for block in BLOCKS if block.page == page and not block.reason] for page in PAGES}


@pytest.fixture
def folder(harbour, harbour_survey, tmp_path, monkeypatch):
    """What a reader of the pages has."""
    for product in harbour.products:
        shutil.copytree(product, tmp_path / "products" / product.name, copy_function=os.link)
    for name in ("port", "tartus"):
        shutil.copy(harbour.port_file, tmp_path / f"{name}.geojson")
    for name in ("results", "tartus"):
        shutil.copytree(harbour_survey[0], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


SLOW = {
    "ais.md",
    "report_page.md",
    "detector_choice.md",
    "count_from_a_catalogue.md",
    "tutorial.md",
    "watch_a_port.md",
    "keep_a_reference.md",
    "detect_on_an_array.md",
    "change_detection.md",
    "aprons.md",
    "scale.md",
}
"""Pages that survey a port anew, or compile most kernels."""


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] * (page.name in SLOW)) for page in PAGES if RUN[page]],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_page_runs(page, folder, harbour):
    if any("sarship port new Tartus" in block.text for block in RUN[page]):  # it makes them itself
        (folder / "tartus.geojson").unlink()
        shutil.rmtree(folder / "tartus")
    if any("--ais" in block.text or "read_ais" in block.text for block in RUN[page]):
        give_ais(harbour, folder / "ais")
    names = given()
    for block in RUN[page]:
        try:
            RUNNERS[block.language](block, names)
        except Exception as error:
            error.add_note(f"in the block at {block}")
            raise


def give_ais(harbour, place: Path) -> None:
    """Write reports of AIS in a known form, and in one whose columns are to be named."""
    made = simulate_ais(harbour, place, forms=["csv2"]).files["csv2"]
    text = made.read_text().replace("mmsi,base_date_time,longitude,latitude", "ID,T,X,Y", 1)
    (place / "own.csv").write_text(text)
    made.rename(place / "reports.csv")


def given() -> dict[str, object]:
    """Names that pages use for what their reader has."""
    sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (3, 200, 200)).astype(np.float32)
    return {"image": sea[0], "vv": sea[1], "vh": sea[2], "paths": sorted(Path("products").iterdir())}


def run_python(block: Block, names: dict[str, object]) -> None:
    exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)


def run_shell(block: Block, _: dict[str, object]) -> None:
    for line in command_lines(block):
        commands = commands_of(line)
        called = {command[0] for command in commands}
        assert called <= RUNNABLE, f"{line}: mark the block as not run, and say why"
        if called == {"sarship"} and len(commands) == 1:
            words = [part for word in commands[0][1:] for part in expand(word)]
            if words[0] == "count" and block.page.name != "README.md":
                words.append("--no-pictures")  # which take most of the time, and are drawn for the README
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            if commands[0][1:3] == ["port", "new"]:  # the reader draws the piers that the products show
                shutil.copy("port.geojson", done.output.partition(":")[0])
        else:
            subprocess.run(["bash", "-euc", line], check=True)


def expand(word: str) -> list[str]:
    """Expand a word as a shell does, except that a pattern without a match is an error."""
    if "*" not in word:
        return [word]
    found = sorted(str(path) for path in Path().glob(word))
    assert found, f"nothing matches {word}"
    return found


def run_json(block: Block, _: dict[str, object]) -> None:
    value = json.loads(block.text)
    if value.get("type") == "FeatureCollection":
        Path("block.geojson").write_text(block.text)
        assert ss.read_port("block.geojson").name


RUNNERS = {"python": run_python, "sh": run_shell, "console": run_shell, "json": run_json}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason], ids=str)
def test_block_that_is_not_run_is_right(block):
    if block.language == "python":
        ast.parse(block.text)
        return
    for line in command_lines(block):
        for command, *arguments in commands_of(line):
            if command == "sarship":
                check_command(arguments)
            elif command == "python" and "-m" in arguments:
                module = arguments[arguments.index("-m") + 1]
                assert module == "venv" or (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), line


def command_lines(block: Block) -> list[str]:
    """Return the lines of a shell block that hold commands; in a console those after a prompt."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if shlex.split(line, comments=True)]


def commands_of(line: str) -> list[list[str]]:
    """Return the commands of a line, each a list of its words."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in words:
        if word in OPERATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def check_command(arguments: list[str]) -> None:
    """Parse the arguments of `sarship`, and call nothing."""
    command: click.Command = main
    while isinstance(command, click.Group):
        with command.make_context(command.name, arguments.copy()) as context:
            _, found, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
    command.make_context(command.name, arguments.copy())


@pytest.mark.parametrize("arguments", ["count port.geojson --out a --gpus", "contd", "port", "detect", "port new"])
def test_a_wrong_command_would_be_noticed(arguments):
    with pytest.raises((click.UsageError, click.exceptions.NoArgsIsHelpError)):
        check_command(arguments.split())


def test_every_block_is_code_that_is_run_or_marked():
    assert {block.language for block in BLOCKS} <= set(RUNNERS)
    assert len(BLOCKS) > 40


def test_the_picture_of_the_rooms_is_the_contract():
    drawn = runpy.run_path(str(ROOT / "docs" / "draw_rooms.py"))
    assert drawn["PICTURE"].read_text(encoding="utf-8") == drawn["svg"](), "run python docs/draw_rooms.py"


def test_every_room_has_its_page_in_the_reference():
    listed = re.findall(r"^reference/sarship\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / "sarship").glob("*/__init__.py")}
    assert rooms <= set(listed)
