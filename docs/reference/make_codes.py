"""Writes codes.md, the list of all diagnostics, from `flowrules.codes`."""

from __future__ import annotations

from pathlib import Path

from flowrules import codes

HEAD = """\
# Diagnostics

Made from `flowrules/codes.py` by `make docs`. `F` is an error, `W` a warning, `L` a finding of `flowrules lint`.
"""


def codes_page() -> str:
    """The page: a table for each section of `flowrules.codes`."""
    parts = [HEAD]
    for name, section in vars(codes).items():
        if name.isupper() and isinstance(section, dict) and section is not codes.CODES:
            rows = "".join(f"| `{code}` | {title} |\n" for code, title in sorted(section.items()))
            parts.append(f"\n## {name.capitalize()}\n\n| code | meaning |\n|---|---|\n{rows}")
    return "".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("codes.md").write_text(codes_page(), encoding="utf-8")
