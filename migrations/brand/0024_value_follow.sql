-- Who bought for the first time since the run: what came in is known at once, what is expected is not.
alter table value.people
  -- Null: no run has valued them.
  alter column valued_at drop not null,
  alter column p_alive drop not null;
