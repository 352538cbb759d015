"""What the processes of the tests do: decode, and tell it."""

import time
from multiprocessing.connection import Connection
from pathlib import Path

from raymed.data.decoded.building import decode_images
from raymed.data.intake.manifest import Manifest


def decode(manifest: Path, target: Path, hang: int, processes: int, caller: Connection) -> None:
    """Decode once the caller says a word; tell how many are done and whether it is elsewhere.

    It hangs behind the image `hang`; None is the end.
    """
    caller.recv()
    for at in decode_images(Manifest.read(manifest), 6, target, processes=processes):
        caller.send((at.done, at.elsewhere))
        time.sleep(60 if at.done == hang and not at.elsewhere else 0.05)
    caller.send(None)
