# One image for every Airflow process, the services, the sandbox and the console.
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
# What no process imports: the packages' own tests, C headers, and pip.
RUN find /opt/venv/lib -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -r {} + \
 && rm -r /opt/venv/lib/python*/site-packages/pyarrow/include /opt/venv/lib/python*/site-packages/pip \
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib

FROM ${PYTHON_IMAGE}
# OpenSSH signs and verifies approvals.
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
# Processes run as `airflow`, people's commands as `console`. Group 0 with group-writable folders: an arbitrary uid works
# as well. Each folder below is a volume or a tmpfs of the containers that write there; nothing else is written.
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin airflow \
 && useradd --uid 50001 --gid 0 --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin console \
 && install -d -o 50000 -g 0 -m 0770 /opt/airflow /srv/home /srv/logs /srv/publish /srv/data-docs \
 && install -d -o 50000 -g 0 -m 0550 /srv/landing /etc/prakerja
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/prakerja/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/prakerja/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=false \
    AIRFLOW__CORE__DEFAULT_TIMEZONE=Asia/Jakarta \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/srv/logs \
    GX_ANALYTICS_ENABLED=false SCARF_ANALYTICS=false DO_NOT_TRACK=1 \
    PRAKERJA_SELF_CONTAINED=no \
    PRAKERJA_SECRETS=/run/secrets \
    PRAKERJA_HOME=/srv/home \
    PRAKERJA_PEOPLE=/etc/prakerja/people.yaml \
    PRAKERJA_CALENDAR=/etc/prakerja/cohorts.yaml \
    PRAKERJA_LANDING=/srv/landing \
    PRAKERJA_PUBLISH=/srv/publish \
    PRAKERJA_DATA_DOCS=/srv/data-docs
COPY docker/entrypoint.sh docker/secret-url.sh docker/healthcheck.py /opt/prakerja/docker/
COPY include /opt/prakerja/include
COPY plugins /opt/prakerja/plugins
COPY dags /opt/prakerja/dags
# No process may write beside the code, so each would compile it again.
RUN python -m compileall -q /opt/prakerja
WORKDIR /opt/prakerja
USER 50000:0
ENTRYPOINT ["/bin/sh", "/opt/prakerja/docker/entrypoint.sh"]
CMD ["airflow", "version"]
