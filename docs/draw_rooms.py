"""The picture of the rooms, drawn from the layers in `pyproject.toml`: `python docs/draw_rooms.py` writes it again."""

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "img" / "rooms.svg"
WIDTH, HEIGHT, GAP = 880, 54, 10
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24405a } .name { font-weight: bold; font-size: 14px }
  rect { fill: #eef4f9; stroke: #7396b5 } .file { fill: #ffffff; stroke-dasharray: 4 3 }
"""


def layers() -> list[list[str]]:
    """Return the layers of the package that have rooms or files, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (package,) = (contract for contract in contracts if contract["containers"] == ["sarship"])
    names = [[name.strip(" ()") for name in layer.split("|")] for layer in package["layers"]]
    return [[name for name in layer if home(name).exists()] for layer in names]


def home(name: str) -> Path:
    """Return the file whose docstring describes a room, or the file itself."""
    folder = ROOT / "sarship" / name
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def caption(name: str) -> str:
    """Return the first sentence of what describes a room."""
    text = ast.get_docstring(ast.parse(home(name).read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")


def svg() -> str:
    """Return the picture."""
    rows = [layer for layer in layers() if layer]
    height = len(rows) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>The rooms of sarship: each imports only from those below</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" style="fill: #ffffff; stroke: none"/>',
    ]
    for row, names in enumerate(rows):
        width = (WIDTH - GAP * (len(names) + 1)) / len(names)
        y = GAP + row * (HEIGHT + GAP)
        for column, name in enumerate(names):
            x = GAP + column * (width + GAP)
            is_room = home(name).stem == "__init__"
            parts.append(
                f'<rect class="{"room" if is_room else "file"}" x="{x:.0f}" y="{y}" width="{width:.0f}" '
                f'height="{HEIGHT}" rx="5"/><text class="name" x="{x + 10:.0f}" y="{y + 18}">'
                f"{name}{'' if is_room else '.py'}</text>"
            )
            lines = wrap(caption(name), int((width - 20) / 6.1), max_lines=2, placeholder=" …")
            parts += [
                f'<text x="{x + 10:.0f}" y="{y + 33 + 14 * k}">{escape(line, quote=False)}</text>'
                for k, line in enumerate(lines)
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(svg(), encoding="utf-8")
