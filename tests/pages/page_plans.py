"""Plans for pages, made by hand, and pages of them."""

from __future__ import annotations

from show_plans import MAY, MISSING, RUN, SKIP, Builder

from flowrules.model.packing import PackedBlock, Packing, Span, Unfit
from flowrules.model.plan import Cause, Reason
from flowrules.pages.columns import JOBS, Facts
from flowrules.pages.dag import Packed, render_dag_page
from flowrules.show.packing import ShownBlock


def samples(count=6):
    """`trim` is up to date, `align` will run, `merge` may run, `all` collects."""
    b = Builder()
    aligned = []
    for i in range(count):
        name = f"s{i}"
        trim = b.add("trim", (), [f"raw/{name}.fq"], [f"trim/{name}.fq"], SKIP, sample=name)
        aligned.append(b.add("align", (trim,), [f"trim/{name}.fq"], [f"bam/{name}.bam"], RUN, MISSING, sample=name))
    reason = (Reason(Cause.UPSTREAM, "bam/s0.bam"),)
    bams = [f"bam/s{i}.bam" for i in range(count)]
    merge = b.add("merge", tuple(aligned), bams, ["merged.bam"], MAY, reason)
    b.plan.target_jobs = (b.add(b.rule("all", action=None), (merge,), ["merged.bam"], [], MAY, reason),)
    b.plan.targets = ("merged.bam",)
    return b.plan


FACTS = Facts(
    command=lambda job: f"{job.rule.name} < {' '.join(job.inputs[:2])} \\\n    > {' '.join(job.outputs)}",
    needs=lambda job: {"threads": "4", "mem": "2GB"},
)


def packed(plan):
    """The jobs that will run on two GPUs of one node, one after another; the last two fit nowhere."""
    jobs = [job.id for job in plan.jobs if plan.decisions[job.id] is RUN]
    spans = tuple(
        Span(job, 60.0 * (i // 2), 60.0 * (i // 2 + 1), (0,), 0.5, (str(i % 2),), 8) for i, job in enumerate(jobs[:-2])
    )
    block = PackedBlock(0, 1, 600.0, spans[-1].end if spans else 0.0, 75.0, spans)
    packing = Packing((block,), 2.0, 1, {job: Unfit.NODE for job in jobs[-2:]})
    return Packed(packing, [ShownBlock(block, "debug", 1, 600.0)], "profile polaris (pbs; launcher mpiexec)")


def page(plan, *, packing=False, jobs=JOBS, facts=FACTS, title="samples"):
    """The page of a plan."""
    pack = packed(plan) if packing else None
    return render_dag_page(plan, facts, title=title, made="planned now", packed=pack, jobs=jobs)
