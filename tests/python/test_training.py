# SPDX-License-Identifier: Apache-2.0
"""Recipes, training, evaluation, run directories."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import program

import icseg

TINY: dict[str, Any] = {
    "model": {"preset": "tiny-resnet", "resnet_width": 4, "context_length": 40},
    "augment": {"crop": [64, 64], "resize_short": 0},
    "train": {"steps": 12, "batch": 2, "lr": 2e-3, "backbone_lr_mult": 1, "warmup": 2, "eval_every": 0, "threads": 1},
    "eval": {"resize_short": 0},
}


def tiny(**train: Any) -> icseg.Recipe:
    recipe = icseg.Recipe("tiny-resnet", **{k: v for k, v in TINY.items() if k != "model"})
    recipe.update({"model.resnet_width": 4, "model.context_length": 40})
    recipe.update({"train": train})
    return recipe


# -- recipes


def test_a_recipe_has_every_key(recipe_file: Path) -> None:
    recipe = icseg.Recipe.open(recipe_file)
    assert len(recipe) == len(list(recipe)) > 60 and "train.lr" in recipe and "train.nothing" not in recipe
    assert recipe["train.steps"] == recipe.train.steps == 12
    assert recipe.augment.crop == [64, 64] and recipe.train.lr == 2e-3 and recipe.model.post_prompt is False
    assert recipe["model.align_weights"] == {8: 0.1, 16: 0.2, 32: 0.4} and recipe.model.align_strides == [8, 16, 32]
    assert "steps" in dir(recipe.train) and "train" in dir(recipe) and "tiny-resnet" in repr(recipe)
    key = icseg.Recipe.describe("train.lr")
    assert key.description and key.accepts.startswith("a number") and key.default == 1e-4
    assert all(icseg.Recipe.describe(name).description for name in recipe)


def test_every_value_can_be_set_to_itself() -> None:
    for preset in ("rn50", "vit-b16", "tiny-resnet"):
        recipe = icseg.Recipe(preset)
        other = icseg.Recipe(preset)
        for key, value in recipe.items():
            other[key] = value
        assert other.to_yaml() == recipe.to_yaml()


def test_setting_keys(tmp_path: Path) -> None:
    recipe = icseg.Recipe("tiny-resnet", train={"steps": 7})
    recipe.train.lr = 0.5
    recipe["augment.crop"] = (96, 64)
    recipe["data.folder"] = tmp_path
    recipe.model.align_weights = {8: 0.5, 16: 0.25, 32: 1}
    copy = recipe.copy()
    recipe.train.steps = 9
    assert (copy.train.steps, recipe.train.steps, copy.train.lr, copy.augment.crop) == (7, 9, 0.5, [96, 64])
    assert copy.data.folder == str(tmp_path) and copy.model.align_weights[16] == 0.25
    recipe.save(tmp_path / "r.yaml")
    assert icseg.Recipe.open(tmp_path / "r.yaml").to_yaml() == str(recipe)
    assert icseg.Recipe.from_text("train: {steps: 3}").train.steps == 3


def test_the_recipes_of_the_package() -> None:
    names = icseg.Recipe.names()
    assert "demo" in names and "few_images" in names
    for name in names:
        icseg.Recipe.open(name)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.stepz", 5, "train.steps"),
        ("train.steps", "many", "train.steps"),
        ("train.steps", -1, "train.steps"),
        ("train.lr", None, "train.lr"),
        ("model.prompt", "none", "one of template, static"),
        ("augment.crop", [1, 2, 3], "augment.crop"),
    ],
)
def test_values_that_are_not_accepted(key: str, value: Any, words: str) -> None:
    recipe = icseg.Recipe()
    before = recipe.to_yaml()
    with pytest.raises(icseg.ArgumentError, match=words) as caught:
        recipe[key] = value
    assert isinstance(caught.value, ValueError) and "--" not in str(caught.value)
    assert recipe.to_yaml() == before


def test_bad_recipes(tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="rn5o|preset"):
        icseg.Recipe("rn5o")
    with pytest.raises(icseg.FileError):
        icseg.Recipe.open(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("train:\n  stepz: 3\n")
    with pytest.raises(icseg.ArgumentError, match=r"bad.yaml:2") as caught:
        icseg.Recipe.open(tmp_path / "bad.yaml")
    assert caught.value.file == str(tmp_path / "bad.yaml") and caught.value.field == "train.stepz"
    with pytest.raises(KeyError):
        icseg.Recipe()["train.stepz"]
    with pytest.raises(AttributeError, match="stepz"):
        icseg.Recipe().train.stepz
    with pytest.raises(AttributeError, match="section 'trian'"):
        icseg.Recipe().trian
    with pytest.raises(AttributeError, match="recipe.train.KEY"):
        icseg.Recipe().train = 3
    with pytest.raises(icseg.Error, match="data.folder|folder"):
        icseg.Recipe("tiny-resnet").check()


# -- training


def test_training_writes_what_the_program_writes(run: Path, data: Path, tmp_path: Path) -> None:
    seen: list[icseg.Progress] = []
    made = icseg.train(TINY, data=data, out=tmp_path / "run", callback=seen.append)
    for name in ("best.safetensors", "checkpoint.safetensors"):
        ours, theirs = icseg.load(made.path / name), icseg.load(run / name)
        assert (ours.logits(next(data.glob("images/*/*.jpg"))) == theirs.logits(next(data.glob("images/*/*.jpg")))).all()
    stages = {p.stage for p in seen}
    assert {"train", "evaluate"} <= stages
    last = [p for p in seen if p.stage == "train"][-1]
    assert (last.done, last.total) == (12, 12) and last.seconds > 0
    assert made.best_miou == icseg.Run(run).best_miou


def test_a_learning_rate_is_found_and_no_file_is_written(data: Path, tmp_path: Path) -> None:
    before = sorted(str(path) for path in data.rglob("*"))
    seen: list[icseg.Progress] = []
    found = icseg.find_lr(tiny(), data, min_lr=1e-5, max_lr=0.1, steps=20, html=tmp_path / "lr.html", callback=seen.append)
    rates = [point["lr"] for point in found["points"]]
    assert len(rates) == 20 and rates[0] == 1e-5 and rates == sorted(rates) and abs(rates[-1] - 0.1) < 1e-9
    assert found["suggestion"] is None or found["suggestion"] in rates
    assert found["lowest"] in rates and found["end"] == "steps" and "learning rates" in {p.stage for p in seen}
    assert "<svg" in (tmp_path / "lr.html").read_text() and sorted(str(path) for path in data.rglob("*")) == before
    assert icseg.find_lr(tiny(), data, min_lr=1e-5, max_lr=0.1, steps=20, callback=False) == found
    with pytest.raises(icseg.ArgumentError, match="max_lr") as caught:
        icseg.find_lr(tiny(), data, min_lr=0.2, max_lr=0.1)
    assert caught.value.field == "max_lr"


def test_a_run_that_stops_early_stops_the_loop(data: Path, tmp_path: Path) -> None:
    recipe = tiny(eval_every=2, patience=2, min_delta=0.9)
    with icseg.Trainer(recipe, data, tmp_path / "run") as trainer:
        assert [step.step for step in trainer] == [1, 2, 3, 4, 5, 6] and "stop" in trainer.due


def test_a_callback_stops_a_run_that_can_be_resumed(run: Path, data: Path, tmp_path: Path) -> None:
    def stop(now: icseg.Progress) -> bool:
        return not (now.stage == "train" and now.done >= 5)

    with pytest.raises(icseg.CancelledError):
        icseg.train(tiny(), data, tmp_path / "run", callback=stop)
    with pytest.raises(icseg.ArgumentError, match="resume=True") as caught:
        icseg.train(tiny(), data, tmp_path / "run", callback=False)
    assert caught.value.remedy == "resume=True" and "--" not in str(caught.value)
    made = icseg.train(tiny(), data, tmp_path / "run", resume=True, callback=False)
    photo = next(data.glob("images/*/*.jpg"))
    assert (made.load(last=True).logits(photo) == icseg.load(run / "checkpoint.safetensors").logits(photo)).all()


def test_an_exception_in_a_callback_is_raised_after_the_call(data: Path, tmp_path: Path) -> None:
    def fail(now: icseg.Progress) -> None:
        if now.stage == "train" and now.done >= 2:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        icseg.train(tiny(), data, tmp_path / "run", callback=fail)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_ctrl_c_stops_a_run_that_can_be_resumed(data: Path, tmp_path: Path) -> None:
    recipe = tiny(steps=100000)
    recipe.save(tmp_path / "r.yaml")
    code = f"""
        import icseg, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
        def show(now):
            if now.stage == "train" and now.done == 3:
                print("ready", flush=True)
        try:
            icseg.train({str(tmp_path / 'r.yaml')!r}, {str(data)!r}, {str(tmp_path / 'run')!r}, callback=show)
        except KeyboardInterrupt:
            print("stopped", icseg.Run({str(tmp_path / 'run')!r}).last.exists())
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.1)  # into the next steps, where the signal finds no Python code
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=60)[0] == "stopped True\n" and child.returncode == 0
    finally:
        child.kill()
    with icseg.Trainer(recipe, data, tmp_path / "run", resume=True) as trainer:
        assert trainer.step_count >= 3


