"""Exit with 0 if URL answers 200. Airflow's API server must also reach its database."""

import json
import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:  # noqa: S310 - ours; raises on 4xx, 5xx
    body = answer.read()
if sys.argv[1].endswith("/api/v2/monitor/health"):
    # This URL answers 200 even if the database is down: the status of the database is in the body.
    sys.exit(json.loads(body)["metadatabase"]["status"] != "healthy")
