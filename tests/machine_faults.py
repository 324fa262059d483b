"""Where `tests/e2e/test_scaled_out.py` looks for the faults of a machine."""

from tests.support.machine_faults import COMPILER, Clock, Disk, Fault, environment

__all__ = ["COMPILER", "Clock", "Disk", "Fault", "environment"]
