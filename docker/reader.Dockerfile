# The reader of the list alone, for a system that reads it:
#   docker build -f docker/reader.Dockerfile -t prakerja-blacklist .
# The context is the repository, and of it only the reader's package is copied (.dockerignore).
ARG PYTHON_IMAGE=python:3.13.18-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY include/prakerja_blacklist /tmp/prakerja_blacklist
COPY requirements-runtime.txt /tmp/requirements-runtime.txt
# `cryptography` as it is pinned for the whole system.
RUN python -m venv /opt/reader \
 && pip wheel --no-deps --wheel-dir /tmp/dist /tmp/prakerja_blacklist \
 && grep -E '^cryptography==' /tmp/requirements-runtime.txt | cut -d ' ' -f 1 > /tmp/pinned.txt \
 && /opt/reader/bin/pip install --only-binary=:all: --constraint /tmp/pinned.txt /tmp/dist/*.whl \
 && /opt/reader/bin/pip uninstall -y pip

FROM ${PYTHON_IMAGE}
RUN useradd --uid 50002 --user-group --no-create-home --shell /usr/sbin/nologin reader \
 && install -d -o reader -g reader -m 0700 /srv/list
COPY --from=build /opt/reader /opt/reader
ENV PATH=/opt/reader/bin:${PATH} PYTHONUNBUFFERED=1
VOLUME /srv/list
USER 50002:50002
ENTRYPOINT ["prakerja-blacklist"]
CMD ["--help"]
