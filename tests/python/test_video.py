# SPDX-License-Identifier: Apache-2.0
"""Videos, and models with new weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import icseg


def test_a_video_that_was_written_is_read(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), 40 * i, np.uint8) for i in range(5)]
    path = tmp_path / "a.mp4"
    try:
        with icseg.VideoWriter(path, 64, 48, 10) as writer:
            for frame in frames:
                writer.add(frame)
    except icseg.UnsupportedError as error:
        pytest.skip(str(error))
    video = icseg.Video(path)
    assert (video.width, video.height, video.rate) == (64, 48, 10) and "64x48" in repr(video)
    found = list(video)
    assert [f.number for f in found] == list(range(5)) and found[4].seconds == pytest.approx(0.4)
    for frame, made in zip(frames, found):
        assert made.image.shape == (48, 64, 3) and np.abs(made.image.astype(int) - frame).mean() < 8
    video.close()
    with pytest.raises(icseg.ClosedError, match="the video is closed"):
        next(video)
    with pytest.raises(icseg.ClosedError):
        writer.add(frames[0])
    with pytest.raises(LookupError):
        with icseg.VideoWriter(tmp_path / "b.mp4", 64, 48, 10) as writer:
            writer.add(frames[0])
            raise LookupError
    assert not (tmp_path / "b.mp4").exists()
    with pytest.raises(icseg.ArgumentError):
        with icseg.VideoWriter(tmp_path / "b.mp4", 64, 48, 10) as writer:
            writer.add(frames[0][:20])


def test_frames_at_their_times_as_those_of_a_camera(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    try:
        with icseg.VideoWriter(path, 64, 48, 10) as writer:
            for seconds in (0, 0.5, 2):
                writer.add(np.zeros((48, 64, 3), np.uint8), seconds=seconds)
            with pytest.raises(icseg.ArgumentError, match="a frame at -1 seconds"):
                writer.add(np.zeros((48, 64, 3), np.uint8), seconds=-1)
    except icseg.UnsupportedError as error:
        pytest.skip(str(error))
    with icseg.Video(path) as video:
        assert [f.seconds for f in video] == pytest.approx([0, 0.5, 2])
        assert (video.dropped, video.damaged) == (0, 0)
    for options in ({"size": (64, 48)}, {"rate": 30}):
        with pytest.raises(icseg.ArgumentError, match="not a camera"):
            icseg.Video(path, **options)
    with pytest.raises(icseg.FormatError, match="/dev/null: not a camera"):
        icseg.Video("/dev/null", size=(64, 48))


def test_files_that_are_not_videos(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for path in (tmp_path / "text.mp4", tmp_path / "none.mp4", tmp_path):
        with pytest.raises(icseg.Error):
            icseg.Video(path)


def test_a_model_with_new_weights(tmp_path: Path) -> None:
    config = {"resnet_width": 4, "context_length": 40}
    model = icseg.create(["cat", "dog"], preset="tiny-resnet", config=config, tokenizer="bytes", seed=3, threads=1)
    assert model.class_names == ["cat", "dog"] and model.config["resnet_width"] == 4 and "new tiny-resnet" in repr(model)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    model.save(tmp_path / "new.safetensors")
    assert (icseg.load(tmp_path / "new.safetensors", threads=1).logits(image) == model.logits(image)).all()
    twin = icseg.create(["cat", "dog"], preset="tiny-resnet", config=config, tokenizer="bytes", seed=3, threads=1)
    assert (twin.logits(image) == model.logits(image)).all()
    for options in (
        {"preset": "huge"},
        {"config": {"resnet_width": -1}, "preset": "tiny-resnet", "tokenizer": "bytes"},
        {"preset": "tiny-resnet", "tokenizer": "words"},
        {"preset": "tiny-resnet", "tokenizer": "bytes", "class_synonyms": ["a"]},
        {"preset": "rn50"},
    ):
        with pytest.raises(icseg.Error):
            icseg.create(["cat", "dog"], **options)  # type: ignore[arg-type]
