"""`jira-ci`, and `python -m jira_ci_core`, which is the same."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

LITTLE_GARBAGE = 100_000, 50, 50


def main() -> NoReturn:
    """Begin to connect, load everything else, run `jira-ci` and exit."""
    # A step lives for a blink: looking for garbage, most of all at its end, would take a sixth of that.
    gc.set_threshold(*LITTLE_GARBAGE)
    try:
        from jira_ci_core.net.preconnect import preconnect

        early = preconnect(sys.argv[1:], os.environ)
        from jira_ci_core.cli.main import call

        exit_code = call(sys.argv[1:], os.environ, early)
    except KeyboardInterrupt:  # while it was loading; `call` tells of it by itself
        os.write(2, b"interrupted\n")
        exit_code = 130
    gc.freeze()
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
