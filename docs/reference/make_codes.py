"""Writes codes.md, the list of all diagnostics, from `flowrules.codes` and `flowrules/explained`."""

from __future__ import annotations

from pathlib import Path

from flowrules.show.explain import SECTIONS

HEAD = """\
# Diagnostics

Made by `make docs` from `flowrules/codes.py`. Each code leads to its explanation, with an example and the example put
right; `flowrules explain CODE` shows the same. `F` is an error, `W` a warning, `L` a finding of `flowrules lint`.
"""


def codes_page() -> str:
    """The page: a table for each section of `flowrules.codes`."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        page = f"../../flowrules/explained/{name}.md"
        rows = "".join(f"| [`{code}`]({page}#{code.lower()}) | {title} |\n" for code, title in sorted(section.items()))
        parts.append(f"\n## {name.capitalize()}\n\n| code | meaning |\n|---|---|\n{rows}")
    return "".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("codes.md").write_text(codes_page(), encoding="utf-8")
