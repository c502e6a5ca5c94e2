"""Shell templates: what is inserted where, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flow_text import FlowText
from shell_bench import NAMES, faults, render, values

from flowrules.errors import FlowfileError
from flowrules.expr.data import File
from flowrules.expr.shell import JoinedText, Params, Section, parse_message, parse_shell
from flowrules.model.pattern import Pattern, Wildcard
from flowrules.model.values import Flagged, Flags, NamedList, Unknown


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("cat {input}", "cat 'a b.xyz' ./-r m1 'm;2'"),
        ("cat {input.xyz} > {output}", "cat 'a b.xyz' > t.csv"),
        ("cat {input.many} {input.many[1]} {input[0]} {input[-1]}", "cat m1 'm;2' 'm;2' 'a b.xyz' 'm;2'"),
        ("cat {input[1:3]} {input[:1]} {input.many[1:]}", "cat ./-r m1 'a b.xyz' 'm;2'"),
        ("cat {input.none} end", "cat  end"),
        ('cat "{input.many}" end', "cat m1 'm;2' end"),
        ('cat "{input.none}" end', "cat  end"),
        ('cat "{input.xyz}"', 'cat "a b.xyz"'),
        ('cat "in {input.many}"', 'cat "in m1 m;2"'),
        ("echo {mol} {wildcards.mol} {wildcards.n} {threads} {attempt} {rule}", "echo H2O H2O 3 8 1 relax"),
        ("{mpirun} prog {log}", "mpiexec -n 4 prog l.log"),
        ("prog {params.flags} {params.list} {params.nothing} {params[0]}", "prog -a -b 'u v' 3 true  first"),
        ("prog {params.flags:q}", "prog '-a -b'"),
        ('prog "{params.title}" \'{params.title}\' "{params.nothing}"', 'prog "T" \'T\' ""'),
        ("prog {params}", "prog first -a -b 'u v' 3 true T"),
        ("prog {input.xyz:raw} {mol:q}", "prog a b.xyz H2O"),
        ("ulimit -v {resources.mem:KiB}; {resources.mem} {resources.gpus}", "ulimit -v 15625000; 16GB 0.5"),
        ("sbatch -t {resources.walltime:min} {resources.walltime}", "sbatch -t 90 1h30min"),
        ("ls {OUT}/x {N} {MOLS} {MOLS[1]} {NONE}", "ls 'out dir'/x 4 a 'b c' 'b c' "),
        ("ls {config.a.b} {config.a[odd-key]} {config[s]} {config.on} {config.none}", "ls 1 'x y' v 'it'\\''s' true "),
        ("ls {config.mem} {config.mem:MiB}", "ls 2GiB 2048"),
        ("python {HERE}/x.py", "python 'work flow'/x.py"),
        ("echo {{mol}} {{input.xyz}} {{threads}}", "echo {mol} {input.xyz} {threads}"),
        ("for i in {1..{threads}}; do :; done", "for i in {1..8}; do :; done"),
        ("cp {input.xyz} x{,.{mol}}", "cp 'a b.xyz' x{,.H2O}"),
        ("echo a # {input} {nothing} {input.nope}", "echo a #  {nothing} {input.nope}"),
        ("echo $(({n} + 1)) $((10#{n}))", "echo $((3 + 1)) $((10#3))"),
        ("X={input.many} Y={mol}", "X='m1 m;2' Y=H2O"),
        ('X={input.none}; [ -n {input.none} ] && [ -n "{input.none}" ]', "X=''; [ -n '' ] && [ -n \"\" ]"),
        ("{mol}", "H2O"),
        ("no braces at all", "no braces at all"),
        ("", ""),
    ],
)
def test_what_is_inserted(text: str, command: str) -> None:
    assert render(text) == command


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cat {inptu}", ["5: F301 there is no `inptu` here [did you mean `{input}`?]"]),
        ("cat {ouput.table}", ["5: F301 there is no `ouput` here [did you mean `{output.table}`?]"]),
        ("cat x{thread}", ["6: F301 there is no `thread` here [did you mean `{threads}`?]"]),
        ("cat {wildcard.mol:q}", ["5: F301 there is no `wildcard` here [did you mean `{wildcards.mol:q}`?]"]),
        ("cat {Mol} {out}", [
            "5: F301 there is no `Mol` here [did you mean `{mol}`?]",
            "11: F301 there is no `out` here [did you mean `{OUT}`?]",
        ]),
        ("cat {input.xzy}", ["5: F302 this rule has no input `xzy` [did you mean `xyz`?]"]),
        ("cat {input.qqq}", ["5: F302 this rule has no input `qqq` [it has `xyz`, `ref`, `many`, `none`]"]),
        ("cat {params.flag}", ["5: F302 this rule has no param `flag` [did you mean `flags`?]"]),
        ("cat {wildcards.mo}", ["5: F302 this rule has no wildcard `mo` [did you mean `mol`?]"]),
        ("cat {log.x}", ["5: F302 this rule has no log `x`"]),
        ("cat {benchmark.x}", ["5: F302 this rule has no `benchmark` [give it one: `benchmark: …`]"]),
        ("cat {benchmark}", [
            "5: W304 this rule has no `benchmark`: `{benchmark}` inserts nothing [give it one: `benchmark: …`]"
        ]),
        ("cat {config} {wildcards}", [
            "5: F302 `{config}` names no value [write `{config.name}`]",
            "14: F302 `{wildcards}` names no value [write `{wildcards.name}`]",
        ]),
        ("cat {config.rfe}", ["5: F302 `{config.rfe}` asks for `rfe`, which `config` does not have [did you mean `ref`?]"]),
        ("cat {config.s.x}", ["5: F302 `{config.s.x}` asks for `x`, but `s` is text"]),
        ("cat {config.a.b[7]}", ["5: F302 `{config.a.b[7]}` asks for entry [7], but `b` has 2 entries"]),
        ("cat {config.a}", ["5: F307 `{config.a}` is a dict, which has no text [name one of its entries]"]),
        ("cat {mol.x}", ["5: F307 `{mol.x}` steps into the text of a wildcard [write `{mol}`]"]),
        ("bwa {ref} {flags} {mem} {table}", [
            "5: F303 `ref` is an input of this rule [write `{input.ref}`]",
            "11: F303 `flags` is a param of this rule [write `{params.flags}`]",
            "19: F303 `mem` is a resource of this rule [write `{resources.mem}`]",
            "25: F303 `table` is an output of this rule [write `{output.table}`]",
        ]),
        ("cat {sample}", [
            "5: F304 `sample` is a wildcard of rule `align`, not of this one"
            " [give this rule an output with that wildcard, or take the braces away]"
        ]),
        ("cat {input!r}", [
            "5: F305 `!r` is no format of a placeholder"
            " [write `{input}`, `{input:q}`, `{input:raw}`, or a unit of a quantity such as `:MiB`]"
        ]),
        ("cat {n:>9}", [
            "5: F305 `:>9` is no format of a placeholder [write `{n}`, `{n:q}`, `{n:raw}`, or a unit of a quantity such as `:MiB`]"
        ]),
        ("cat {resources.mem:Mib}", ["5: F305 `:Mib` is no format of a placeholder [did you mean `:MiB`?]"]),
        ("cat {config.s:MiB}", [
            "5: F305 `{config.s:MiB}` cannot be written so: `it's` is no quantity such as `16GB`, `20min` or `00:20:00`"
        ]),
        ("cat {N:MiB}", ["5: F305 `{N:MiB}` is the number 4, no quantity that could be written in `MiB`"]),
        ("cat {rules.align.output}", [
            "5: F301 `rules` cannot be named in shell text"
            " [name the file in `input` or `params` and write `{input.name}` or `{params.name}`]"
        ]),
        ('cat {",".join(input)} {input.xyz.replace("a", "b")}', [
            '23: W305 `{input.xyz.replace("a", "b")}` is left as it is: a placeholder holds a name, no call'
            " [compute the value in `params` and write `{params.name}`]"
        ]),
        ("cat {foo} {FOO}", [
            "5: W301 `{foo}` is no placeholder and is left as it is",
            "11: W301 `{FOO}` is no placeholder and is left as it is",
        ]),
        ("awk '{{print $1}}' x", ["6: W302 braces need no doubling here [write `{print $1}`]"]),
        ("awk '{{s += $2}} END {{print s}}' x", [
            "6: W302 braces need no doubling here [write `{s += $2}`]",
            "22: W302 braces need no doubling here [write `{print s}`]",
        ]),
        ("ls ${{HOME}}", ["5: W302 braces need no doubling here: the shell cannot read `${{…}}` [write `${HOME}`]"]),
        ("echo it's {mol}", ["8: W303 `'` is never closed: what follows may not be quoted as you expect"]),
        ("cat <<EOF\n{mol}\n", [
            "1: W303 the here-document that `EOF` ends is never closed: what follows may not be quoted as you expect"
        ]),
        ("ls `ls {mol}`", [
            "8: F306 `{mol}` stands in backticks, where its quoting cannot be told"
            " [write `$(…)` instead of backticks, there it is quoted; or `{mol:q}` for one quoted word, or `{mol:raw}`"
            " to insert it as it is]"
        ]),
        ("ls $'{mol}'", [
            "6: F306 `{mol}` stands in `$'…'`, where its quoting cannot be told"
            " [write `{mol:q}` for one quoted word, or `{mol:raw}` to insert it as it is]"
        ]),
        ("eval \"ls {mol}\"", [
            "10: F306 `{mol}` stands in what `eval` runs, where its quoting cannot be told"
            " [write `{mol:q}` for one quoted word, or `{mol:raw}` to insert it as it is]"
        ]),
        ("trap 'rm {output}' EXIT", [
            "10: F306 `{output}` stands in what `trap` runs, where its quoting cannot be told"
            " [write `{output:q}` for one quoted word, or `{output:raw}` to insert it as it is]"
        ]),
        ("ls \\{mol}", [
            "5: F306 `{mol}` stands after a backslash, where its quoting cannot be told [write `{mol:raw}` to insert it as it is]"
        ]),
        ("ls \"${x/{mol}/y}\"", [
            "9: F306 `{mol}` stands in this kind of `${…}`, where its quoting cannot be told"
            " [write `{mol:raw}` to insert it as it is]"
        ]),
        ("cat <<{mol}\nx\n", [
            "7: F306 `{mol}` stands in the end mark of a here-document, where its quoting cannot be told"
            " [write `{mol:raw}` to insert it as it is]",
            "1: W303 `{mol}` is never closed: what follows may not be quoted as you expect",
        ]),
        ("cat <<EOF\n$x{mol}\nEOF\n", [
            "3: F306 `{mol}` stands right after a variable, where its quoting cannot be told"
            " [put the name of the variable into braces: `${name}`]"
        ]),
        ("sort > {MOLS}", [
            "8: F307 `{MOLS}` is 2 values here, and a redirection needs one [name one of them, as in `{output[0]}`]"
        ]),
        ("echo $((1 + {OUT}))", [
            "13: F307 `{OUT}` is no number: `out dir`; the shell computes there and may run what it reads"
            " [put it into a shell variable first, or write `:raw`]"
        ]),
    ],
)  # fmt: skip
def test_what_is_noticed_at_load(text: str, told: list[str]) -> None:
    assert faults(text) == told


@pytest.mark.parametrize(
    "text", ["`ls {mol:q}`", "eval ls {input:q}", "ls $'{mol:raw}'", "eval nice -n {threads}", "ls \\{mol:raw}"]
)
def test_what_is_refused_may_be_asked_for(text: str) -> None:
    assert faults(text) == []


def test_deep_nesting_is_told() -> None:
    assert faults("echo " + "$(" * 500 + "{mol}" + ")" * 500) == ["126: F310 the command nests too deeply to be read"]
    assert faults('echo "' + "${x:-" * 100 + "{mol}")[0].endswith("F310 the command nests too deeply to be read")


# ── when a job starts ────────────────────────────────────────────────────────────────────────────────────────────


def refused(text: str, **more: object) -> str:
    template, diagnostics = parse_shell(FlowText(text), NAMES)
    assert diagnostics == []
    with pytest.raises(FlowfileError) as info:
        template.render(values(**more))
    [diagnostic] = info.value.diagnostics
    return f"{diagnostic.code} {diagnostic.message}" + (f" [{diagnostic.hint}]" if diagnostic.hint else "")


def test_a_redirection_takes_one_file() -> None:
    hint = " [name one of them, as in `{output[0]}`]"
    assert refused("sort > {input.many}") == "F307 `{input.many}` is 2 values here, and a redirection needs one" + hint
    assert refused("sort 2>{input.none}") == "F307 `{input.none}` is empty here, and a redirection needs one" + hint


def test_a_value_that_ends_its_here_document_is_refused() -> None:
    text = "cat <<EOF > x\n{mol}\nEOF\n"
    for mol in ("EOF", "a\nEOF\nrm -rf x"):
        assert refused(text, wildcards={"mol": mol}) == (
            "F307 a value holds the line `EOF`, which would end the here-document it stands in [choose another end mark]"
        )
    assert render(text, wildcards={"mol": "EOFX"}) == "cat <<EOF > x\nEOFX\nEOF\n"
    assert render("cat <<EOF\n-{mol}\nEOF\n", wildcards={"mol": "EOF"}) == "cat <<EOF\n-EOF\nEOF\n"
    assert refused("cat <<-EOF\n\t{mol}\n\tEOF\n", wildcards={"mol": "EOF"}).startswith("F307 a value holds")
    assert refused("x=$(cat <<EOF\n{mol}\nEOF\n)", wildcards={"mol": "EOF)"}).startswith("F307 a value holds")


def test_a_constant_that_ends_its_here_document_is_told_at_load() -> None:
    names = replace(NAMES, config={"x": "EOF"})
    assert faults("cat <<EOF\n{config.x}\nEOF\n", names) == [
        "1: F307 a value holds the line `EOF`, which would end the here-document it stands in [choose another end mark]"
    ]


def test_no_value_holds_a_nul() -> None:
    told = "F307 `{mol}` holds a NUL character, which no command can [remove it from the value]"
    assert refused("ls {mol}", wildcards={"mol": "a\0b"}) == told
    assert refused("ls '{mol}' {mol:raw}", wildcards={"mol": "a\0b"}) == told
    assert faults("ls {config.x}", replace(NAMES, config={"x": "\0"})) == [
        "4: F307 `{config.x}` holds a NUL character, which no command can [remove it from the value]"
    ]


def test_no_text_holds_a_nul() -> None:
    for text in ("ls \0", "ls {mol}\0"):
        assert [told.split(": ")[1] for told in faults(text)] == [
            "F307 the text holds a NUL character, which no command can"
        ]


def test_arithmetic_takes_numbers_only() -> None:
    assert "is no number: `a[$(id)]`" in refused("echo $(({mol}))", wildcards={"mol": "a[$(id)]"})
    assert "is no number" in refused("[[ {mol} -eq 3 ]]", wildcards={"mol": "a[$(id)]"})
    assert "is no number" in refused('[[ 3 -lt "{mol}" ]]', wildcards={"mol": "x"})
    assert "is no number" in refused("let x={mol}+1", wildcards={"mol": "x"})
    assert "is no number" in refused(
        "echo ${v:{mol}:2} {arr[{mol}]}".replace("{arr[", "${arr["), wildcards={"mol": "x"}
    )
    assert render("echo $((2-{mol})) ${v: {mol}}", wildcards={"mol": "-3"}) == "echo $((2-(-3))) ${v: (-3)}"
    assert render("[[ {mol} -eq -3 ]]", wildcards={"mol": "-3"}) == "[[ -3 -eq -3 ]]"


def test_a_value_that_is_not_there() -> None:
    names = replace(NAMES, sections={**NAMES.sections, "input": Section(open=True), "params": Section(open=True)})
    for text, told in [
        ("ls {input.zzz}", "F302 `{input.zzz}` asks for `zzz`, which `input` does not have"),
        ("ls {input[9]}", "F302 `{input[9]}` asks for entry [9], but `input` has 4 entries"),
        ("ls {params.tiger}", "F302 `{params.tiger}` asks for `tiger`, which `params` does not have"),
        ("ls {params.title.x}", "F302 `{params.title.x}` asks for `x`, but `title` is text"),
        ("ls {resources.disk}", "F302 `{resources.disk}` asks for `disk`, which `resources` does not have"),
    ]:
        template, diagnostics = parse_shell(FlowText(text), names)
        assert diagnostics == []
        with pytest.raises(FlowfileError) as info:
            template.render(values())
        [diagnostic] = info.value.diagnostics
        assert f"{diagnostic.code} {diagnostic.message}" == told
        assert diagnostic.span is not None
        assert diagnostic.span.text() == text[3:]


# ── params as written ────────────────────────────────────────────────────────────────────────────────────────────


def taint(text: str, param: str, mol: str) -> str | None:
    try:
        return render(text, params=Params([], {"flags": param}), wildcards={"mol": mol})
    except FlowfileError as error:
        return error.diagnostics[0].code + " " + error.message


def test_a_param_that_holds_a_dangerous_wildcard_is_not_inserted_as_written() -> None:
    told = "F308 `{params.flags}` is inserted as written and holds `a b`, in which the shell reads more than text"
    assert taint("x {params.flags}", "--name=a b -v", "a b") == told
    assert taint("x {params.flags}", "--name=ab -v", "ab") == "x --name=ab -v"
    assert taint("x {params.flags}", "-a 'x y'", "ab") == "x -a 'x y'"
    assert taint("x {params.flags:q}", "a b", "a b") == "x 'a b'"
    assert taint("x {params.flags:raw}", "a b", "a b") == "x a b"
    assert taint('x "{params.flags}"', "The a b", "a b") == 'x "The a b"'
    assert taint('x "{params.flags}"', "The $a", "$a") is not None
    assert str(taint('x "{params.flags}"', "The $a", "$a")).startswith("F308")
    assert str(taint("x '{params.flags}'", "it's", "it's")).startswith("F308")
    assert taint("cat <<'E'\n{params.flags}\nE\n", "$(a)", "$(a)") == "cat <<'E'\n$(a)\nE\n"
    assert str(taint("cat <<E\n{params.flags}\nE\n", "$(a)", "$(a)")).startswith("F308")


def test_a_param_that_holds_a_dangerous_path_or_what_is_made_of_one() -> None:
    for param in ("--in a b.xyz", "-p a b", "x/a b/"):
        assert str(taint("x {params.flags}", param, "m")).startswith("F308")
    assert taint("x {params.flags}", "-p m1", "m") == "x -p m1"


def test_a_param_that_is_a_file_is_quoted() -> None:
    params = Params([], {"flags": File("a b"), "list": NamedList(("-x", "c d"))})
    assert render("x {params.flags} {params.list}", params=params) == "x 'a b' -x 'c d'"


def test_params_may_be_a_plain_mapping() -> None:
    assert render("x {params.flags}", params={"flags": "-a  -b"}) == "x -a  -b"


def test_params_as_a_document() -> None:
    params = Params([1, None], {"a": ["x", {"b": File("f")}], "b": 2.5})
    assert params.document() == {"items": [1, None, ["x", {"b": "f"}], 2.5], "names": {"a": [2, 3], "b": [3, 4]}}
    assert (params["a"], params[0], len(params), params.names) == (["x", {"b": File("f")}], 1, 4, ("a", "b"))
    assert repr(params) == "Params((1, None, ['x', {'b': 'f'}], 2.5), {'a': 2, 'b': 3})"


# ── constants ────────────────────────────────────────────────────────────────────────────────────────────────────


def code(text: str, names: object = NAMES) -> str:
    return parse_shell(FlowText(text), names)[0].code  # type: ignore[arg-type]


def test_the_command_as_written_has_constants_filled_in() -> None:
    assert code("x {OUT} '{config.s}' {input} {HERE}/y {{mol}}") == "x 'out dir' 'it'\\''s' {input} {HERE}/y {{mol}}"
    assert code("\n    a {mol}\n      b\n\n    c\n") == "a {mol}\n  b\n\nc"
    assert code("\n\tno holes\n\t\tat all\n") == "no holes\n\tat all"


def test_a_constant_with_wildcards_is_filled_for_each_job() -> None:
    bam = Pattern(("bam/", Wildcard("mol"), ".bam"))
    names = replace(NAMES, lets=frozenset({"BAM"}), let_value=lambda name: [bam, Flagged(bam, Flags(temp=True))])
    template, diagnostics = parse_shell(FlowText("x {BAM} {BAM[0]}"), names)
    assert diagnostics == []
    assert template.code == "x 'bam/{mol}.bam' 'bam/{mol}.bam' 'bam/{mol}.bam'"
    assert template.render(values(wildcards={"mol": "a b"})) == "x 'bam/a b.bam' 'bam/a b.bam' 'bam/a b.bam'"
    assert faults("x {BAM}", replace(names, wildcards=("n",))) == [
        "3: F307 `{BAM}` holds the wildcard `mol`, which this rule does not have"
    ]


def test_a_constant_that_waits_for_a_checkpoint_is_read_when_the_job_starts() -> None:
    known: list[object] = [Unknown(frozenset({"c.txt"}))]
    names = replace(NAMES, lets=frozenset({"C"}), let_value=lambda name: known[-1])
    template, diagnostics = parse_shell(FlowText("x {C} {C[0]}"), names)
    assert (diagnostics, template.code) == ([], "x {C} {C[0]}")
    with pytest.raises(FlowfileError, match=r"`\{C\}` is not known before a checkpoint has run"):
        template.render(values())
    known.append(["a b", "c"])
    assert template.render(values()) == "x 'a b' c 'a b'"
    assert template.render(values(C=["d"])) == "x d d"


def test_a_mistake_in_a_constant_is_told_once() -> None:
    def broken(name: str) -> object:
        raise FlowfileError(faults_of_let)

    _, faults_of_let = parse_shell(FlowText("{inptu}"), NAMES)
    _, diagnostics = parse_shell(FlowText("x {A} {A}"), replace(NAMES, lets=frozenset({"A"}), let_value=broken))
    assert diagnostics == faults_of_let


def test_hooks_know_no_job() -> None:
    hook = replace(NAMES, job=False)
    assert render("echo {OUT} {config.s} {HERE}", hook) == "echo 'out dir' 'it'\\''s' 'work flow'"
    assert faults("echo {input.x}", hook) == [
        "6: F309 there is no job here, hence no `input` [name constants and `config` only]"
    ]


# ── messages, joined texts, spans ────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_not_quoted() -> None:
    template, diagnostics = parse_message(
        FlowText("Don't relax {mol} with {threads}: {input} # {OUT} {params.flags}"), NAMES
    )
    assert diagnostics == []
    assert template.render(values(wildcards={"mol": "a 'b"})) == (
        "Don't relax a 'b with 8: a b.xyz ./-r m1 m;2 # out dir -a -b"
    )
    assert faults("{inptu}", message=True) == ["1: F301 there is no `inptu` here [did you mean `{input}`?]"]


def test_adjacent_strings_are_one_text() -> None:
    source = "cat {inp" + "ut} {inptu}"
    whole = FlowText(source)

    class Part:
        def __init__(self, start: int, end: int) -> None:
            self.start, self.value = start, source[start:end]

        def span(self, start: int, end: int) -> object:
            return whole.span(self.start + start, self.start + end)

    joined = JoinedText([Part(0, 8), Part(8, 12), Part(12, len(source))])  # type: ignore[list-item]
    template, [diagnostic] = parse_shell(joined, NAMES)
    assert joined.value == source
    assert diagnostic.span is not None
    assert diagnostic.span.text() == "{inptu}"
    assert joined.span(4, 11).text() == "{input}"
    assert template.span.text() == source


def test_render_is_cheap() -> None:
    """Values that need no quoting are looked at once, all together."""
    many = NamedList([f"data/{i}.txt" for i in range(100_000)], {"all": (0, 100_000)})
    template, _ = parse_shell(FlowText("cat {input} > {output}"), NAMES)
    assert len(template.render(values(input=many))) > 1_000_000
