"""Pack the real crop of `tests/data`: `python benchmarks/make_westhinder.py PRODUCT.SAFE FOLDER`.

VH alone: of VV, RFI and the preview nothing is kept.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(product: Path, folder: Path) -> None:
    images = [path for path in product.rglob("*") if "-vh-" in path.name and "rfi" not in path.name]
    with zipfile.ZipFile(folder / f"{product.stem}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for path in sorted([product / "manifest.safe", *images]):
            name = path.relative_to(product.parent).as_posix()
            package.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