def test_a_trainer_steps_as_train_does(run: Path, data: Path, tmp_path: Path) -> None:
    with icseg.Trainer(tiny(eval_every=6), data=data, out=tmp_path / "run") as trainer:
        assert trainer.total_steps == 12 and trainer.loss_names[0] == "total" and len(trainer.class_names) == 13
        steps = list(trainer)
        assert "step 12 of 12" in repr(trainer)
        with pytest.raises(icseg.ArgumentError):
            trainer.step()
        assert trainer.best[1] in (6, 12)
    assert [s.step for s in steps] == list(range(1, 13)) and steps[0].loss == steps[0].losses["total"] > 0
    assert all(np.isfinite([s.learning_rate, s.gradient_norm, s.seconds]).all() for s in steps)
    photo = next(data.glob("images/*/*.jpg"))
    logged = icseg.Run(tmp_path / "run")
    assert logged.evaluations["step"].tolist() == [6, 12]
    assert (logged.load(last=True).logits(photo) == icseg.load(run / "checkpoint.safetensors").logits(photo)).all()
    for use in (trainer.step, trainer.save, trainer.evaluate, trainer.finish, lambda: trainer.due):
        with pytest.raises(icseg.ClosedError, match="the trainer is closed"):
            use()


def test_the_model_of_a_trainer(data: Path, tmp_path: Path) -> None:
    photo = next(data.glob("images/*/*.jpg"))
    trainer = icseg.Trainer(tiny(), data, tmp_path / "run")
    model = trainer.model(threads=1)
    before = model.logits(photo).copy()
    trainer.step()
    assert (model.logits(photo) != before).any()
    assert trainer.evaluate().miou >= 0 and "evaluate" not in trainer.due
    twin = model.clone()
    trainer.save()
    trainer.close()
    for closed in (model, twin):
        with pytest.raises(icseg.ClosedError):
            closed(photo)


