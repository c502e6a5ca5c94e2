"""Rules that ask one another for more and more files: what can be planned is, the rest ends soon and says why."""

import pytest
from planning import Desk

from flowrules.plan.nearby import Nearby
from flowrules.testing import FakeFiles


def rule(name, wanted, made):
    return f'rule {name}:\n    input: {wanted}\n    output: "{made}"\n    shell: "cp {{input}} {{output}}"\n'


GUNZIP = rule("gz", '"{p}.gz"', "{p}")
BUNZIP = rule("bz", '"{p}.bz2"', "{p}")


def codes(text, target, files=""):
    return [message.split()[0] for message in Desk(text, files).errors(target)]


def test_a_rule_may_ask_itself_some_times():
    files = "f" + 12 * ".gz"
    assert len(Desk(GUNZIP, files).todo("f")) == 12


def test_two_rules_may_take_turns():
    d = Desk(GUNZIP + BUNZIP, "f.gz.bz2.gz")
    assert d.todo("f") == ["gz p=f.gz.bz2", "bz p=f.gz", "gz p=f"]


def test_longer_in_two_directions():
    text = rule("right", '"{p}x"', "{p}") + rule("left", '"y{p}"', "{p}")
    assert codes(text, "f") == ["F501"]
    assert codes(text, "f", "yyfx") == ["F502"]
    assert Desk(text + "ruleorder right > left\n", "yyfx").todo("f") == ["left p=yfx", "left p=fx", "right p=f"]


@pytest.mark.parametrize("rules", [2, 3, 12, 40])
def test_ways_multiply(rules):
    text = "".join(rule(f"r{i}", f'"{{p}}.{i}"', "{p}") for i in range(rules))
    assert codes(text, "f") == ["F501" if rules < 4 else "F505"]


def test_longer_and_shorter_again():
    text = rule("a", '"{p}ab"', "{p}") + rule("b", '"{p}cd"', "{p}") + rule("c", '"{p}"', "{p}b")
    assert codes(text, "f") == ["F501"]


@pytest.mark.parametrize(
    "wanted",
    [
        'f"n/{int(wildcards.n) * 2}", f"n/{int(wildcards.n) * 2 + 1}"',
        'f"n/{int(wildcards.n) + 1}"',
        '[f"n/{wildcards.n}{c}" for c in "a b c d".split()]',
    ],
)
def test_numbers_without_end(wanted):
    assert codes(rule("a", wanted, "n/{n}"), "n/1") == ["F505"]


def test_ten_thousand_levels_up_and_down():
    down = rule("a", 'f"n/{int(wildcards.n) - 1}" if wildcards.n != "0" else []', "n/{n}")
    up = rule("a", 'f"n/{int(wildcards.n) + 1}" if wildcards.n != "10000" else []', "n/{n}")
    assert len(Desk(down).todo("n/10000")) == len(Desk(up).todo("n/0")) == 10_001


def test_several_rules_count_together():
    text = (
        rule("a", 'f"b/{int(wildcards.n) + 1}" if wildcards.n != "1200" else []', "a/{n}")
        + rule("b", 'f"longer/{wildcards.n}"', "b/{n}")
        + rule("c", 'f"a/{wildcards.n}"', "longer/{n}")
    )
    assert len(Desk(text).todo("a/0")) == 3601


def test_files_that_all_need_one_another(monkeypatch):
    monkeypatch.setattr("flowrules.plan.descent.DEPTH_LIMIT", 2_000)
    text = rule("up", 'f"n/{int(wildcards.n) + 1}"', "n/{n}") + rule("down", 'f"n/{int(wildcards.n) - 1}"', "n/{n}")
    assert codes(text, "n/0") == ["F505"] or codes(text, "n/0") == ["F501"]
    (message,) = Desk(text, "n/0").errors("n/5")
    assert message.startswith("F503 ") and "files that rules `up`, `down` make need one another" in message


def test_a_constraint_that_takes_for_ever():
    text = rule("a", "[]", "{p,(a|aa)+b?c?}")
    (message,) = Desk(text).errors("a" * 60 + "d")
    assert message.startswith("F122 ")


def test_many_files_in_two_forms():
    text = (
        rule("gzip", '"{p}"', "{p}.gz")
        + GUNZIP
        + 'rule all:\n    default: true\n    input: expand("d/{i}.gz", i=range(300))\n'
    )
    assert len(Desk(text, " ".join(f"d/{i}" for i in range(300))).todo()) == 300


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("data/raw.csv", "there is `data/raw.tsv`: did you mean that?"),
        ("dta/raw.tsv", "there is `data/raw.tsv`: did you mean that?"),
        ("raw.tsv", "there is `data/raw.tsv`: did you mean that?"),
        ("out/b.mba", "rule `align` makes `out/b.bam`: did you mean that?"),
        ("uot/b.bam", "rule `align` makes `out/b.bam`: did you mean that?"),
        ("nothing/like/it.x", "there is no folder `nothing/like`"),
        ("nothing", None),
    ],
)
def test_what_there_is_instead(path, hint):
    from flowrules.load.lower import load_workflow
    from flowrules.load.options import LoadOptions

    files = FakeFiles({"data/raw.tsv": "", "Flowfile": rule("align", '"{s}.fq"', "out/{s}.bam")})
    assert Nearby(files, load_workflow("Flowfile", files, LoadOptions()).rules).hint(path) == hint
