-- Whose key a run was made with: what an organization's own key cost, its provider bills to the organization itself.

alter table public.usage_ledger add column own_key boolean;
comment on column public.usage_ledger.own_key is
  'Whether the last attempt that a model worked for was made with the organization''s own key at the provider; null where '
  'none was, or nobody knows.';
