"""The monitor: pages about cohorts, feeds and people, from figures that the runs have counted."""
