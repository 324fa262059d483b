"""The whole system on one machine: its processes, under a supervisor, with what they need from the environment."""
