"""Setting declarations, derived from the fields of a settings model: names, help and default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args, get_origin

from pydantic import SecretStr

from jira_ci_core.config.settings import PluginSettings


class SettingSpec(NamedTuple):
    """One setting as it was declared."""

    name: str
    """The field's name: `environment_name`."""
    owner: str = "core"
    """"core" or the plugin's name."""
    help: str = ""
    default: object = None
    required: bool = False
    secret: bool = False
    project_file: bool = False
    """Whether a file from the change under test may set it."""
    split: bool = False
    """Whether it is a list or pairs, made from the parts of a text."""
    aliases: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """Raw variables that are asked last, by their exact names."""

    @property
    def variable(self) -> str:
        """The name shown to users: `ENVIRONMENT_NAME`."""
        return self.name.upper()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases


def setting_specs(model: type[PluginSettings], owner: str) -> tuple[SettingSpec, ...]:
    """The settings that a model declares, its own before those of the models that it extends."""
    own = [name for name in model.model_fields if name in model.__annotations__]
    return tuple(_spec(model, name, owner) for name in dict.fromkeys([*own, *model.model_fields]))


def flag(name: str) -> str:
    """`--environment-name` for `environment_name`."""
    return f"--{file_key(name)}"


def file_key(name: str) -> str:
    """`environment-name` for `environment_name`, as files spell it."""
    return name.replace("_", "-")


def _spec(model: type[PluginSettings], name: str, owner: str) -> SettingSpec:
    field = model.model_fields[name]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return SettingSpec(
        name=name,
        owner=owner,
        help=field.description or "",
        default=None if field.is_required() else field.get_default(call_default_factory=False),
        required=field.is_required(),
        secret=_holds_secret(field.annotation),
        split=_is_split(field.annotation),
        project_file=bool(extra.get("project_file")),
        aliases=_texts(extra.get("aliases")),
        reads=_texts(extra.get("reads")),
    )


def _holds_secret(annotation: object) -> bool:
    """Whether a field of this type is a credential."""
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def _is_split(annotation: object) -> bool:
    """Whether a field of this type, which may be optional, has parts."""
    kind = get_origin(annotation) or annotation
    has_parts = isinstance(kind, type) and issubclass(kind, Iterable) and not issubclass(kind, (str, bytes))
    return has_parts or any(_is_split(part) for part in get_args(annotation))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
