"""The monitor: every cohort, every feed, every person's story, from figures that the runs have counted."""
