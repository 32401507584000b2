# SPDX-License-Identifier: Apache-2.0
"""Event files are read back by TensorBoard's own reader."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import program
from PIL import Image

import icseg

pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
from tensorboard.backend.event_processing import event_file_loader, plugin_event_accumulator  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

SETS = [
    item
    for setting in ("tensorboard=true", "tensorboard_histograms=4", "tensorboard_images=2", "log_every=2",
                    "eval_every=8", "checkpoint_every=3")
    for item in ("--set", f"train.{setting}")
]


def accumulate(run: Path) -> EventAccumulator:
    everything = {kind: 0 for kind in ("scalars", "images", "histograms", "compressedHistograms", "tensors")}
    accumulator = EventAccumulator(str(run / "tensorboard"), everything)
    accumulator.Reload()
    return accumulator


def log_of(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["type"] == kind]


def scalars(accumulator: EventAccumulator) -> dict[str, list[tuple[int, float]]]:
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}


def as_logged(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What the scalars of a run must be."""
    curves: dict[str, list[tuple[int, float]]] = {}
    classes = (run.parent / "data" / "classes.txt").read_text().splitlines()
    for line in log_of(run, "step"):
        values = {f"loss/{name}": value for name, value in line["loss"].items()}
        values |= {f"train/{key}": line[key] for key in ("lr", "grad_norm", "images_per_s", "peak_mib")}
        for tag, value in values.items():
            curves.setdefault(tag, []).append((line["step"], value))
    for line in log_of(run, "eval"):
        values = {"val/mIoU": line["miou"], "val/mAcc": line["macc"], "val/aAcc": line["aacc"]}
        values |= {f"IoU/{name.split(',')[0]}": iou for name, iou in zip(classes, line["iou"], strict=True)}
        for tag, value in values.items():
            if value is not None:
                curves.setdefault(tag, []).append((line["step"], value))
    return curves


def assert_as_logged(run: Path) -> None:
    found, logged = scalars(accumulate(run)), as_logged(run)
    assert found.keys() == logged.keys()
    for tag, curve in logged.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in curve], tag
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in curve], rel=1e-6), tag


