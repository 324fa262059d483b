"""Applications over HTTP, within bounds that no client can exceed. Every process that listens uses this package."""

from __future__ import annotations

from prakerja.serving.running import in_thread as in_thread
from prakerja.serving.running import serve as serve
