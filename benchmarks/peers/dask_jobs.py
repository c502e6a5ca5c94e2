"""Dask: the jobs of names.txt, two at once, each a shell command in one of two worker processes."""

import subprocess
import time

from distributed import Client, LocalCluster


def echo(name):
    return subprocess.run(f"echo {name} > out/{name}", shell=True, check=True).returncode


if __name__ == "__main__":
    with open("names.txt") as file:
        names = file.read().split()
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(echo, names[0]).result()
        begun = time.perf_counter()
        client.gather(client.map(echo, names[1:]))
        print(f"once started: {(len(names) - 1) / (time.perf_counter() - begun):.1f}", flush=True)
