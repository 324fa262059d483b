"""An OpenTelemetry collector: takes metrics by OTLP over HTTP, and keeps them."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)


@dataclass
class Collector:
    """`points` are (attributes, value) by the metric's name; `text` is all that came."""

    environment: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=lambda: defaultdict(list))
    text: list[str] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        self.text.append(str(request))
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    for point in (*metric.gauge.data_points, *metric.sum.data_points):
                        attributes = {each.key: each.value.string_value for each in point.attributes}
                        self.points[metric.name].append((attributes, point.as_double or point.as_int))


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, until left; `environment` is what sends Airflow's metrics there."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportMetricsServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector.environment = {
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{server.server_port}/v1/metrics",
    }
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
