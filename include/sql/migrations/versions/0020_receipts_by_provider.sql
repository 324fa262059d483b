-- The key in an e-mail's link to unsubscribe. An SMS has none, and the gateways never see one.
alter table reminders add column unsubscribe_key uuid;

-- Links that were sent before carry the message's own key, and stay good.
update reminders set unsubscribe_key = idempotency_key
where channel = 'email' and idempotency_key is not null;

alter table reminders add constraint reminders_unsubscribe_key check (unsubscribe_key is null or channel = 'email');
create unique index reminders_unsubscribe_key on reminders (unsubscribe_key) where unsubscribe_key is not null;

comment on column reminders.unsubscribe_key is 'in the link of an e-mail: whoever shows it wants no more e-mail';
