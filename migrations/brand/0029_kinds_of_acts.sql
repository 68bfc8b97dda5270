-- What people do is handed on with depth, fan tier and acts without weight told apart. Of who is pending already that was not said: anything
-- may have changed of them.
update intake.pending_people set fact_kind = null where fact_kind = 'interaction';
