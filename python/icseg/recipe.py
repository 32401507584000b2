# SPDX-License-Identifier: Apache-2.0
"""Recipes: everything that decides a training run, as a mapping of keys ("train.lr") to values."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional, Union

from . import _declarations as c
from ._library import PACKAGE, Exclusive, call, encode, encode_optional, init, lib, owned_text, path_bytes, path_text, text
from .errors import ArgumentError

Value = Any  # bool, int, float, str, list, or dict[int, float], as the key's documentation says


@dataclass(frozen=True)
class RecipeKey:
    """The documentation of a key.

    Attributes:
        name: such as "train.lr".
        description: one line, with the unit.
        accepts: the accepted values in words.
        default: the value in the published settings of the first preset.
    """

    name: str
    description: str
    accepts: str
    default: Value
    _type: int = field(repr=False)


def _parse(kind: int, value: str) -> Value:
    """The value of a key from the library's text."""
    inner = value.strip("[]{} ")
    parts = [part.strip() for part in inner.split(",")] if inner else []
    if kind == c.ICSEG_RECIPE_BOOL:
        return value == "true"
    if kind == c.ICSEG_RECIPE_INTEGER:
        return int(value)
    if kind == c.ICSEG_RECIPE_REAL:
        return float(value)
    if kind in (c.ICSEG_RECIPE_INTEGER_LIST, c.ICSEG_RECIPE_STRIDE_LIST):
        return [int(part) for part in parts]
    if kind == c.ICSEG_RECIPE_REAL_LIST:
        return [float(part) for part in parts]
    if kind == c.ICSEG_RECIPE_STRIDE_MAP:
        return {int(k): float(v) for k, v in (part.split(":") for part in parts)}
    return value


