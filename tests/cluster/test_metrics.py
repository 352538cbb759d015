"""What processes on a joined Ray set for Prometheus comes out of Ray's own exporter."""

import socket
from tempfile import TemporaryDirectory

import pytest

from tests.own_ray import run_script

_ONE_NODE = '''
"""Start a Ray with its dashboard, report in one of its processes, and print what is exported."""
import sys, time, urllib.request
import ray

class Process:
    def report(self):
        from raymed.cluster.telling import Telling
        from raymed.training import Progress
        telling = Telling()
        for well in (True, True, False):
            telling.ended(well=well)
        telling.told(Progress(1, 2, images_per_second=123.0))

ray.init(address="local", num_cpus=1, include_dashboard=True, _metrics_export_port=int(sys.argv[1]),
         _temp_dir=sys.argv[2], log_to_driver=False, object_store_memory=80 * 1024**2)
process = ray.remote(Process).remote()
ray.get(process.report.remote(), timeout=240)
ends = time.monotonic() + 120
while time.monotonic() < ends:
    try:
        page = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=10)
        told = [line for line in page.read().decode().splitlines() if line.startswith("ray_raymed")]
    except OSError:
        told = []
    if len(told) == 3:
        break
    time.sleep(1)
print(*(line[: line.index("{")] + line[line.rindex("}") + 1 :] for line in sorted(told)), sep="\\n")
ray.shutdown()
'''


@pytest.mark.slow
def test_images_a_second_and_units_come_out_of_the_exporter() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = str(bound.getsockname()[1])
    with TemporaryDirectory(prefix="m-") as short:  # Ray's sockets lie in it
        ended = run_script(_ONE_NODE, port, short, timeout=420)

    assert ended.stdout.splitlines() == [
        "ray_raymed_images_per_second 123.0",
        "ray_raymed_units_done_total 2.0",
        "ray_raymed_units_failed_total 1.0",
    ], ended.stderr[-2000:]
