-- Quota is taken by what makes the work, and by nothing else: request_execution, begin_uploads and their like, each of
-- which writes the row that the quantity is for in the same statement. As `authenticated`, kijko.reserve let a member
-- use up their organization's plan for nothing, under subjects that no work stands behind and no sweep gives back.

revoke execute on function kijko.reserve(text, numeric, uuid) from public, anon, authenticated;
comment on function kijko.reserve(text, numeric, uuid) is
  'kijko.reserve_for the caller''s active organization: for SECURITY DEFINER functions that also write what the quantity '
  'is for. Nobody may call it by itself.';
