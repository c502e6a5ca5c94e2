"""How agents are started, as texts."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrules.execute.launchers import (
    agent_command,
    bootstrap,
    flavour_of,
    numbers,
    quoted,
    ranges,
    task_words,
)

WORDS = ["", " ", "a'b", '"$x`y`\\', "new\nline\ttab\r", "é€", b"\xff\xfe\x80'\\", "!!", "*?[~", "-n", "x" * 3000]


def through_bash(text: str) -> list[bytes]:
    """The words that bash makes of a text."""
    script = 'eval "set -- $(</dev/stdin)"; printf \'%s\\0\' "$@"'
    done = subprocess.run(["bash", "-c", script], input=text.encode(), capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def test_bash_reads_back_every_word() -> None:
    text = " ".join(map(quoted, WORDS))
    assert text.isascii() and "\n" not in text
    assert through_bash(text) == [w if isinstance(w, bytes) else w.encode() for w in WORDS]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary().filter(lambda data: b"\0" not in data), min_size=1, max_size=8))
def test_bash_reads_back_any_bytes(words: list[bytes]) -> None:
    assert through_bash(" ".join(map(quoted, words))) == words


def test_no_word_holds_a_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoted("a\0b")


def test_words_of_a_task_are_log_cpus_sweep_variables_and_command() -> None:
    words = through_bash(task_words(["echo", "a b"], {"X": "1 2"}, "logs/a b.log", [3, 0, 1], sweep=True))
    assert words == [b"logs/a b.log", b"0-1,3", b"sweep", b"1", b"X=1 2", b"echo", b"a b"]
    assert through_bash(task_words(["true"], {}, ""))[:2] == [b"/dev/null", b""]
    with pytest.raises(ValueError, match="no name of an environment variable"):
        task_words(["true"], {"a;b": "1"}, "")


def test_each_launcher_starts_the_same_shell() -> None:
    shell = ["bash", "--norc", "--noprofile", "-s"]
    assert agent_command("local", "n1") == shell
    for launcher in ("ssh", "parallel"):
        ssh = agent_command(launcher, "n1", options=["-F", "config"])
        assert ssh[0] == "ssh" and ssh[-6:] == [
            "ControlPath=none",
            "-F",
            "config",
            "--",
            "n1",
            "exec " + " ".join(shell),
        ]
        assert "BatchMode=yes" in ssh and "ServerAliveInterval=15" in ssh
    assert agent_command("mpiexec", "n1") == ["mpiexec", "-n", "1", "-hosts", "n1", *shell]
    pals = agent_command("mpiexec", "n1", flavour="pals")
    one = ["-n", "1", "--ppn", "1", "--hosts", "n1"]
    assert pals == ["mpiexec", *one, "--cpu-bind", "none", "--env", "TMPDIR=/tmp", *shell]
    step = ["--nodes=1", "--ntasks=1", "--nodelist=n1", "--input=0", "--overlap", "--mem=0", "--cpu-bind=none"]
    assert agent_command("srun", "n1") == ["srun", *step, *shell]
    assert agent_command("mpiexec", "n1", flavour="slurm") == ["srun", *step, *shell]


@pytest.mark.parametrize("host", ["", "-oProxyCommand=x", "a b", "a,b", "a;b", "a\nb"])
def test_a_host_is_never_an_option_or_a_command(host: str) -> None:
    with pytest.raises(ValueError, match="no name of a host"):
        agent_command("ssh", host)


def test_the_first_line_becomes_the_text_with_its_arguments_and_marks() -> None:
    text = 'printf "%s|" "$0" "$@" "$MARK"; read -r line; printf "%s" "$line"\n# it\'s a comment\n'
    line = bootstrap(text, ["a b", "c\nd"], {"MARK": "x y"}, files=64)
    assert line.count(b"\n") == 1
    done = subprocess.run(
        ["bash", "--norc", "-s"], input=line + b"the next line\nand more\n", capture_output=True, check=True
    )
    assert done.stdout == b"flowrules-agent|a b|c\nd|x y|the next line"


@pytest.mark.parametrize(
    ("said", "flavour"),
    [
        ("HYDRA build details:\n    Version: 4.0.2", "hydra"),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.5", "hydra"),
        ("mpiexec version 1.2.12 (PALS)\nPALS API 1.2", "pals"),
        ("slurm 23.11.4", "slurm"),
        ("mpiexec (OpenRTE) 4.1.4", None),
    ],
)
def test_flavours_are_told_apart_by_what_they_say(said, flavour) -> None:
    assert flavour_of(said) == flavour


def test_ranges() -> None:
    assert ranges([32, 0, 1, 2, 33, 7]) == "0-2,7,32-33"
    assert numbers("0-2,7,32-33") == (0, 1, 2, 7, 32, 33)
    assert ranges([]) == "" and numbers("") == ()
