"""The watchdog, with calls in several threads."""

from __future__ import annotations

import subprocess
import sys
import threading

from jira_ci_core.watchdog import Watchdog

TWO_THREADS = """
import threading
from jira_ci_core.watchdog import Watchdog

watchdog = Watchdog({first}, print)
begun = threading.Event()

def other():
    with watchdog.watching("the one that hangs"):
        begun.set()
        threading.Event().wait()

threading.Thread(target=other, daemon=True).start()
begun.wait()
watchdog.seconds = 60
with watchdog.watching("the later one"):
    threading.Event().wait(30)
"""


def test_the_call_that_hangs_is_named_although_another_thread_began_one_later():
    done = subprocess.run(
        [sys.executable, "-u", "-c", TWO_THREADS.format(first=0.3)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (3, "the one that hangs")


def test_calls_may_end_in_any_order():
    watchdog = Watchdog(60, print)
    inside, leave = threading.Barrier(5), threading.Event()

    def call(name):
        with watchdog.watching(name), watchdog.watching(f"within {name}"):
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=call, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    inside.wait()
    with watchdog.watching("the main one"):
        leave.set()
        for thread in threads:
            thread.join(10)
        assert [[call for call, _ in calls] for calls in watchdog._watched.values()] == [["the main one"]]
    assert watchdog._watched == {}
