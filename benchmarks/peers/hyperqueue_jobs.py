"""HyperQueue: the jobs of names.txt, two at once, by its server and one worker inside this process."""

import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

with open("names.txt") as file:
    names = file.read().split()
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()
    begun = time.perf_counter()
    job = Job()
    for name in names:
        job.program(["sh", "-c", f"echo {name} > out/{name}"], stdout=None, stderr=None)
    client.wait_for_jobs([client.submit(job)])
    print(f"once started: {len(names) / (time.perf_counter() - begun):.1f}", flush=True)
