"""Which rule makes a file: matching, ambiguity, what can be had, circles, missing inputs."""

from planning import Desk


def test_wildcards_chain() -> None:
    d = Desk(
        """
        rule all:
            input: expand("{s}.c", s=["x", "y"])
        rule b:
            input: "{s}.a"
            output: "{s}.b"
            shell: "cp {input} {output}"
        rule c:
            input: "{s}.b"
            output: "{s}.c"
            shell: "cp {input} {output}"
        """,
        "x.a y.a",
    )
    assert d.todo() == ["b s=x", "c s=x", "b s=y", "c s=y"]


def test_a_rule_without_wildcards_goes_first() -> None:
    d = Desk(
        """
        rule any:
            output: "{x}.txt"
            shell: "echo > {output}"
        rule one:
            output: "one.txt"
            shell: "echo > {output}"
        """
    )
    assert d.todo("one.txt", "two.txt") == ["one", "any x=two"]


def test_it_owns_its_files_even_if_its_inputs_are_missing() -> None:
    text = """
    rule any:
        output: "{x}.txt"
        shell: "echo > {output}"
    rule one:
        input: "gone"
        output: "one.txt"
        shell: "echo > {output}"
    """
    assert Desk(text).errors("one.txt") == ["F501 missing input `gone` of rule `one`"]
    assert Desk(text, "one.txt").todo("one.txt") == []


def test_candidates_whose_inputs_cannot_be_had_are_set_aside() -> None:
    text = """
    rule from_csv:
        input: "{x}.csv"
        output: "{x}.txt"
        shell: "cp {input} {output}"
    rule from_json:
        input: "{x}.json"
        output: "{x}.txt"
        shell: "cp {input} {output}"
    """
    assert Desk(text, "a.json").todo("a.txt") == ["from_json x=a"]
    assert Desk(text, "a.csv").todo("a.txt") == ["from_csv x=a"]
    assert Desk(text, "a.csv a.json").errors("a.txt") == ["F502 rules `from_csv` and `from_json` can both make `a.txt`"]
    order = "    ruleorder from_json > from_csv"
    assert Desk(order + text, "a.csv a.json").todo("a.txt") == ["from_json x=a"]


def test_a_file_that_exists_and_that_nobody_can_make_is_a_source() -> None:
    d = Desk('rule any:\n    input: "{x}.in"\n    output: "{x}.out"\n    shell: "cp {input} {output}"\n', "a.out")
    assert d.todo("a.out") == []


def test_a_circle_with_a_way_out() -> None:
    d = Desk(
        """
        rule unzip:
            input: "{x}.gz"
            output: "{x}"
            shell: "gunzip -k {input}"
        rule zip:
            input: "{x}"
            output: "{x}.gz"
            shell: "gzip -k {input}"
        """,
        "a.txt",
    )
    assert d.todo("a.txt.gz") == ["zip x=a.txt"]
    d.run("a.txt.gz")
    assert d.todo("a.txt.gz") == []
    d.files.remove("a.txt")
    assert d.todo("a.txt") == ["unzip x=a.txt"]


def test_longer_and_longer_paths_are_given_up() -> None:
    d = Desk('rule unzip:\n    input: "{x}.gz"\n    output: "{x}"\n    shell: "gunzip {input}"\n', "b.gz")
    assert d.todo("b") == ["unzip x=b"]
    (error,) = d.errors("a")
    assert error.startswith("F505") or error.startswith("F501"), error


def test_a_circle() -> None:
    d = Desk(
        """
        rule a:
            input: "b"
            output: "a"
            shell: "cp {input} {output}"
        rule b:
            input: "a"
            output: "b"
            shell: "cp {input} {output}"
        """
    )
    (error,) = d.errors("a")
    assert error.startswith("F503 a circle of rules")
    d.files.write("a")
    (error,) = d.errors("a")
    assert error.startswith("F503 a circle of rules")


def test_a_rule_that_needs_what_it_makes() -> None:
    d = Desk(
        """
        rule up:
            input: f"{wildcards.x}.txt"
            output: "{x}.txt"
            shell: "cp {input} {output}"
        """
    )
    told = "F504 rule `up` needs `a.txt`, which it makes itself"
    assert d.errors("a.txt") == [told]
    d.files.write("a.txt")
    assert d.errors("a.txt") == [told]


