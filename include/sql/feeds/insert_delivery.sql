-- Grain: one delivery, accepted or rejected.
-- Parameters: one per column. The same fingerprint of a revision a second time is refused, with all of its load.
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
