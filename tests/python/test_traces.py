"""150 recorded sessions with the single-row manager that this one stands in for: what each call answered, and the row
that it left. Each step sets a clock; where a step tells no row, the row is that of the step before."""

import functools
import json
import pathlib

import pytest

import foldlog

TRACES = pathlib.Path(__file__).parent.parent / "data" / "single_row_traces.jsonl"


@functools.cache
def sessions():
    with open(TRACES, encoding="utf-8") as lines:
        return [json.loads(line)["steps"] for line in lines]


class Replay:
    """One session. The clock and the ids are those of the step at hand."""

    def __init__(self, path):
        self.path = path
        self.step = {}
        self.manager = self.open()

    def open(self):
        return foldlog.IndexingStateManager(
            self.path, clock=lambda: self.step["now"], new_id=lambda: self.step["id"])

    def restart(self):
        self.manager.close()
        self.manager = self.open()

    def get_active_operation(self):
        found = self.manager.get_active_operation()
        if found is None:
            return None
        return {
            "operation_id": found["operation_id"],
            "operation_type": found["operation_type"].value,
            "status": found["status"].value,
            "checkpoint": found["checkpoint"].to_json(),
            "started_at": int(found["started_at"].timestamp()),
            "updated_at": int(found["updated_at"].timestamp()),
        }

    def resume_operation(self, operation_id):
        return self.manager.resume_operation(operation_id).to_json()

    def start_operation(self, operation_type, **arguments):
        return self.manager.start_operation(foldlog.IndexingOperationType(operation_type), **arguments)

    def answer(self):
        """{"result": …} or {"error": …}."""
        call = getattr(self, self.step["call"], None) or getattr(self.manager, self.step["call"])
        try:
            return {"result": call(**self.step["args"])}
        except foldlog.IndexingError as error:
            return {"error": str(error)}


def test_there_are_150_sessions():
    assert len(sessions()) == 150


@pytest.mark.parametrize("number", range(150))
def test_every_answer_and_every_row_is_the_recorded_one(path, number):
    replay = Replay(path)
    row = None
    for step in sessions()[number]:
        replay.step = step
        row = step.get("row", row)
        assert replay.answer() == {key: step[key] for key in ("result", "error") if key in step}, step
        assert replay.manager.row() == row, step
    replay.manager.close()