def test_a_callback_must_not_use_its_trainer(data: Path, tmp_path: Path) -> None:
    made: list[icseg.Trainer] = []

    def use(_now: icseg.Progress) -> None:
        if made:
            made[0].save()

    made.append(icseg.Trainer(tiny(), data, tmp_path / "run", callback=use))
    with pytest.raises(icseg.Error, match="in use by the call that called back"):
        made[0].evaluate()
    made.pop().close()


def test_data_that_cannot_be_used(data: Path, tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="nowhere.*does not exist"):
        icseg.train(tiny(), tmp_path / "nowhere", tmp_path / "run", callback=False)
    with pytest.raises(icseg.ArgumentError, match="name the folder of the run"):
        icseg.train(tiny(), data)


# -- evaluation


def test_evaluation_is_that_of_the_program(checkpoint: Path, data: Path, model: icseg.Model) -> None:
    printed = program("eval", checkpoint, "--data", data)
    metrics = icseg.evaluate(model, data, callback=False)
    for line in metrics.table().splitlines():
        assert line in printed
    assert icseg.evaluate(checkpoint, icseg.Dataset(data, "val"), callback=False).miou == metrics.miou
    confusion = icseg.Confusion(13)
    for image, label, _ in icseg.Dataset(data, "val"):
        assert label is not None
        confusion.add(label, model(image).labels)
    assert (confusion.counts == metrics.confusion).all()
    assert confusion.metrics(model.class_names).to_dict() == metrics.to_dict()
    assert "mIoU" in repr(metrics) and metrics.confusion.sum() == 4 * 64 * 96


