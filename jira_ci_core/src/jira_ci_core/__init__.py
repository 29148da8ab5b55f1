"""jira-ci: tell Jira about builds and deployments.

`__init__.pyi` lists the public names, once. Each is imported when it is first asked for, so that a plugin waits for no
module that it does not need. It imports nothing itself, as `__main__` does not: see `import_path`.
"""

_module_of: dict[str, str] = {}


def __getattr__(name: str) -> object:
    if not _module_of:
        import re
        from pathlib import Path

        stub = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
        for module, names in re.findall(r"^from (\S+) import \(([^)]+)\)", stub, re.MULTILINE):
            _module_of.update(dict.fromkeys(re.findall(r"(\w+) as", names), module))
    if name == "__all__":
        return sorted(_module_of)
    if name not in _module_of:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_module_of[name]), name)
    return value
