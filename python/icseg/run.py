# SPDX-License-Identifier: Apache-2.0
"""Run directories: the log, curves, metrics, models, and comparisons."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from ._library import call, path_bytes, path_text
from .errors import DataError, FileError, FormatError
from .metrics import Metrics
from .model import Model, load
from .progress import CallbackLike, Watch
from .recipe import Recipe

PathLike = Union[str, "os.PathLike[str]"]


def _columns(rows: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """The numbers of log lines as arrays by name, {"loss": {"total": 1}} as "loss.total"; NaN where a line lacks one."""
    flat = []
    for row in rows:
        values: dict[str, float] = {}
        for key, value in row.items():
            if isinstance(value, dict):
                values.update({f"{key}.{name}": inner for name, inner in value.items()})
            elif isinstance(value, (int, float)) or value is None:
                values[key] = np.nan if value is None else value
        flat.append(values)
    names = dict.fromkeys(name for values in flat for name in values)
    return {name: np.array([values.get(name, np.nan) for values in flat], np.float64) for name in names}


class Run:
    """The directory of a training run, also of one that was stopped or is training.

    Args:
        path: the directory.

    Raises:
        FileError: it does not contain a run.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        if not (self.path / "log.jsonl").is_file():
            raise FileError(f"{path_text(path)}: not a run directory: log.jsonl is missing", file=path_text(path))

    def __repr__(self) -> str:
        steps = self.log.get("step", np.zeros(0))
        best = f", best mIoU {self.best_miou:.4f}" if len(self.evaluations.get("miou", ())) else ""
        return f"<icseg.Run {path_text(self.path)!r}: {int(steps[-1]) if len(steps) else 0} steps logged{best}>"

    @cached_property
    def _lines(self) -> list[dict[str, Any]]:
        file = self.path / "log.jsonl"
        rows = []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except ValueError:
                raise FormatError(f"{file}:{number}: not a line of JSON", file=str(file)) from None
            if not isinstance(row, dict):
                raise FormatError(f"{file}:{number}: not a JSON object", file=str(file))
            rows.append(row)
        return rows

    @cached_property
    def log(self) -> dict[str, NDArray[np.float64]]:
        """The logged steps as arrays of equal length: "step", "lr", "loss.total", "grad_norm", "seconds", ..."""
        return _columns([row for row in self._lines if row.get("type") == "step"])

    @cached_property
    def evaluations(self) -> dict[str, NDArray[np.float64]]:
        """The evaluations as arrays of equal length: "step", "miou", "macc", "aacc"."""
        return _columns([row for row in self._lines if row.get("type") == "eval"])

    @cached_property
    def starts(self) -> list[dict[str, Any]]:
        """How the run was started and resumed: recipe, version, date, machine, data."""
        return [row for row in self._lines if row.get("type") == "start"]

    def reload(self) -> Run:
        """The same run with what has been written since."""
        return Run(self.path)

    @property
    def recipe(self) -> Recipe:
        """The recipe as used, with every value."""
        return Recipe.of_run(self.path)

    @property
    def best_miou(self) -> float:
        """The best mIoU of all evaluations; NaN before the first."""
        found = self.evaluations.get("miou")
        return float(np.nanmax(found)) if found is not None and len(found) else float("nan")

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation mIoU."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The checkpoint with the last weights."""
        return self.path / "checkpoint.safetensors"

    def load(self, *, last: bool = False, precision: str = "f32", threads: int = 0) -> Model:
        """Opens the model with the best weights, or with the last ones."""
        return load(self.last if last else self.best, precision=precision, threads=threads)

    @property
    def metrics(self) -> Metrics:
        """The metrics of the last evaluation, with its confusion matrix.

        Raises:
            DataError: the run does not have an evaluation yet.
            FormatError: evaluation.json is damaged.
        """
        file = self.path / "evaluation.json"
        if not file.exists():
            raise DataError(f"{file}: does not exist; it is written by the first evaluation of the run", file=str(file))
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return Metrics(found["confusion"], found["classes"])
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{file}: not an evaluation of a run: {error}", file=str(file)) from None

    @property
    def classes(self) -> list[dict[str, Any]]:
        """The per-class table of the last evaluation: "name", "iou", "accuracy", "pixels"; NaN: undefined."""
        m = self.metrics
        return [
            {"name": name, "iou": float(iou), "accuracy": float(accuracy), "pixels": int(pixels)}
            for name, iou, accuracy, pixels in zip(m.class_names, m.iou, m.accuracy, m.pixels)
        ]

    def curves(self) -> None:
        """Shows losses and mIoU over the steps, by Matplotlib.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        import matplotlib.pyplot as plt

        _, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
        for name, values in self.log.items():
            if name.startswith("loss."):
                left.plot(self.log["step"], values, label=name[5:])
        left.set(xlabel="step", ylabel="loss", yscale="log")
        left.legend()
        for name in ("miou", "macc", "aacc"):
            if name in self.evaluations:
                right.plot(self.evaluations["step"], self.evaluations[name], marker=".", label=name)
        right.set(xlabel="step", ylim=(0, 1))
        right.legend()
        plt.show()

    def compare(self, other: Union[Run, PathLike]) -> Comparison:
        """Compares with another run: recipes, best mIoU, classes."""
        return Comparison(self, other if isinstance(other, Run) else Run(other))

    @staticmethod
    def index(folder: PathLike) -> Path:
        """Writes index.html into a folder of run directories: a table of them with links to their reports.

        Raises:
            ArgumentError: the folder does not contain a run.
            FileError: index.html cannot be written.

        Returns:
            The path of index.html.
        """
        call("icseg_train_index", path_bytes(folder), file=path_text(folder))
        return Path(folder) / "index.html"

    def report(self, data: Union[PathLike, None] = None, *, callback: CallbackLike = None) -> Path:
        """Writes report.html anew, and returns its path.

        Args:
            data: folder of the data set; None: that of the recipe.
            callback: as for `icseg.train`.
        """
        with Watch(callback) as watch:
            call("icseg_train_report", path_bytes(self.path), None if data is None else path_bytes(data), watch.pointer,
                 file=path_text(self.path))
        return self.path / "report.html"


class Comparison:
    """Two runs, side by side.

    Attributes:
        runs: the two runs.
        recipe: the keys in which their recipes differ, with both values.
        best_miou: the best mIoU of each.
        iou: (classes, 2) float64 by class: the IoU of the last evaluations, of the classes that both have.
        class_names: the names of these classes.
    """

    def __init__(self, first: Run, second: Run) -> None:
        self.runs = first, second
        recipes = first.recipe, second.recipe
        self.recipe = {key: (recipes[0][key], recipes[1][key]) for key in recipes[0] if recipes[0][key] != recipes[1][key]}
        self.best_miou = first.best_miou, second.best_miou
        tables = [{row["name"]: row["iou"] for row in run.classes} for run in self.runs]
        self.class_names = [name for name in tables[0] if name in tables[1]]
        self.iou: NDArray[np.float64] = np.array([[t[name] for t in tables] for name in self.class_names], np.float64)

    def __str__(self) -> str:
        width = max(map(len, ["best mIoU", *self.class_names, *self.recipe]))
        rows = [f"{'':{width}}  {self.runs[0].path.name}  {self.runs[1].path.name}"]
        rows += [f"{key:{width}}  {a}  {b}" for key, (a, b) in self.recipe.items()]
        pairs = [("best mIoU", self.best_miou), *zip(self.class_names, self.iou)]
        rows += [f"{name:{width}}  {100 * a:6.2f}  {100 * b:6.2f}  {100 * (b - a):+6.2f}" for name, (a, b) in pairs]
        return "\n".join(rows)

    def __repr__(self) -> str:
        return (
            f"<icseg.Comparison of {path_text(self.runs[0].path)!r} and {path_text(self.runs[1].path)!r}: best mIoU "
            f"{self.best_miou[0]:.4f} and {self.best_miou[1]:.4f}>"
        )
