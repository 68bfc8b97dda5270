-- When the earliest of the orders was paid that came for who is pending. Null: something else of theirs may have changed, or it was not
-- kept. What was before that instant stands, and is not worked out again.
alter table intake.pending_people add column orders_from timestamptz;
