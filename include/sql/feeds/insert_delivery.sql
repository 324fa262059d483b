-- Grain: one delivery, accepted or rejected.
-- Parameters: one per column.
-- Runs once per fingerprint of a revision: a second insert fails, and its transaction loads nothing.
-- Role: ingest.
insert into deliveries (
    delivery_id, platform, business_date, revision, fingerprint, status, reason, detail, generated_at, arrived_on,
    sha256, bytes, rows, amount_idr, loaded, quarantined, quarantined_by_reason, duplicates, verdict
)
values (
    :delivery_id, :platform, :business_date, :revision, :fingerprint, :status, :reason, :detail, :generated_at,
    :arrived_on, :sha256, :bytes, :rows, :amount_idr, :loaded, :quarantined,
    cast(:quarantined_by_reason as jsonb), :duplicates, cast(:verdict as jsonb)
)
