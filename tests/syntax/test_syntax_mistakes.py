"""What is said about wrong Flowfiles: `mistakes.flow` holds them, parted by `---`, `mistakes.txt` what each is told."""

from pathlib import Path

from flowrules.codes import CODES
from flowrules.span import Source
from flowrules.syntax.reader import read_module

HERE = Path(__file__).parent
CASES = (HERE / "mistakes.flow").read_text(encoding="utf-8").split("---\n")


def told(case):
    _, mistakes = read_module(Source("Flowfile", case))
    lines = [case.rstrip("\n")]
    for mistake in mistakes:
        shown = mistake.span.text().replace("\n", "⏎")
        lines.append(f"  {mistake.span.line}:{mistake.span.column} {mistake.code} {mistake.message}  «{shown}»")
        lines += [f"      hint: {mistake.hint}"] if mistake.hint else []
        lines += [f"      see {note.span.line}:{note.span.column} {note.message}" for note in mistake.related]
    return "\n".join(lines if mistakes else [*lines, "  fine"])


def test_each_mistake_is_explained(golden):
    golden(HERE / "mistakes.txt", "\n---\n".join(told(case) for case in CASES) + "\n")


def test_messages_have_one_style():
    for case in CASES:
        for mistake in read_module(Source("Flowfile", case))[1]:
            assert mistake.code in CODES
            assert not mistake.message.endswith(".")
            assert mistake.message[0] in "`'\"" or mistake.message[0].islower()
            assert mistake.message.count("`") % 2 == 0
            assert mistake.span is not None


def test_a_mistake_does_not_hide_the_next():
    text = 'rule a:\n    input "x"\n    output: "y"\n    shell: [\n    threads: 4\nlet X 3\nrule b:\n    input: "z"\n'
    module, mistakes = read_module(Source("Flowfile", text))
    assert [(mistake.span.line, mistake.code) for mistake in mistakes] == [(2, "F015"), (4, "F005"), (6, "F012")]
    first, second = module.statements
    assert [directive.name for directive in first.directives] == ["output", "threads"]
    assert second.name == "b"


def test_a_broken_header_does_not_hide_its_body():
    text = 'if x\n    rule a:\n        input "x"\nelse if y:\n    let X = 1\nrule b\n    input: "a"\n    output "b"\n'
    module, mistakes = read_module(Source("Flowfile", text))
    assert [mistake.span.line for mistake in mistakes] == [1, 3, 4, 6, 8]
    branches, rule = module.statements
    assert len(branches.branches) == 2
    assert rule.name == "b"


def test_reading_stops_after_a_hundred_mistakes():
    _, mistakes = read_module(Source("Flowfile", "let X\n" * 500))
    assert len(mistakes) == 101
    assert mistakes[-1].code == "F013"
