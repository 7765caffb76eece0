"""What the tests of the Python module share."""

import os
import shutil
import subprocess
import sys

import pytest

import foldlog

# Generous, because a sanitized build on a busy machine is slow; nothing waits so long unless something is wrong.
TIMEOUT_S = 120


# Told at the moment of the question, so not the same twice.
OF_NOW = {"idle_s", "time_left_s"}


def standing(opened):
    """Its status, as long as nothing is recorded."""
    return {key: value for key, value in opened.status().items() if key not in OF_NOW}


class FrozenClock:
    """Stands still until it is set; knows how often it was asked."""

    def __init__(self, now=1_700_000_000.25):
        self.now = now
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.now


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.passed = outcome.get_result().passed


@pytest.fixture
def tmp_path(request, tmp_path):
    """Goes with the test that passed: each log reserves megabytes for its tail. What a failure left is kept."""
    yield tmp_path
    if getattr(request.node, "passed", False):
        shutil.rmtree(tmp_path)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "log")


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def manager(path, clock):
    with foldlog.IndexingStateManager(path, clock=clock) as opened:
        yield opened


@pytest.fixture
def running(manager):
    """The id of an operation that was just started."""
    return manager.start_operation(foldlog.IndexingOperationType.INITIAL, total_files=1000)


@pytest.fixture
def python():
    """Runs a program in a Python of its own, and gives the process with its output as a pipe."""
    started = []

    def start(program, *arguments):
        process = subprocess.Popen([sys.executable, "-B", "-c", program, *arguments], stdout=subprocess.PIPE, text=True,
                                   env=os.environ)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
