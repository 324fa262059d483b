"""Replays: past days through the real DAGs, in this process. The only part of the package that imports Airflow."""