def _format(value: Any) -> str:
    """The text of a value for the library."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_format(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_format, value)) + "]"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


@lru_cache(maxsize=None)
def keys() -> dict[str, RecipeKey]:
    """The documentation of every key, by name, in the order of docs/recipe.md."""
    made = {}
    for i in range(lib.icseg_recipe_key_count()):
        key = init(c.icseg_recipe_key)
        call("icseg_recipe_key_at", ctypes.byref(key), i)
        name, default = text(key.name), text(key.default_value)
        made[name] = RecipeKey(name, text(key.description), text(key.range), _parse(key.type, default), key.type)
    return made


class Section:
    """A section of a recipe: `recipe.train.lr` is `recipe["train.lr"]`."""

    _recipe: Recipe
    _name: str

    def __init__(self, recipe: Recipe, name: str) -> None:
        object.__setattr__(self, "_recipe", recipe)
        object.__setattr__(self, "_name", name)

    def __getattr__(self, key: str) -> Value:
        if key.startswith("_"):
            raise AttributeError(key)
        try:
            return self._recipe[f"{self._name}.{key}"]
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self._recipe[f"{self._name}.{key}"] = value

    def __dir__(self) -> list[str]:
        return [key.split(".")[1] for key in keys() if key.startswith(self._name + ".")]

    def __repr__(self) -> str:
        return "\n".join(f"{key} = {getattr(self, key)!r}" for key in dir(self))


class Recipe(Mapping[str, Value]):
    """Everything that decides a training run.

    A recipe begins with the published settings of a preset, and has a value for every key:

        recipe = icseg.Recipe("tiny-resnet")
        recipe["train.lr"] = 1e-3
        recipe.train.steps = 100

    Values are bool, int, float, str, lists, and a dict of strides. Setting an unknown key or a value that is not accepted
    is an ArgumentError. `icseg.Recipe.describe("train.lr")` documents a key.

    Args:
        preset: "rn50", "rn101", "vit-b16", "tiny-resnet" or "tiny-vit"; None: the first.
        **sections: values to set, as in Recipe(train={"lr": 1e-3}).
    """

    def __init__(self, preset: Optional[str] = None, **sections: Mapping[str, Any]) -> None:
        self._handle = Exclusive(c.icseg_recipe, "icseg_recipe_close", "recipe")
        call("icseg_recipe_open_preset", ctypes.byref(self._handle.pointer), encode_optional(preset, "preset"))
        self.update(sections)

    @classmethod
    def _opened(cls, function: str, *arguments: Any, file: Optional[str] = None) -> Recipe:
        recipe = cls.__new__(cls)
        recipe._handle = Exclusive(c.icseg_recipe, "icseg_recipe_close", "recipe")
        call(function, ctypes.byref(recipe._handle.pointer), *arguments, file=file)
        return recipe

    @classmethod
    def open(cls, path: Union[str, os.PathLike[str]]) -> Recipe:
        """Reads a YAML file, or one of the recipes that come with icseg by its name, such as "few_images".

        Raises:
            FileError: the file cannot be read.
            FormatError: it is not such a file.
            ArgumentError: an unknown key, or a value that is not accepted; `field` is the key.
        """
        if not os.path.exists(path) and str(path) in cls.names():
            path = _folder() / f"{path}.yaml"
        return cls._opened("icseg_recipe_open", path_bytes(path), file=path_text(path))

    @classmethod
    def from_text(cls, yaml: str, name: str = "recipe") -> Recipe:
        """Reads YAML. `name` is the text's name in messages."""
        data = encode(yaml, "yaml")
        return cls._opened("icseg_recipe_open_text", encode(name, "name"), data, len(data))

    @classmethod
    def of_run(cls, run: Union[str, os.PathLike[str]]) -> Recipe:
        """Reads the recipe of a run directory."""
        return cls._opened("icseg_recipe_open_run", path_bytes(run), file=path_text(run))

    @staticmethod
    def names() -> list[str]:
        """The recipes that come with icseg."""
        return sorted(path.stem for path in _folder().glob("*.yaml"))

    @staticmethod
    def describe(key: str) -> RecipeKey:
        """The documentation of a key."""
        if key not in keys():
            raise KeyError(key)
        return keys()[key]

    def copy(self) -> Recipe:
        """An independent copy."""
        made = Recipe()
        made.update(dict(self))
        return made

    def to_yaml(self) -> str:
        """Every key with its value, as YAML."""
        out = ctypes.c_char_p()
        with self._handle as recipe:
            call("icseg_recipe_text", recipe, ctypes.byref(out))
        return owned_text(out)

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes every key with its value to a YAML file."""
        with self._handle as recipe:
            call("icseg_recipe_write", recipe, path_bytes(path), file=path_text(path))

    def check(self) -> None:
        """Checks the recipe as a whole, as training does.

        Raises:
            ArgumentError: keys that contradict each other, folders and files that do not exist; `field` is the key.
            ConfigError: a model that cannot be built.
        """
        with self._handle as recipe:
            call("icseg_recipe_check", recipe)

    def update(self, values: Mapping[str, Any]) -> None:
        """Sets several keys: {"train.lr": 1e-3}, or {"train": {"lr": 1e-3}}."""
        for key, value in values.items():
            if isinstance(value, Mapping) and "." not in key:
                for name, inner in value.items():
                    self[f"{key}.{name}"] = inner
            else:
                self[key] = value

    def __getitem__(self, key: str) -> Value:
        """The value of a key, such as "train.lr"."""
        if key not in keys():
            raise KeyError(key)
        out = ctypes.c_char_p()
        with self._handle as recipe:
            call("icseg_recipe_get", recipe, key.encode(), ctypes.byref(out))
        return _parse(keys()[key]._type, owned_text(out))

    def __setitem__(self, key: str, value: Any) -> None:
        if value is None or isinstance(value, bytes):
            raise ArgumentError(f"{key}: {value!r} is not a value", field=key)
        with self._handle as recipe:
            call("icseg_recipe_set", recipe, encode(key, "key"), encode(_format(value), key))

    def assign(self, *assignments: str) -> None:
        """Sets keys as the program's --set does: recipe.assign("train.lr=1e-3", "augment.crop=256,320").

        Raises:
            ArgumentError: not KEY=VALUE, an unknown key or a value that is not accepted. The keys before it are set.
        """
        with self._handle as recipe:
            for assignment in assignments:
                call("icseg_recipe_assign", recipe, encode(assignment, "assignment"))

    def __iter__(self) -> Iterator[str]:
        """All keys, in the order of the documentation."""
        return iter(keys())

    def __len__(self) -> int:
        return len(keys())

    def __getattr__(self, section: str) -> Section:
        if section.startswith("_") or not any(key.startswith(section + ".") for key in keys()):
            raise AttributeError(f"a recipe does not have a section {section!r}")
        return Section(self, section)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"set a key of the section instead, as in recipe.{name}.KEY = VALUE")
        object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *sorted({key.split(".")[0] for key in keys()})]

    def __repr__(self) -> str:
        return f"<icseg.Recipe: {self['model.preset']}, {self['train.steps']} steps, data {self['data.folder']!r}>"

    def __str__(self) -> str:
        return self.to_yaml()


def _folder() -> Path:
    """The folder of the recipes: in the package, or in the source tree."""
    own = PACKAGE / "share" / "icseg" / "recipes"
    return own if own.is_dir() else PACKAGE.parent.parent / "recipes"


def as_recipe(recipe: Any) -> Recipe:
    """A recipe, which may be a path, a name, or a dict."""
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        sections = dict(recipe)
        model = sections.get("model")
        preset = model.get("preset") if isinstance(model, Mapping) else sections.get("model.preset")
        made = Recipe(preset)
        made.update(sections)
        return made
    return Recipe.open(recipe)
