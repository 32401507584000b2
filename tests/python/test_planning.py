# SPDX-License-Identifier: Apache-2.0
"""Plans of training runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import icseg


def test_a_plan_has_the_sizes_of_the_run(run: Path, data: Path, tmp_path: Path) -> None:
    recipe = icseg.Recipe.open(run / "recipe.yaml")
    seen = []
    plan = icseg.plan(recipe, data, tmp_path / "new" / "run", seconds=0.1, callback=seen.append)
    assert plan["checkpoint"] == pytest.approx((run / "checkpoint.safetensors").stat().st_size, rel=0.15)
    assert plan["disk"] == pytest.approx(sum(file.stat().st_size for file in run.iterdir()), rel=0.15)
    assert plan["steps"] == 12 and plan["measured"] and plan["memory_fits"] and plan["advice"] == []
    assert 0 < plan["step_seconds"] < plan["total_seconds"]
    assert seen[-1].stage == "measure"
    assert not (tmp_path / "new").exists()


def test_a_plan_without_a_data_set_or_measurements(run: Path) -> None:
    recipe = icseg.Recipe.open(run / "recipe.yaml")
    recipe.data.folder = "missing"
    plan = icseg.plan(recipe, classes=13, quick=True)
    assert not plan["measured"] and plan["step_seconds"] is None and plan["memory"] > plan["weights"] > 0
    with pytest.raises(icseg.ArgumentError, match="missing"):
        icseg.plan(recipe, quick=True)
    with pytest.raises(icseg.ArgumentError, match="classes"):
        icseg.plan(recipe, classes=1)
    recipe.train.batch = 60000
    large = icseg.plan(recipe, classes=13)
    assert not large["memory_fits"] and not large["measured"]
    assert any("train.batch=" in change["change"] for change in large["advice"])


def test_a_callback_stops_the_measurement(run: Path, data: Path) -> None:
    with pytest.raises(icseg.CancelledError):
        icseg.plan(run / "recipe.yaml", data, callback=lambda progress: False)
