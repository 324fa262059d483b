"""The system of `docker-compose.yaml` under podman, without Docker and without a registry, for tests."""
