"""Job scripts: those of every packaged profile, read by a real bash, and what is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flowrules.app.profiles import all_profiles, open_profile
from flowrules.errors import UsageError
from flowrules.execute.jobscript import ScriptBlock, clock, render_script, require_options
from flowrules.model.profile import Profile, Queue
from flowrules.schedule.queues import choose

GOLDEN = Path(__file__).parent.parent / "golden" / "jobscripts"
NAMES = sorted(found.name for found in all_profiles({}) if found.name != "local")
COMMAND = "/opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'"
BLOCK = ScriptBlock("fr-1a2b-b001", 2, 1800, "", "/home/me/my run/.flowrules/blocks/b001", "/home/me/my run")


def profile(name: str, *sets: str) -> Profile:
    """A packaged profile, with an account where it wants one."""
    scheduler = open_profile(name, {}).scheduler
    return open_profile(name, {}, (f"{scheduler}.account=proj", *sets))


def refused(of: Profile, block: ScriptBlock = BLOCK, command: str = COMMAND) -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        render_script(of, block, command)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_script_of_a_profile(name, golden):
    of = profile(name)
    offer = choose(of, of.blocks.nodes, of.blocks.walltime)
    block = replace(BLOCK, nodes=offer.nodes, walltime=offer.walltime, queue=offer.queue.name)
    script = render_script(of, block, COMMAND)
    golden(GOLDEN / f"{name}.sh", script)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    head, _, body = script.partition("\n\n")
    mark = {"pbs": "#PBS -", "slurm": "#SBATCH --"}[of.scheduler]
    first, *lines = head.splitlines()
    assert first == "#!/bin/bash -l"
    assert all(line.startswith(mark) for line in lines), "nothing between them"
    assert mark not in body


@pytest.mark.parametrize("scheduler", ["pbs", "slurm"])
def test_everything_a_block_may_say(scheduler, golden):
    more = {
        "pbs": ("pbs.filesystems=home", 'pbs.directives=["-l mem=60gb", -m n]'),
        "slurm": (
            "slurm.qos=high",
            "slurm.constraint=gpu&nvme",
            "slurm.licenses=a:2",
            "slurm.gpus_per_node=4",
            "slurm.directives=[--mail-type=NONE]",
        ),
    }
    of = profile(scheduler, *more[scheduler], "queues={night: {nodes: 1-9, rerunnable: true}}")
    script = render_script(of, replace(BLOCK, queue="night", depend="afterany:12.host:13[]"), COMMAND)
    golden(GOLDEN / f"{scheduler}-everything.sh", script)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_slurm_queue_as_qos():
    of = profile("slurm", "slurm.queue_as=qos", "slurm.partition=gpu", "slurm.qos=other")
    script = render_script(of, replace(BLOCK, queue="debug"), COMMAND)
    assert "#SBATCH --qos=debug\n#SBATCH --partition=gpu\n" in script
    assert "other" not in script
    script = render_script(of, BLOCK, COMMAND)
    assert "#SBATCH --partition=gpu\n#SBATCH --qos=other\n" in script


def test_rerunnable_queue():
    of = profile("polaris")
    assert "#PBS -r y\n" in render_script(of, replace(BLOCK, queue="preemptable"), COMMAND)
    assert "#PBS -r n\n" in render_script(of, replace(BLOCK, queue="debug"), COMMAND)


@pytest.mark.parametrize("name", ["pbs", "slurm"])
def test_the_script_runs_where_it_should(name, tmp_path):
    """A real bash carries it out, in a folder whose name a shell would take apart."""
    directory = tmp_path / "it's $HOME; touch x"
    directory.mkdir()
    block = replace(BLOCK, directory=str(directory), folder=str(tmp_path))
    script = render_script(profile(name), block, "printf '%s\\n' \"$PWD\" \"$TMPDIR\" 'a b'")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["bash"], input=script, text=True, check=True, capture_output=True, env=env, cwd="/")
    assert done.stdout == f"{directory}\n/tmp\na b\n"
    assert list(directory.iterdir()) == []


def test_the_runner_takes_the_place_of_the_shell(tmp_path):
    """A signal to the batch job's first process reaches the runner."""
    block = replace(BLOCK, directory=str(tmp_path), folder=str(tmp_path))
    script = tmp_path / "job.sh"
    script.write_text(render_script(profile("pbs"), block, "sh -c 'echo $$'"))
    with subprocess.Popen(["bash", str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read().strip() == str(process.pid)


def test_walltime():
    assert [clock(s) for s in (0, 59.2, 3599.5, 86400, 604800)] == [
        "00:00:00",
        "00:01:00",
        "01:00:00",
        "24:00:00",
        "168:00:00",
    ]


def test_percent_in_a_path_of_slurm():
    script = render_script(profile("slurm"), replace(BLOCK, folder="/a/100%j"), COMMAND)
    assert "#SBATCH --output=/a/100%%j/batch-%j.out\n" in script


def test_missing_account():
    polaris = open_profile("polaris", {})
    message, hint = refused(polaris)
    assert message == "the profile `polaris` needs `pbs.account`: the site takes no job without"
    assert hint == "write `--set pbs.account=…`, or set FLOWRULES_SET_PBS__ACCOUNT once in your shell's start-up file"
    assert "#PBS -A" not in render_script(polaris, BLOCK, COMMAND, emulated=True)
    message, _ = refused(open_profile("polaris", {}, ("pbs.filesystems=null",)))
    assert "`pbs.account` and `pbs.filesystems`" in message
    require_options(Profile("local", "."))


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (replace(BLOCK, name="a b"), "the name `a b` of a block cannot stand in a job script"),
        (replace(BLOCK, name="1a"), "the name `1a` of a block cannot stand in a job script"),
        (replace(BLOCK, queue="a\n#PBS -q b"), "the queue `a\n#PBS -q b` of a block cannot stand in a job script"),
        (
            replace(BLOCK, depend="afterok:1 -q x"),
            "the dependency `afterok:1 -q x` of a block cannot stand in a job script",
        ),
        (
            replace(BLOCK, folder="/a\n/b"),
            "the folder of a block holds a newline, which cannot stand in a job script: `/a\n/b`",
        ),
        (replace(BLOCK, folder='/a"b'), 'the folder of a block holds `"`, which cannot stand in a job script: `/a"b`'),
        (replace(BLOCK, folder="/a:b"), "PBS would take a part of `/a:b` for the name of a host or another file"),
    ],
)
def test_values_that_break_a_line(block, said):
    assert refused(profile("pbs"), block)[0] == said


