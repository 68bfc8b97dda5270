-- From when on what is known of who is pending may be otherwise, by the facts of this kind: the earliest of their instants. Null: at any
-- instant, or it was not kept. What was before it stands, and need not be worked out again.
alter table intake.pending_people add column changed_from timestamptz;
