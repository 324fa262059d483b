"""Replays of past days through the real DAGs, in this process. No other part of the package imports Airflow."""