def test_missing_input_names_rule_file_and_neighbour() -> None:
    d = Desk(
        """
        rule all:
            input: "out/x.txt"
        rule make:
            input: "data/sampel.csv"
            output: "out/{s}.txt"
            shell: "cp {input} {output}"
        """,
        "data/sample.csv",
    )
    assert d.errors() == ["F501 missing input `data/sampel.csv` of rule `make`"]


def test_all_missing_inputs_are_told() -> None:
    d = Desk(
        """
        rule all:
            input: "a", "b"
        """
    )
    assert d.errors() == ["F501 missing input `a` of rule `all`", "F501 missing input `b` of rule `all`"]


def test_targets() -> None:
    d = Desk('rule make:\n    output: "{s}.txt"\n    shell: "echo > {output}"\n', "some.csv")
    assert d.errors() == [
        "F704 rule `make` has wildcards ({s}), so it is no target by itself; it is the first rule, and so the default"
    ]
    assert d.todo("a.txt") == ["make s=a"]
    assert d.todo("./a.txt") == ["make s=a"]
    assert d.errors("nope") == ["F701 no rule makes `nope`, there is no such file, and no rule has that name"]
    assert d.todo("some.csv") == []


def test_a_name_of_a_rule_and_a_file_is_the_rule() -> None:
    text = """
    rule x:
        output: "y"
        shell: "echo > {output}"
    rule other:
        output: "x"
        shell: "echo > {output}"
    """
    assert Desk(text).todo("x") == ["x"]
    assert Desk(text).todo("./x") == ["other"]


def test_ten_thousand_levels() -> None:
    d = Desk(
        """
        rule step:
            input: f"s/{int(wildcards.n) - 1}" if int(wildcards.n) > 0 else []
            output: "s/{n,[0-9]+}"
            shell: "echo > {output}"
        """
    )
    assert len(d.todo("s/10000")) == 10001


def test_fan_in_with_multiple_outputs() -> None:
    d = Desk(
        """
        rule all:
            input: expand("{s}.{e}", s=["x", "y"], e=["p", "q"])
        rule two:
            output: "{s}.p", "{s}.q"
            shell: "touch {output}"
        """
    )
    assert d.todo() == ["two s=x", "two s=y"]


def test_fixed_point_of_reads_of_checkpoints() -> None:
    d = Desk(
        """
        rule all:
            input: [f"part/{n}.done" for n in lines("list.txt")]
        checkpoint split:
            input: "in"
            output: "list.txt"
            shell: "cp {input} {output}"
        rule work:
            output: "part/{n}.done"
            shell: "echo > {output}"
        """,
        "in",
    )
    planned = d.plan()
    assert [j.label for j in planned.plan.to_run()] == ["split"]
    assert [planned.plan.jobs[i].label for i in planned.plan.unknown] == ["all"]
    assert d.run(contents={"list.txt": "1\n2\n"}) == ["split", "work n=1", "work n=2"]
    assert d.todo() == []


def test_ten_checkpoints_at_once() -> None:
    d = Desk(
        """
        rule all:
            input: [f"{i}-{n}.done" for i in range(10) for n in lines(f"list{i}.txt")]
        checkpoint split:
            output: "list{i}.txt"
            shell: "echo > {output}"
        rule work:
            output: "{x}.done"
            shell: "echo > {output}"
        """
    )
    assert d.todo() == [f"split i={i}" for i in range(10)]


def test_reading_what_an_ordinary_rule_makes_is_an_error() -> None:
    d = Desk(
        """
        rule all:
            input: lines("list.txt")
        rule split:
            output: "list.txt"
            shell: "echo > {output}"
        """
    )
    assert d.errors() == ["F506 `list.txt` is read while planning, but rule `split` has yet to make it"]


def test_glob_waits_for_the_folder_of_a_checkpoint() -> None:
    d = Desk(
        """
        rule all:
            input: expand("out/{n}", n=glob("parts/{n}.txt").n)
        checkpoint split:
            output: directory("parts")
            shell: "mkdir {output}"
        rule work:
            input: "parts/{n}.txt"
            output: "out/{n}"
            shell: "cp {input} {output}"
        """
    )
    assert d.todo() == ["split"]
