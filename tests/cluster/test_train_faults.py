"""Why a Ray Train run failed: the process that is the cause, not those that only talked to it."""

import pytest
from ray.exceptions import ActorDiedError
from ray.train import WorkerGroupError
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback

from raymed.cluster.train_run import _fault_of
from raymed.errors import TrainingError

COLLATERAL = UserExceptionWithTraceback(RuntimeError("Connection closed by peer"), "Traceback a")
LOST = UserExceptionWithTraceback(TrainingError("the loss became nan"), "Traceback b")
BUG = UserExceptionWithTraceback(KeyError("forgotten"), "Traceback c")


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ({0: COLLATERAL, 1: LOST}, "the loss became nan"),
        ({0: COLLATERAL, 1: ActorDiedError()}, "its worker process died, twice"),
        ({0: ActorDiedError(), 1: LOST}, "the loss became nan"),
        ({0: BUG, 1: BUG}, "KeyError: 'forgotten'"),
    ],
)
def test_a_shared_unit_fails_with_the_cause_in_one_line(
    failures: dict[int, Exception], reason: str
) -> None:
    fault = _fault_of(WorkerGroupError("rank 0: Traceback", failures))
    assert fault.reason == reason
    assert "Traceback" in fault.trace
