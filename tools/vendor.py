"""Takes the JavaScript libraries of the pages from the npm registry, as they were published, and notes their checksums.

    make vendor                                   what libraries.json names, again
    python tools/vendor.py d3-zoom@3.0.2          another version of one of them, or one more

npm checks what it downloads against the registry's checksum; `libraries.json` keeps that one and the one of the file
that goes into pages, and a test compares the files with it. Needs `npm`; nothing else of this project does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "flowrules" / "pages" / "assets" / "vendor"
LIST = FOLDER / "libraries.json"


def main(wanted: list[str]) -> int:
    """Fetch packages, `NAME@VERSION` each; without any, all that are listed. Returns the exit status."""
    known = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else {}
    for spec in wanted or [f"{name}@{entry['version']}" for name, entry in known.items()]:
        name, at, version = spec.rpartition("@")
        if not at or not name or not version[:1].isdigit():
            print(f"`{spec}`: write a library with its whole version, like d3-zoom@3.0.1", file=sys.stderr)
            return 2
        old = known.get(name, {})
        known[name] = fetch(name, version)
        if old.get("version") == version and old != known[name]:
            print(f"{spec} is not what it was: {old} became {known[name]}", file=sys.stderr)
            return 1
        print(f"{spec}: {known[name]['bytes']:,} bytes, {known[name]['licence']}")
    LIST.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n", encoding="utf-8")
    return 0


def fetch(name: str, version: str) -> dict[str, object]:
    """Write the minified library and its licence into the folder. Returns its entry in the list."""
    with tempfile.TemporaryDirectory() as folder:
        call = ["npm", "pack", "--silent", f"{name}@{version}", "--pack-destination", folder]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        with tarfile.open(archive) as tar:
            package = json.loads(_read(tar, "package.json"))
            code = _read(tar, f"dist/{name}.min.js")
            licence = _read(tar, "LICENSE")
    assert package["version"] == version
    (FOLDER / f"{name}.min.js").write_bytes(code)
    (FOLDER / f"{name}.LICENSE").write_bytes(licence)
    return {
        "version": version,
        "licence": package["license"],
        "archive": integrity,
        "sha256": hashlib.sha256(code).hexdigest(),
        "bytes": len(code),
    }


def _read(tar: tarfile.TarFile, path: str) -> bytes:
    file = tar.extractfile(f"package/{path}")
    assert file is not None, path
    return file.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
