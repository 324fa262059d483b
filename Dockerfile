# One image for every Airflow process, the services and the sandbox.
# It contains code only: .dockerignore admits no other paths than those copied below.
ARG PYTHON_IMAGE=python:3.13.18-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements-runtime.txt /tmp/requirements-runtime.txt
RUN /opt/venv/bin/pip install --only-binary=:all: --require-hashes -r /tmp/requirements-runtime.txt
# The package is installed in place, because its SQL, platforms and messages are beside it in include/. Of it, the file
# with its version takes its place here, so that a change of code does not rebuild the layer of the dependencies.
WORKDIR /opt/prakerja
COPY pyproject.toml ./
COPY include/prakerja/__init__.py include/prakerja/
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --editable .

FROM ${PYTHON_IMAGE}
# OpenSSH signs and verifies approvals.
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
# Group 0 with group-writable homes: the image also runs under an arbitrary uid.
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin airflow \
 && install -d -o 50000 -g 0 -m 0770 /opt/airflow /opt/airflow/home /opt/airflow/logs /srv/publish \
 && install -d -o 50000 -g 0 -m 0550 /srv/landing
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/prakerja/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/prakerja/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=false \
    AIRFLOW__CORE__DEFAULT_TIMEZONE=Asia/Jakarta \
    GX_ANALYTICS_ENABLED=false SCARF_ANALYTICS=false DO_NOT_TRACK=1 \
    PRAKERJA_HOME=/opt/airflow/home \
    PRAKERJA_LANDING=/srv/landing \
    PRAKERJA_PUBLISH=/srv/publish
COPY docker/entrypoint.sh docker/secret-url.sh docker/healthcheck.py /opt/prakerja/docker/
COPY include /opt/prakerja/include
COPY plugins /opt/prakerja/plugins
COPY dags /opt/prakerja/dags
WORKDIR /opt/prakerja
USER 50000:0
ENTRYPOINT ["/bin/sh", "/opt/prakerja/docker/entrypoint.sh"]
CMD ["airflow", "version"]
