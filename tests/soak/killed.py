"""The command line, which is killed at its n-th moment: `python -m tests.soak.killed N DELAY COUNTED -- run …`.

A moment is a file that is flushed or renamed, or an event. `DELAY` milliseconds after it, 0 at once, the process gets
a signal that it cannot see. How many moments there were is written to the file `COUNTED` if it ends by itself.
"""

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from deepdance.events import Listeners
from deepdance_cli.main import main


def kill(delay: float) -> None:
    """Kill this process after so many milliseconds."""
    time.sleep(delay / 1000)
    os.kill(os.getpid(), signal.SIGKILL)


def watch(function: Callable[..., Any], moments: count, last: int, delay: float) -> Callable[..., Any]:
    """The function, each call of which is a moment before it and one after."""

    def pass_moment() -> None:
        if next(moments) == last:
            Thread(target=kill, args=[delay], daemon=True).start() if delay else kill(0)

    def watched(*arguments: Any, **named: Any) -> Any:
        pass_moment()
        result = function(*arguments, **named)
        pass_moment()
        return result

    return watched


if __name__ == "__main__":
    last, delay, counted = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    sys.argv = ["deepdance", *sys.argv[5:]]
    moments = count(1)
    for owner, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (Listeners, "__call__")):
        setattr(owner, name, watch(getattr(owner, name), moments, last, delay))
    atexit.register(lambda: counted.write_text(str(next(moments) - 1)))
    main()