def test_a_folder_is_read_as_the_training_read_it(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    program("train", recipe_file, "--out", tmp_path / "run", "--set", "train.steps=2", "--set", "train.warmup=0",
            "--set", "data.val_share=0.3", "--set", "data.ignore=[0, 2]", "--set", "data.map=3=4")
    best = tmp_path / "run" / "best.safetensors"
    with icseg.load(best, threads=1) as model:
        assert model.data_options["ignore"] == [0, 2] and model.data_options["map"] == "3=4"
        metrics = icseg.evaluate(model, data, callback=False)
        assert metrics.pixels[0] == metrics.pixels[2] == metrics.pixels[3] == 0 < metrics.pixels.sum()
        assert metrics.miou == pytest.approx(icseg.Run(tmp_path / "run").evaluations["miou"][-1], abs=1e-8)
    printed = program("eval", best, "--data", data, "--split", "train", "--val-share", 0.3)
    assert all(line in printed for line in metrics.table().splitlines())


def test_metrics_by_hand() -> None:
    metrics = icseg.Metrics(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), ["a", "b", "c"])
    assert metrics.iou[:2].tolist() == [0.75, 0.8] and np.isnan(metrics.iou[2]) and metrics.aacc == 7 / 8
    assert metrics.miou == pytest.approx(0.775) and metrics.macc == pytest.approx(0.875)
    assert metrics.pixels.tolist() == [4, 4, 0] and metrics.to_dict()
    for bad in (np.zeros((2, 3)), np.zeros(4), np.zeros((0, 0))):
        with pytest.raises(icseg.ArgumentError):
            icseg.Metrics(bad)
    confusion = icseg.Confusion(2)
    with pytest.raises(icseg.ShapeError):
        confusion.add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(icseg.DataError):
        confusion.add(np.full((2, 2), 2), np.zeros((2, 2), np.uint8))
    with pytest.raises(icseg.ArgumentError):
        confusion.add(np.full((2, 2), 70000), np.zeros((2, 2), np.uint8))
    with pytest.raises(icseg.ArgumentError):
        confusion.add(np.zeros((2, 2)), np.zeros((2, 2)))
    assert confusion.counts.sum() == 0


# -- run directories


def test_a_run(run: Path, tmp_path: Path, data: Path) -> None:
    pytest.importorskip("matplotlib")
    opened = icseg.Run(run)
    assert opened.log["step"].tolist() == [12] and opened.log["loss.total"][0] > 0 and "lr" in opened.log
    assert opened.evaluations["miou"][-1] == pytest.approx(opened.metrics.miou, abs=1e-8) == opened.best_miou
    assert [row["name"] for row in opened.classes] == icseg.synth.CLASS_NAMES
    assert opened.recipe.train.steps == 12 and opened.starts[0]["steps"] == 12 and "12 steps" in repr(opened)
    assert opened.load().num_classes == 13
    opened.curves()
    assert opened.report().stat().st_size > 1000
    other = icseg.train(tiny(steps=2, warmup=0, lr=1e-3), data, tmp_path / "other", callback=False)
    compared = opened.compare(other.path)
    assert compared.recipe["train.lr"] == (2e-3, 1e-3) and compared.iou.shape == (13, 2)
    assert compared.best_miou == (opened.best_miou, other.best_miou) and "train.lr" in str(compared)


def test_folders_that_are_not_runs(run: Path, tmp_path: Path) -> None:
    with pytest.raises(icseg.FileError, match="not a run directory"):
        icseg.Run(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"type": "step", "step": 1}\nnot json\n')
    with pytest.raises(icseg.FormatError, match="log.jsonl:2"):
        icseg.Run(tmp_path).log
    with pytest.raises(icseg.DataError, match="first evaluation"):
        icseg.Run(tmp_path).metrics
    (tmp_path / "evaluation.json").write_text('{"confusion": [[1, 2]], "classes": []}')
    with pytest.raises(icseg.FormatError, match="evaluation.json"):
        icseg.Run(tmp_path).metrics
