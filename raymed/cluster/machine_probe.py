"""What a node finds out about its machine; it runs there and travels by value, as `probe`."""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CARD_SECONDS = 30
_CONNECT_SECONDS = 3
_CARDS = """
import json, torch
cards = []
for number in range(torch.cuda.device_count()):
    free, total = torch.cuda.mem_get_info(number)
    cards.append({"name": torch.cuda.get_device_name(number), "free": free, "total": total})
print(json.dumps(cards))
"""


def machine(folders: Mapping[str, str]) -> dict[str, Any]:
    """Tell memory, disks, cards, ports and the token's file of this machine."""
    import socket

    import psutil
    from ray._common.utils import get_system_memory

    session = _session()
    total = int(get_system_memory())
    return {
        "host": socket.gethostname(),
        "memory": total,
        "memory_free": min(total, int(psutil.virtual_memory().available)),
        "shared_memory": disk("/dev/shm"),
        "disks": {
            **{name: disk(path) for name, path in folders.items()},
            "Ray's temporary folder": disk(str(session or tempfile.gettempdir())),
        },
        "cards": cards(),
        "token_mode": token_mode(),
        "ports": ports(session.name) if session else [],
    }


def _session() -> Path | None:
    """Name the folder of the Ray that this process belongs to."""
    from ray._private import worker

    if not worker.is_initialized():
        return None
    return Path(worker.global_worker.node.get_session_dir_path())


def disk(path: str) -> dict[str, Any] | None:
    """Tell the room on the disk of a path, or of the folder above it; None where it has no size."""
    import shutil

    there = next((each for each in (Path(path), *Path(path).parents) if each.exists()), None)
    usage = None if there is None else shutil.disk_usage(there)
    if usage is None or not usage.total:
        return None
    return {"path": path, "free": usage.free, "total": usage.total}


def cards() -> list[dict[str, Any]] | str:
    """List the GPUs that torch can use, or tell why it cannot say; a process of its own asks.

    This one sees none, as it asked Ray for none. Without a card torch is not loaded.
    """
    import json
    import subprocess
    import sys

    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return []
    hidden = ("CUDA_VISIBLE_DEVICES",)
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    ask = [sys.executable, "-c", _CARDS]
    try:
        said = subprocess.run(
            ask, env=environment, capture_output=True, timeout=_CARD_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        return f"torch did not answer in {_CARD_SECONDS} s"
    except subprocess.CalledProcessError as error:
        return str(error.stderr.decode(errors="replace").strip().splitlines()[-1])
    last = said.stdout.decode().strip().splitlines()[-1]
    return [dict(each) for each in json.loads(last)]


def token_mode() -> int | None:
    """Tell who may read the file of Ray's token; None where there is none."""
    path = os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"
    try:
        return stat.S_IMODE(Path(path).expanduser().stat().st_mode)
    except OSError:
        return None


def ports(session: str) -> list[dict[str, Any]]:
    """List what the Ray of a session listens on here, of processes that we may see."""
    import psutil

    found: list[dict[str, Any]] = []
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return []
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if not listens or connection.pid is None or not connection.laddr:
            continue
        name = role(connection.pid, session)
        if name is not None:
            ip, number = connection.laddr
            found.append({"ip": ip, "number": number, "process": name})
    return sorted(found, key=lambda each: int(each["number"]))


def role(pid: int, session: str) -> str | None:
    """Name a process by what it does in the Ray of a session; None where it is none of that."""
    import psutil

    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        if any(session in word for word in words):
            return next((Path(word).stem for word in words if "/ray/" in word), "workers")
        above = process.parent()
        if above is not None and any(session in word for word in above.cmdline()):
            return "workers"  # whose own name hides its session
    except psutil.Error:
        pass
    return None


def unreached(peers: list[tuple[str, int, str]]) -> list[str]:
    """Knock at other nodes' ports, all at once; gives those where nothing opens."""
    import socket
    from concurrent.futures import ThreadPoolExecutor

    def knock(peer: tuple[str, int, str]) -> str | None:
        ip, port, what = peer
        try:
            socket.create_connection((ip, port), _CONNECT_SECONDS).close()
        except OSError as error:
            return f"{ip}:{port}, the {what} ({error})"
        return None

    if not peers:
        return []
    with ThreadPoolExecutor(64) as threads:
        return [fault for fault in threads.map(knock, peers) if fault is not None]
