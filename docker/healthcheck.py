"""Exit 0 when URL answers 200 and, for Airflow's API server, when it also reaches its database."""

import json
import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:  # noqa: S310 - ours; raises on 4xx, 5xx
    body = answer.read()
if sys.argv[1].endswith("/api/v2/monitor/health"):
    # This address answers 200 even when the database is down: the verdict is in the body.
    sys.exit(json.loads(body)["metadatabase"]["status"] != "healthy")
