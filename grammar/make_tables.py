"""Writes flowfile.tables.json, the parse tables that are shipped with the grammar beside it."""

import json
from pathlib import Path

from flowrules.syntax.generate import make_tables

HERE = Path(__file__).parent


def main() -> None:
    data = make_tables((HERE / "flowfile.lark").read_text(encoding="utf-8"))
    lines = [f"{json.dumps(key)}: {json.dumps(data[key])}" for key in ("grammar", "starts", "ends")]
    lines += [
        f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in data[key]) + "\n]"
        for key in ("rules", "states")
    ]
    (HERE / "flowfile.tables.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
