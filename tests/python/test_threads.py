# SPDX-License-Identifier: Apache-2.0
"""Several threads, forked processes, Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import icseg


def python(code: str, timeout: float = 60) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_four_threads_with_a_session_each(model: icseg.Model, photos: list[Path]) -> None:
    images = [photos[i % len(photos)] for i in range(24)]
    wanted = [model(image) for image in images]
    models = [model.clone(threads=1) for _ in range(4)]

    def work(k: int) -> list[icseg.Result]:
        return [models[k](image) for image in images[k::4]]

    with ThreadPoolExecutor(4) as pool:
        for k, results in enumerate(pool.map(work, range(4))):
            for result, expected in zip(results, wanted[k::4]):
                assert (result.labels == expected.labels).all() and (result.confidence == expected.confidence).all()


def test_threads_that_share_a_model_take_turns(model: icseg.Model, photos: list[Path]) -> None:
    wanted = model(photos[0])
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: model(photos[0]), range(16)):
            assert (result.confidence == wanted.confidence).all()


def test_other_threads_run_during_a_call(model: icseg.Model) -> None:
    image = np.zeros((1024, 1024, 3), np.uint8)
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.wait(0.001):
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    model(image)
    after = counted[0]
    stop.set()
    thread.join()
    assert after > before + 3  # a call that held the lock would let it count once, at the end


def test_a_model_closed_by_another_thread_is_closed_after_the_call(checkpoint: Path) -> None:
    for _ in range(20):
        model = icseg.load(checkpoint, threads=1)
        outcomes = []

        def work() -> None:
            try:
                while True:
                    outcomes.append(model(np.zeros((64, 64, 3), np.uint8)).labels.shape)
            except icseg.ClosedError as error:
                outcomes.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        while not outcomes:
            pass
        model.close()
        thread.join(timeout=60)
        assert outcomes[-1] == "the model is closed"


def test_a_forked_process_does_not_hang(checkpoint: Path) -> None:
    printed = python(f"""
        import multiprocessing, numpy, icseg
        model = icseg.load({str(checkpoint)!r}, threads=2)
        image = numpy.zeros((64, 64, 3), numpy.uint8)
        model(image)
        def child(_):
            for use in (lambda: model(image), lambda: icseg.load({str(checkpoint)!r}), model.clone):
                try:
                    use()
                except icseg.ForkError as error:
                    print(error, error.remedy, flush=True)
            model.close()
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.map(child, [0])
        print(model(image).labels.shape)
    """)
    lines = printed.splitlines()
    assert len(lines) == 4 and lines[3] == "(64, 64)"
    assert all('start processes with multiprocessing.get_context("spawn")' in line for line in lines[:3])


def test_a_process_forked_before_the_first_call_can_compute(checkpoint: Path) -> None:
    assert python(f"""
        import multiprocessing, numpy, icseg
        def child(n):
            return icseg.load({str(checkpoint)!r}, threads=1)(numpy.zeros((n, 64, 3), numpy.uint8)).labels.shape
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(child, [32, 64]))
    """) == "[(32, 64), (64, 64)]\n"


def test_ctrl_c_stops_a_prediction(checkpoint: Path) -> None:
    code = f"""
        import icseg, numpy, os, signal, threading, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
        model = icseg.load({str(checkpoint)!r}, threads=1)
        image = numpy.zeros((1600, 1600, 3), numpy.uint8)
        windows = icseg.EvalOptions(mode="slide", crop=(32, 32), stride=(1, 1))  # 2.5 million, which would take an hour
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            model(image, options=windows)
        except KeyboardInterrupt:
            print(model(image[:32, :32]).labels.shape, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """
    assert python(code) == "(32, 32) True\n"


def test_no_work_hangs_in_a_forked_process(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    code = f"""
        import os, signal, threading, time
        import numpy, icseg
        model = icseg.load({str(checkpoint)!r}, threads=2)
        image = numpy.zeros((64, 64, 3), numpy.uint8)
        result, dataset = model(image), icseg.Dataset({str(data)!r}, "val")
        dataset.check(threads=2, callback=False)
        busy, done = model.clone(), threading.Event()
        def work():
            while not done.is_set():
                busy(image)
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.1)
        refused = {{
            "a model in another thread": lambda: busy(image),
            "check": lambda: dataset.check(threads=2, callback=False),
            "synth": lambda: icseg.synth.write({str(tmp_path / 'a')!r}, train=4, val=1, threads=2, callback=False),
            "create": lambda: icseg.create(["a"], preset="tiny-resnet", tokenizer="bytes", config={{"context_length": 40}}),
            "evaluate": lambda: icseg.evaluate(model, dataset, callback=False),
        }}
        allowed = {{
            "sample": lambda: dataset[0],
            "polygons": lambda: result.polygons(),
            "recipe": lambda: icseg.Recipe("rn50"),
            "close": lambda: (model.close(), busy.close()),
        }}
        if os.fork() == 0:
            signal.alarm(30)
            for name, use in {{**refused, **allowed}}.items():
                try:
                    use()
                    print(name, "done", flush=True)
                except icseg.ForkError:
                    print(name, "refused", flush=True)
            os._exit(0)
        print("status", os.wait()[1], flush=True)
        done.set()
        thread.join()
        print(model(image).labels.shape)
    """
    assert python(code).splitlines() == [
        "a model in another thread refused", "check refused", "synth refused", "create refused", "evaluate refused",
        "sample done", "polygons done", "recipe done", "close done", "status 0", "(64, 64)",
    ]


def test_an_object_that_is_closed_during_a_use_is_closed_when_the_use_ends() -> None:
    recipe = icseg.Recipe("tiny-resnet")
    inside, go_on = threading.Event(), threading.Event()

    def use() -> None:
        with recipe._handle:
            inside.set()
            go_on.wait()

    thread = threading.Thread(target=use)
    thread.start()
    inside.wait()
    recipe._handle.close()
    assert recipe._handle.closed and recipe._handle._finalizer.alive
    go_on.set()
    thread.join()
    assert not recipe._handle._finalizer.alive
    with pytest.raises(icseg.ClosedError, match="the recipe is closed"):
        recipe["train.steps"]
    recipe._handle.close()
