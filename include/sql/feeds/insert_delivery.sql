-- Grain: one delivery, accepted or rejected.
-- May run twice: the same fingerprint of a revision is written once, and gives no row the second time.
insert into deliveries (
    platform, business_date, revision, fingerprint, status, reason, detail, generated_at, arrived_on,
    sha256, bytes, rows, amount_idr, loaded, quarantined, quarantined_by_reason, duplicates, verdict
)
values (
    :platform, :business_date, :revision, :fingerprint, :status, :reason, :detail, :generated_at, :arrived_on,
    :sha256, :bytes, :rows, :amount_idr, :loaded, :quarantined, cast(:quarantined_by_reason as jsonb), :duplicates,
    cast(:verdict as jsonb)
)
on conflict (platform, business_date, revision, fingerprint) do nothing
returning delivery_id