def tensors_of(path: Path) -> dict[str, Any]:
    """The header of a safetensors file without the metadata, and the bytes of all tensors."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__")
    return {"header": header, "data": content[8 + size :]}


@pytest.fixture(scope="module")
def logged(data: Path, recipe_file: Path) -> Path:
    """A run with all kinds of events."""
    run = data.parent / "logged"
    recipe = icseg.Recipe.open(recipe_file)
    recipe["train.tensorboard"] = True
    try:
        recipe.check()
    except icseg.Error as error:
        if "ICSEG_TENSORBOARD" in str(error):
            pytest.skip("this build does not write event files")
        raise
    program("train", recipe_file, "--out", run, *SETS)
    return run


def test_scalars_are_those_of_the_log(logged: Path) -> None:
    assert len(log_of(logged, "step")) == 6 and len(log_of(logged, "eval")) == 2
    assert_as_logged(logged)


def test_weights_are_the_same_as_without_events(logged: Path, data: Path, recipe_file: Path) -> None:
    plain = data.parent / "without_events"
    program("train", recipe_file, "--out", plain, *SETS[6:])
    assert not (plain / "tensorboard").exists()
    for name in ("checkpoint.safetensors", "best.safetensors", "evaluation.json", "images.jsonl"):
        assert (plain / name).read_bytes() == (logged / name).read_bytes(), name


def test_histograms_count_every_weight(logged: Path) -> None:
    accumulator = accumulate(logged)
    entries = tensors_of(logged / "checkpoint.safetensors")["header"]
    tags = accumulator.Tags()["histograms"]
    trained = [name.removeprefix("adamw.first.") for name in entries if name.startswith("adamw.first.")]
    assert trained and sorted(tags) == sorted(f"{kind}/{name}" for kind in ("weights", "gradients") for name in trained)
    for tag in tags:
        count = 1
        for side in entries[tag.split("/", 1)[1]]["shape"]:
            count *= side
        events = accumulator.Histograms(tag)
        assert [event.step for event in events] == [4, 8, 12]
        for event in events:
            histogram = event.histogram_value
            assert histogram.num == sum(histogram.bucket) == count
            assert histogram.min <= histogram.sum / count <= histogram.max
            assert histogram.bucket_limit == sorted(histogram.bucket_limit)


def test_the_last_histograms_are_those_of_the_last_weights(logged: Path) -> None:
    accumulator = accumulate(logged)
    checkpoint = tensors_of(logged / "checkpoint.safetensors")
    for tag in accumulator.Tags()["histograms"]:
        kind, name = tag.split("/", 1)
        if kind != "weights":
            continue
        entry = checkpoint["header"][name]
        first, end = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        values = struct.unpack(f"<{(end - first) // 4}f", checkpoint["data"][first:end])
        histogram = accumulator.Histograms(tag)[-1].histogram_value
        assert (histogram.min, histogram.max) == (min(values), max(values))
        assert histogram.sum == pytest.approx(sum(values), abs=1e-9 * len(values))
        assert histogram.sum_squares == pytest.approx(sum(v * v for v in values), rel=1e-9)
        low = -float("inf")
        for limit, count in zip(histogram.bucket_limit, histogram.bucket, strict=True):
            # a negative value at a limit is in the bucket below it
            assert count == sum((low < v <= limit) if v < 0 else (low <= v < limit) for v in values)
            low = limit


def test_images_are_png_of_the_right_size(logged: Path, data: Path) -> None:
    accumulator = accumulate(logged)
    tags = accumulator.Tags()["images"]
    names = sorted(path.name for path in (data / "images" / "val").iterdir())
    shown = sorted({tag.split("/")[1] for tag in tags})
    assert len(shown) == 2 and set(shown) <= set(names)
    for name in shown:
        kinds = [tag.split("/", 2)[2] for tag in tags if tag.split("/")[1] == name]
        assert {"photograph", "labels", "prediction"} <= set(kinds)
        scores = [kind for kind in kinds if kind.startswith("score/")]
        assert sorted({kind.split("/")[1] for kind in scores}) == ["16", "32", "8"] and len(scores) == 9
    for tag in tags:
        images = accumulator.Images(tag)
        assert [image.step for image in images] == [8, 12]
        for image in images:
            decoded = Image.open(io.BytesIO(image.encoded_image_string))
            assert decoded.format == "PNG" and decoded.mode == "RGB"
            assert decoded.size == (image.width, image.height) == (96, 64)
    photograph = Image.open(io.BytesIO(accumulator.Images(f"images/{shown[0]}/photograph")[0].encoded_image_string))
    original = Image.open(data / "images" / "val" / shown[0]).convert("RGB")
    difference = [abs(a - b) for a, b in zip(photograph.tobytes(), original.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 1


def test_painted_labels_have_as_many_colours_as_classes(logged: Path, data: Path) -> None:
    accumulator = accumulate(logged)
    name = accumulator.Tags()["images"][0].split("/")[1]
    painted = Image.open(io.BytesIO(accumulator.Images(f"images/{name}/labels")[0].encoded_image_string))
    labels = Image.open(data / "annotations" / "val" / Path(name).with_suffix(".png").name)
    pairs = {
        (label, colour)
        for label, colour in zip(labels.tobytes(), zip(*[iter(painted.tobytes())] * 3, strict=True), strict=True)
        if label != 255
    }
    classes = {label for label, _ in pairs}
    assert len(classes) > 2 and len(pairs) == len(classes) == len({colour for _, colour in pairs})


def test_files_begin_as_tensorboard_expects(logged: Path) -> None:
    files = list((logged / "tensorboard").iterdir())
    assert len(files) == 1 and files[0].name.startswith("events.out.tfevents.")
    events = list(event_file_loader.LegacyEventFileLoader(str(files[0])).Load())
    assert events[0].file_version == "brain.Event:2" and events[1].session_log.status == 1 and events[1].step == 1
    assert all(abs(event.wall_time - time.time()) < 86400 for event in events)


def kill_after(run: Path, recipe_file: Path, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "icseg", "train", str(recipe_file), "--out", str(run), "--resume", *SETS],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = run / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= lines):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_and_resumed_run_has_one_curve(logged: Path, data: Path, recipe_file: Path) -> None:
    run = data.parent / "killed"
    for lines in (2, 3, 5, 6):
        kill_after(run, recipe_file, lines)
    program("train", recipe_file, "--out", run, "--resume", *SETS)
    assert len(list((run / "tensorboard").iterdir())) >= 4
    assert tensors_of(run / "checkpoint.safetensors") == tensors_of(logged / "checkpoint.safetensors")
    assert_as_logged(run)
    killed, whole = accumulate(run), accumulate(logged)
    for tag in whole.Tags()["scalars"]:
        if tag not in ("train/images_per_s", "train/peak_mib"):
            assert scalars(killed)[tag] == scalars(whole)[tag], tag
    for tag in whole.Tags()["histograms"]:
        assert [(e.step, e.histogram_value) for e in killed.Histograms(tag)] == [
            (e.step, e.histogram_value) for e in whole.Histograms(tag)
        ]


def test_the_dashboards_loader_reads_the_run(logged: Path) -> None:
    accumulator = plugin_event_accumulator.EventAccumulator(str(logged / "tensorboard"))
    accumulator.Reload()
    tensors = accumulator.Tensors("loss/total")
    assert [event.step for event in tensors] == [line["step"] for line in log_of(logged, "step")]
    plugins = {accumulator.SummaryMetadata(tag).plugin_data.plugin_name for tag in accumulator.Tags()["tensors"]}
    assert plugins == {"scalars", "histograms", "images"}


def test_pretraining_writes_events_too(logged: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "clip.yaml"
    recipe.write_text(
        "model: {preset: tiny-resnet, context_length: 100}\n"
        "pretrain: {steps: 4, batch: 3, warmup: 1, log_every: 1, eval_every: 2, threads: 1, val_limit: 10,\n"
        "           tensorboard: true, tensorboard_histograms: 2}\n"
    )
    run = tmp_path / "run"
    program("pretrain", recipe, "--pairs", "synth:large", "--val-pairs", "synth:large:9", "--out", run)
    accumulator = accumulate(run)
    found = scalars(accumulator)
    steps = log_of(run, "step")
    assert [step for step, _ in found["loss/total"]] == [1, 2, 3, 4]
    assert [value for _, value in found["loss/total"]] == pytest.approx([line["loss"]["total"] for line in steps])
    for line in log_of(run, "scores"):
        for name, value in line["scores"].items():
            assert (line["step"], pytest.approx(value)) in found[f"val/{name}"]
    assert [event.step for event in accumulator.Histograms("gradients/logit_scale")] == [2, 4]