def test_options_and_commands_that_break_a_line():
    of = profile("pbs")
    assert refused(replace(of, options={**of.options, "place": "a\nb"}))[0].startswith("`pbs.place` holds a newline")
    assert refused(replace(of, options={**of.options, "directives": ("a'",)}))[0].startswith(
        "`pbs.directives` holds `'`"
    )
    assert refused(of, command="a\nb")[0] == "the command of a block has several lines"


@pytest.mark.parametrize("name", NAMES)
def test_no_block_is_a_job_array(name):
    """Batch jobs never share a node, so an array is no way to place jobs on GPUs; wide ones hang in routing queues."""
    of = profile(name)
    offer = choose(of, of.blocks.nodes, of.blocks.walltime)
    script = render_script(of, replace(BLOCK, nodes=offer.nodes, queue=offer.queue.name), COMMAND)
    words = [word for line in script.splitlines() if line.startswith("#") for word in line.split()]
    assert not [word for word in words if word.startswith(("-J", "-a", "--array"))]
    line = "-J 0-99%10" if of.scheduler == "pbs" else "--array=0-99%10"
    assert refused(replace(of, options={**of.options, "directives": ("-m n", line)})) == (
        f"`{of.scheduler}.directives` asks for a job array: `{line}`",
        "leave it out: a block is one batch job, and its jobs are put on slots by the program",
    )


def own(tmp_path: Path, template: str | bytes) -> Profile:
    """A profile of the user's with a template of his own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "profile.yaml").write_text("scheduler: pbs\nlauncher: ssh\nnode: {cpus: 4}\n")
    (folder / "job.sh.j2").write_bytes(template if isinstance(template, bytes) else template.encode())
    found = open_profile(str(folder), {})
    assert found.template == str(folder / "job.sh.j2")
    return found


HEAD = "#!/bin/sh\n#PBS -N {{ block.name }}\n"


def test_own_template(tmp_path):
    of = own(
        tmp_path,
        HEAD + "#PBS -l nodes={{ block.nodes }}:ppn={{ profile.node.cpus }}\necho {{ 'a b' | quote }}\n{{ command }}\n",
    )
    assert render_script(of, BLOCK, "run 'x y'") == (
        "#!/bin/sh\n#PBS -N fr-1a2b-b001\n#PBS -l nodes=2:ppn=4\necho 'a b'\nrun 'x y'\n"
    )


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (HEAD + "{{ command }", "has a mistake in line 3: unexpected '}'"),
        (HEAD + "{{ blok.name }}{{ command }}", "asks for something that is not there: 'blok' is undefined"),
        (HEAD + "{{ options.acount }}{{ command }}", "asks for something that is not there: 'dict object' has no attribute 'acount'"),
        (HEAD + "{{ ''.__class__.__mro__ }}{{ command }}", "access to attribute '__class__' of 'str' object is unsafe"),
        (HEAD + "{{ profile.options.update({}) }}{{ command }}", "cannot be filled in"),
        (HEAD + "{{ block.nodes / 0 }}{{ command }}", "cannot be filled in: division by zero"),
        (HEAD + "{% include 'x' %}{{ command }}", "cannot be filled in: no loader for this environment specified"),
        (HEAD, "does not start the runner, `{{ command }}`"),
        ("#!/bin/sh\n{{ command }}", "does not give the job its name, `{{ block.name }}`"),
        ("#PBS -N {{ block.name }}\n{{ command }}", "does not begin with `#!`, so its shell is not known"),
        (HEAD + "cd /\n#PBS -q x\n{{ command }}", "has a line `#PBS` after the first command, which is not read"),
        (b"\xff", "cannot be read: it is not UTF-8 text"),
    ],
)  # fmt: skip
def test_own_template_with_a_mistake(tmp_path, template, said):
    message, _ = refused(own(tmp_path, template))
    assert said in message
    assert "mine/job.sh.j2`" in message


def test_template_that_is_gone(tmp_path):
    of = own(tmp_path, HEAD)
    Path(of.template).unlink()
    assert refused(of)[0].endswith("cannot be read: no such file or directory")


def test_queue_is_rerunnable_only_where_the_profile_says_so():
    of = replace(profile("pbs"), queues=(Queue("a", rerunnable=True), Queue("b")))
    assert "#PBS -r y\n" in render_script(of, replace(BLOCK, queue="a"), COMMAND)
    assert "#PBS -r n\n" in render_script(of, replace(BLOCK, queue="b"), COMMAND)
