"""`jira-ci`, and `python -P -m jira_ci_core`, which is the same.

Until `restrict` has run, this imports only modules that are part of the interpreter, or that it has loaded already:
any other could be a file of the change under test.
"""

import gc
import os
import sys

# Short-lived process: collecting garbage rarely saves about a sixth of its run time.
RARE_COLLECTION = 100_000, 50, 50

UNSAFE = b"""error: python -m imports from the working directory
  why: a file there, such as re.py, would run with the credentials of this step
  do:  run jira-ci, or python -P -m jira_ci_core
"""

LEFT_OUT = """error: {} cannot be imported
  why: jira-ci imports nothing from the checkout but what is installed, and leaves out: {}
  do:  install it in a virtual environment, or all of jira-ci in one folder (pip install --target)
"""


class NoGuessing:
    """Hides from requests, while it is imported, what it guesses encodings with: a part in twenty of a step's time.

    Our client names the encoding itself. An answer that names none to a plugin of its own is read as UTF-8:
    https://requests.readthedocs.io/en/latest/api/#requests.Response.apparent_encoding
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """https://docs.python.org/3/library/importlib.html#importlib.abc.MetaPathFinder.find_spec"""
        if name in ("chardet", "charset_normalizer"):
            requests = sys.modules.get("requests")
            if requests is not None and not hasattr(requests, "Session"):
                import warnings

                warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
                raise ModuleNotFoundError(name)


def main() -> None:
    """Begin to connect, load everything else, run `jira-ci` and exit."""
    gc.set_threshold(*RARE_COLLECTION)
    environ = dict(os.environ)
    # Else it looks into all packages for plugins of its own: https://docs.pydantic.dev/latest/concepts/plugins/
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        from jira_ci_core.import_path import folders_left_out, restrict

        restrict()
        sys.meta_path.insert(0, NoGuessing())
        from jira_ci_core.net.preconnect import preconnect

        preconnections = preconnect(sys.argv[1:], environ)
        from jira_ci_core.cli.main import call

        keep_exit_statuses()
        exit_code = call(sys.argv[1:], environ, preconnections)
    except KeyboardInterrupt:  # while it was loading; `call` handles one by itself
        os.write(2, b"interrupted\n")
        exit_code = 130
    except ModuleNotFoundError as error:
        if not folders_left_out():
            raise
        os.write(2, LEFT_OUT.format(error.name, ", ".join(folders_left_out())).encode(errors="replace"))
        exit_code = 2
    gc.freeze()
    sys.exit(exit_code)


def keep_exit_statuses() -> None:
    """Have the system keep the exit status of every child process, also if the parent had SIGCHLD ignored.

    An ignored SIGCHLD is inherited, and Python then takes each child for successful: https://bugs.python.org/issue15756.
    """
    import signal

    if sys.platform != "win32":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


if __name__ == "__main__":
    # https://docs.python.org/3/using/cmdline.html#cmdoption-P
    if not sys.flags.safe_path:
        os.write(2, UNSAFE)
        sys.exit(2)
    main()
