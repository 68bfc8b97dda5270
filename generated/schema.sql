-- Made by `npm run gen` from the catalog of a database with all of migrations/brand; do not edit.

-- audit --------------------------------------------------------------------------------------------------------------
create schema audit;

create table audit.entries (
  entry_id bigint generated always as identity not null,
  done_at timestamp with time zone not null,
  actor_kind text not null,
  actor_id text,
  actor_name text not null,
  operation text not null,
  subjects jsonb not null,
  fields text[] not null,
  constraint entries_pkey PRIMARY KEY (entry_id),
  constraint entries_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'webhook'::text, 'command_line'::text])))
);
CREATE INDEX entries_by_actor ON audit.entries USING btree (actor_kind, actor_id, entry_id);
CREATE INDEX entries_by_time ON audit.entries USING brin (done_at) WITH (autosummarize='on');

-- brand --------------------------------------------------------------------------------------------------------------
create schema brand;

-- Its columns:
--   zone text
--   currency text
--   period_days integer
--   occasion_unit text
--   recency_unit text
--   member_by_purchase boolean
--   phone_claim_days integer
--   spread_window text
create view brand.published_settings as
  select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase, phone_claim_days, spread_window
  from brand.settings;

create table brand.settings (
  only_row boolean default true not null,
  zone text default 'Asia/Shanghai'::text not null,
  currency text,
  period_days integer default 365 not null,
  occasion_unit text default 'day'::text not null,
  recency_unit text default 'day'::text not null,
  member_by_purchase boolean default true not null,
  phone_claim_days integer default 1095 not null,
  spread_window text default 'period'::text not null,
  rebuild_due_at timestamp with time zone,
  margin_rate double precision,
  discount_rate_per_year double precision default 0.1 not null,
  referral_share numeric(5,4) default 0.2 not null,
  attribution_days integer default 30 not null,
  fan_tier_scores double precision[] default '{5,20,60}'::double precision[] not null,
  rfm_recency_days integer[],
  rfm_frequency integer[],
  rfm_monetary_minor bigint[],
  followed_at timestamp with time zone,
  constraint settings_pkey PRIMARY KEY (only_row),
  constraint settings_attribution_days_check CHECK (((attribution_days >= 0) AND (attribution_days <= 3650))),
  constraint settings_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint settings_discount_rate_per_year_check CHECK (((discount_rate_per_year >= (0)::double precision) AND (discount_rate_per_year <= (1)::double precision))),
  constraint settings_fan_tier_scores_check CHECK (((cardinality(fan_tier_scores) = 3) AND ((0)::double precision < fan_tier_scores[1]) AND (fan_tier_scores[1] < fan_tier_scores[2]) AND (fan_tier_scores[2] < fan_tier_scores[3]))),
  constraint settings_margin_rate_check CHECK (((margin_rate > (0)::double precision) AND (margin_rate <= (1)::double precision))),
  constraint settings_occasion_unit_check CHECK ((occasion_unit = ANY (ARRAY['day'::text, 'order'::text]))),
  constraint settings_only_row_check CHECK (only_row),
  constraint settings_period_days_check CHECK (((period_days >= 1) AND (period_days <= 3660))),
  constraint settings_phone_claim_days_check CHECK (((phone_claim_days >= 1) AND (phone_claim_days <= 36600))),
  constraint settings_recency_unit_check CHECK ((recency_unit = ANY (ARRAY['day'::text, '24h'::text]))),
  constraint settings_referral_share_check CHECK (((referral_share >= (0)::numeric) AND (referral_share <= (1)::numeric))),
  constraint settings_rfm_frequency_check CHECK (((cardinality(rfm_frequency) = 4) AND (1 <= rfm_frequency[1]) AND (rfm_frequency[1] < rfm_frequency[2]) AND (rfm_frequency[2] < rfm_frequency[3]) AND (rfm_frequency[3] < rfm_frequency[4]))),
  constraint settings_rfm_monetary_minor_check CHECK (((cardinality(rfm_monetary_minor) = 4) AND (0 <= rfm_monetary_minor[1]) AND (rfm_monetary_minor[1] < rfm_monetary_minor[2]) AND (rfm_monetary_minor[2] < rfm_monetary_minor[3]) AND (rfm_monetary_minor[3] < rfm_monetary_minor[4]))),
  constraint settings_rfm_recency_days_check CHECK (((cardinality(rfm_recency_days) = 4) AND (0 <= rfm_recency_days[1]) AND (rfm_recency_days[1] < rfm_recency_days[2]) AND (rfm_recency_days[2] < rfm_recency_days[3]) AND (rfm_recency_days[3] < rfm_recency_days[4]))),
  constraint settings_spread_window_check CHECK ((spread_window = ANY (ARRAY['period'::text, 'ever'::text])))
);

-- commerce -----------------------------------------------------------------------------------------------------------
create schema commerce;

create table commerce.order_lines (
  person_id bigint not null,
  order_id bigint not null,
  line_no integer not null,
  item text not null,
  item_name text,
  quantity numeric not null,
  unit_price numeric not null,
  amount_minor bigint not null,
  category text,
  constraint order_lines_pkey PRIMARY KEY (person_id, order_id, line_no)
);

create table commerce.orders (
  person_id bigint not null,
  order_id bigint not null,
  identity_id bigint,
  source text not null,
  external_id text not null,
  paid_at timestamp with time zone not null,
  amount_minor bigint not null,
  line_count integer not null,
  recorded_at timestamp with time zone not null,
  constraint orders_pkey PRIMARY KEY (person_id, order_id) INCLUDE (paid_at, amount_minor),
  constraint orders_amount_minor_check CHECK ((amount_minor >= 0)),
  constraint orders_check CHECK (((identity_id IS NULL) = (person_id = 0)))
);
CREATE INDEX orders_by_id ON commerce.orders USING btree (order_id);
CREATE INDEX orders_by_identity ON commerce.orders USING btree (identity_id) WHERE (identity_id IS NOT NULL);
CREATE INDEX orders_by_recorded ON commerce.orders USING brin (recorded_at) WITH (autosummarize='on');
CREATE INDEX orders_free ON commerce.orders USING btree (person_id) WHERE (amount_minor = 0);
CREATE INDEX orders_free_by_id ON commerce.orders USING btree (source, external_id) WHERE (amount_minor = 0);

-- Its columns:
--   person_id bigint
--   refund_id bigint
--   order_id bigint
--   refunded_at timestamp with time zone
--   amount_minor bigint
--   order_line_no integer
create view commerce.published_allocations as
  select person_id, refund_id, order_id, refunded_at, amount_minor, order_line_no from commerce.refund_allocations
  union all
  select o.person_id, r.refund_id, o.order_id, r.refunded_at, 0::bigint, null::int
  from commerce.orders o join commerce.refunds r on r.source = o.source and r.of_external_id = o.external_id
  where o.amount_minor = 0;

-- Its columns:
--   person_id bigint
--   order_id bigint
--   line_no integer
--   item text
--   quantity numeric
--   amount_minor bigint
--   category text
create view commerce.published_order_lines as
  select person_id, order_id, line_no, item, quantity, amount_minor, category from commerce.order_lines;

-- Its columns:
--   person_id bigint
--   order_id bigint
--   source text
--   external_id text
--   paid_at timestamp with time zone
--   amount_minor bigint
--   recorded_at timestamp with time zone
create view commerce.published_orders as
  select person_id, order_id, source, external_id, paid_at, amount_minor, recorded_at from commerce.orders;

-- Its columns:
--   person_id bigint
--   refund_id bigint
--   source text
--   external_id text
--   refunded_at timestamp with time zone
--   amount_minor bigint
--   recorded_at timestamp with time zone
create view commerce.published_refunds as
  select person_id, refund_id, source, external_id, refunded_at, amount_minor, recorded_at from commerce.refunds;

-- Its columns:
--   person_id bigint
--   spread_id bigint
--   order_id bigint
--   spread_at timestamp with time zone
--   voided_at timestamp with time zone
--   voided_id bigint
create view commerce.published_spreads as
  select s.person_id, s.spread_id, s.order_id, s.spread_at, s.voided_at,
    case when s.voided_at is not null then s.voided_id end as voided_id
  from commerce.spreads s
  where s.person_id > 0 and s.buyer_person_id is not null and s.buyer_person_id <> s.person_id;

-- Its columns:
--   kind text
--   recorded_minute timestamp with time zone
--   is_anonymous boolean
--   documents bigint
--   amount_minor bigint
create view commerce.published_totals as
  select kind, recorded_minute, is_anonymous, documents, amount_minor from commerce.totals;

-- Its columns:
--   person_id bigint
--   refund_id bigint
--   refunded_at timestamp with time zone
--   unmatched_minor bigint
create view commerce.published_unmatched as
  select r.person_id, r.refund_id, r.refunded_at, r.amount_minor - coalesce(a.amount_minor, 0) as unmatched_minor
  from commerce.refunds r
  left join (
    select refund_id, sum(amount_minor)::bigint as amount_minor from commerce.refund_allocations group by refund_id
  ) a using (refund_id)
  where r.amount_minor > coalesce(a.amount_minor, 0);

-- Its columns:
--   refund_id bigint
--   unmatched_minor bigint
create view commerce.published_unmatched_refunds as
  select refund_id, unmatched_minor from commerce.unmatched_refunds;

-- Its columns:
--   order_id bigint
--   is_anonymous boolean
create view commerce.published_void_orders as
  select order_id, is_anonymous from commerce.void_orders;

create table commerce.refund_allocations (
  person_id bigint not null,
  refund_id bigint not null,
  refund_line_no integer not null,
  order_id bigint not null,
  order_line_no integer not null,
  refunded_at timestamp with time zone not null,
  amount_minor bigint not null,
  constraint refund_allocations_pkey PRIMARY KEY (person_id, refund_id, refund_line_no, order_id, order_line_no),
  constraint refund_allocations_amount_minor_check CHECK ((amount_minor > 0))
);
CREATE INDEX allocations_by_order ON commerce.refund_allocations USING btree (person_id, order_id);
CREATE INDEX allocations_by_refund ON commerce.refund_allocations USING btree (refund_id);

create table commerce.refund_lines (
  person_id bigint not null,
  refund_id bigint not null,
  line_no integer not null,
  item text not null,
  item_name text,
  quantity numeric not null,
  unit_price numeric not null,
  amount_minor bigint not null,
  category text,
  constraint refund_lines_pkey PRIMARY KEY (person_id, refund_id, line_no),
  constraint refund_lines_amount_minor_check CHECK ((amount_minor >= 0))
);

create table commerce.refunds (
  person_id bigint not null,
  refund_id bigint not null,
  identity_id bigint,
  source text not null,
  external_id text not null,
  refunded_at timestamp with time zone not null,
  of_external_id text,
  amount_minor bigint not null,
  recorded_at timestamp with time zone not null,
  constraint refunds_pkey PRIMARY KEY (person_id, refund_id),
  constraint refunds_amount_minor_check CHECK ((amount_minor >= 0)),
  constraint refunds_check CHECK (((identity_id IS NULL) = (person_id = 0)))
);
CREATE INDEX refunds_by_id ON commerce.refunds USING btree (refund_id);
CREATE INDEX refunds_by_identity ON commerce.refunds USING btree (identity_id) WHERE (identity_id IS NOT NULL);
CREATE INDEX refunds_by_order ON commerce.refunds USING btree (source, of_external_id) WHERE (of_external_id IS NOT NULL);
CREATE INDEX refunds_by_recorded ON commerce.refunds USING brin (recorded_at) WITH (autosummarize='on');

create table commerce.spreads (
  person_id bigint not null,
  order_id bigint not null,
  identity_id bigint,
  buyer_person_id bigint,
  spread_id bigint not null,
  voided_id bigint not null,
  spread_at timestamp with time zone not null,
  voided_at timestamp with time zone,
  recorded_at timestamp with time zone not null,
  constraint spreads_pkey PRIMARY KEY (person_id, order_id),
  constraint spreads_check CHECK ((voided_at >= spread_at)),
  constraint spreads_check1 CHECK (((identity_id IS NULL) = (person_id = 0)))
);
CREATE INDEX spreads_by_order ON commerce.spreads USING btree (order_id);

create table commerce.totals (
  kind text not null,
  recorded_minute timestamp with time zone not null,
  is_anonymous boolean not null,
  documents bigint not null,
  amount_minor bigint not null,
  constraint totals_kind_check CHECK ((kind = ANY (ARRAY['order'::text, 'refund'::text])))
);

create table commerce.unmatched_refunds (
  refund_id bigint not null,
  unmatched_minor bigint not null,
  constraint unmatched_refunds_pkey PRIMARY KEY (refund_id),
  constraint unmatched_refunds_unmatched_minor_check CHECK ((unmatched_minor > 0))
);

create table commerce.void_orders (
  order_id bigint not null,
  is_anonymous boolean not null,
  constraint void_orders_pkey PRIMARY KEY (order_id)
);

CREATE OR REPLACE FUNCTION commerce.add_totals()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    insert into commerce.totals
    select tg_argv[0], date_trunc('minute', recorded_at), person_id = 0, count(*), sum(amount_minor) from came group by 2, 3;
  elsif tg_op = 'DELETE' then
    insert into commerce.totals
    select tg_argv[0], date_trunc('minute', recorded_at), person_id = 0, -count(*), -sum(amount_minor) from went group by 2, 3;
  else
    insert into commerce.totals
    select tg_argv[0], recorded_minute, is_anonymous, sum(documents), sum(amount_minor)
    from (
      select date_trunc('minute', recorded_at) as recorded_minute, person_id = 0 as is_anonymous, 1 as documents, amount_minor from came
      union all
      select date_trunc('minute', recorded_at), person_id = 0, -1, -amount_minor from went
    ) changed group by 2, 3 having sum(documents) <> 0 or sum(amount_minor) <> 0;
  end if;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION commerce.judge_allocated()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  orders bigint[];
  refunds bigint[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds from came;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds from went;
  else
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds
    from (select order_id, refund_id from came union all select order_id, refund_id from went) changed;
  end if;
  if orders is not null then
    perform commerce.judge_orders(orders);
    perform commerce.judge_refunds(refunds);
  end if;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION commerce.judge_changed_orders()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  ids bigint[];
begin
  if tg_op = 'INSERT' then
    select array_agg(order_id) into ids from came where amount_minor = 0;
  elsif tg_op = 'DELETE' then
    select array_agg(order_id) into ids from went;
  else
    select array_agg(order_id) into ids from came;
  end if;
  if ids is not null then
    perform commerce.judge_orders(ids);
  end if;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION commerce.judge_changed_refunds()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  ids bigint[];
  free bigint[];
begin
  if tg_op = 'DELETE' then
    select array_agg(refund_id) into ids from went;
    select array_agg(o.order_id) into free
    from went r join commerce.orders o on o.source = r.source and o.external_id = r.of_external_id and o.amount_minor = 0;
  else
    select array_agg(refund_id) into ids from came;
    select array_agg(o.order_id) into free
    from came r join commerce.orders o on o.source = r.source and o.external_id = r.of_external_id and o.amount_minor = 0;
  end if;
  if ids is not null then
    perform commerce.judge_refunds(ids);
  end if;
  if free is not null then
    perform commerce.judge_orders(free);
  end if;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION commerce.judge_orders(ids bigint[])
 RETURNS void
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  delete from commerce.void_orders where order_id = any(ids);
  insert into commerce.void_orders
  select o.order_id, o.person_id = 0
  from commerce.orders o
  where o.order_id = any(ids) and case when o.amount_minor = 0 then exists (
      select from commerce.refunds r where r.source = o.source and r.of_external_id = o.external_id)
    else o.amount_minor <= (
      select sum(a.amount_minor) from commerce.refund_allocations a
      where a.person_id = o.person_id and a.order_id = o.order_id) end
  on conflict (order_id) do update set is_anonymous = excluded.is_anonymous;
$function$;

CREATE OR REPLACE FUNCTION commerce.judge_refunds(ids bigint[])
 RETURNS void
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  delete from commerce.unmatched_refunds where refund_id = any(ids);
  insert into commerce.unmatched_refunds
  select refund_id, left_minor
  from (
    select r.refund_id, r.amount_minor - coalesce((
      select sum(a.amount_minor) from commerce.refund_allocations a where a.refund_id = r.refund_id), 0) as left_minor
    from commerce.refunds r where r.refund_id = any(ids)
  ) judged where left_minor > 0
  on conflict (refund_id) do update set unmatched_minor = excluded.unmatched_minor;
$function$;

CREATE TRIGGER judged_delete AFTER DELETE ON commerce.orders REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_changed_orders();

CREATE TRIGGER judged_insert AFTER INSERT ON commerce.orders REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_changed_orders();

CREATE TRIGGER judged_update AFTER UPDATE ON commerce.orders REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_changed_orders();

CREATE TRIGGER totals_delete AFTER DELETE ON commerce.orders REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('order');

CREATE TRIGGER totals_insert AFTER INSERT ON commerce.orders REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('order');

CREATE TRIGGER totals_update AFTER UPDATE ON commerce.orders REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('order');

CREATE TRIGGER judged_delete AFTER DELETE ON commerce.refund_allocations REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_allocated();

CREATE TRIGGER judged_insert AFTER INSERT ON commerce.refund_allocations REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_allocated();

CREATE TRIGGER judged_update AFTER UPDATE ON commerce.refund_allocations REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_allocated();

CREATE TRIGGER judged_delete AFTER DELETE ON commerce.refunds REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_changed_refunds();

CREATE TRIGGER judged_insert AFTER INSERT ON commerce.refunds REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.judge_changed_refunds();

CREATE TRIGGER totals_delete AFTER DELETE ON commerce.refunds REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('refund');

CREATE TRIGGER totals_insert AFTER INSERT ON commerce.refunds REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('refund');

CREATE TRIGGER totals_update AFTER UPDATE ON commerce.refunds REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION commerce.add_totals('refund');

-- customers ----------------------------------------------------------------------------------------------------------
create schema customers;

create table customers.canonical (
  identity_id bigint not null,
  person_id bigint not null,
  constraint canonical_pkey PRIMARY KEY (identity_id),
  constraint canonical_person_id_check CHECK ((person_id > 0))
);
CREATE INDEX canonical_by_person ON customers.canonical USING btree (person_id);

create table customers.claim_identities (
  claim_id bigint not null,
  identity_id bigint not null,
  constraint claim_identities_pkey PRIMARY KEY (claim_id, identity_id)
);
CREATE INDEX claim_identities_by_identity ON customers.claim_identities USING btree (identity_id);

create table customers.claims (
  claim_id bigint not null,
  kind text not null,
  source text not null,
  external_id text not null,
  claimed_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  claimed_by text,
  withdrawn_at timestamp with time zone,
  phone_lapsed boolean default false not null,
  first_claimed_at timestamp with time zone,
  constraint claims_pkey PRIMARY KEY (claim_id),
  constraint claims_kind_check CHECK ((kind = ANY (ARRAY['person'::text, 'merge'::text, 'split'::text])))
);
CREATE INDEX claims_by_age ON customers.claims USING btree (claimed_at) WHERE ((kind = 'person'::text) AND (NOT phone_lapsed));
CREATE INDEX claims_by_lapsed_age ON customers.claims USING btree (claimed_at) WHERE ((kind = 'person'::text) AND phone_lapsed);

create table customers.connections (
  person_id bigint not null,
  connection_id bigint not null,
  identity_id bigint,
  source text not null,
  channel text not null,
  begun_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  recorded_at timestamp with time zone not null,
  staff text,
  group_id text,
  constraint connections_pkey PRIMARY KEY (person_id, connection_id),
  constraint connections_check CHECK ((ended_at >= begun_at))
);
CREATE INDEX connections_by_id ON customers.connections USING btree (connection_id);
CREATE INDEX connections_by_identity ON customers.connections USING btree (identity_id, channel);
CREATE INDEX connections_by_staff ON customers.connections USING btree (staff, person_id) WHERE (staff IS NOT NULL);

create table customers.consents (
  person_id bigint not null,
  consent_id bigint not null,
  identity_id bigint not null,
  source text not null,
  purpose text not null,
  channel text not null,
  state text not null,
  evidence text,
  occurred_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  constraint consents_pkey PRIMARY KEY (person_id, consent_id),
  constraint consents_purpose_check CHECK ((purpose = ANY (ARRAY['marketing'::text, 'calls'::text, 'health'::text]))),
  constraint consents_state_check CHECK ((state = ANY (ARRAY['granted'::text, 'withdrawn'::text])))
);

create table customers.cut_links (
  split_claim_id bigint not null,
  claim_id bigint not null,
  identity_id bigint not null,
  constraint cut_links_pkey PRIMARY KEY (split_claim_id, claim_id, identity_id),
  constraint cut_links_split_claim_id_fkey FOREIGN KEY (split_claim_id) REFERENCES customers.claims(claim_id) ON DELETE CASCADE
);
CREATE INDEX cut_links_by_link ON customers.cut_links USING btree (claim_id, identity_id);

create table customers.identities (
  identity_id bigint generated always as identity not null,
  kind text not null,
  namespace text not null,
  value text not null,
  recorded_at timestamp with time zone not null,
  constraint identities_pkey PRIMARY KEY (identity_id),
  constraint identities_value_key UNIQUE (value, kind, namespace),
  constraint identities_kind_check CHECK ((kind = ANY (ARRAY['unionid'::text, 'external_userid'::text, 'openid'::text, 'own_id'::text, 'phone'::text, 'email'::text]))),
  constraint identities_value_check CHECK ((value <> ''::text))
);
CREATE INDEX identities_by_phone_end ON customers.identities USING btree ("right"(value, 4)) WHERE (kind = 'phone'::text);

create table customers.memberships (
  person_id bigint not null,
  membership_id bigint not null,
  identity_id bigint,
  source text not null,
  enrolled_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  recorded_at timestamp with time zone not null,
  constraint memberships_pkey PRIMARY KEY (person_id, membership_id),
  constraint memberships_check CHECK ((ended_at >= enrolled_at))
);
CREATE INDEX memberships_by_id ON customers.memberships USING btree (membership_id);

create table customers.person_changes (
  identity_id bigint not null,
  from_person_id bigint not null,
  to_person_id bigint not null,
  changed_at timestamp with time zone not null
);
CREATE INDEX person_changes_by_identity ON customers.person_changes USING btree (identity_id, changed_at);
CREATE INDEX person_changes_by_person ON customers.person_changes USING btree (to_person_id, changed_at);

-- Its columns:
--   identity_id bigint
--   person_id bigint
create view customers.published_canonical as
  select identity_id, person_id from customers.canonical;

-- Its columns:
--   person_id bigint
--   claim_id bigint
--   claimed_at timestamp with time zone
create view customers.published_claims as
  select r.person_id, r.claim_id, least(c.claimed_at, c.first_claimed_at) as claimed_at
  from customers.records r join customers.claims c using (claim_id);

-- Its columns:
--   person_id bigint
--   connection_id bigint
--   identity_id bigint
--   source text
--   channel text
--   begun_at timestamp with time zone
--   ended_at timestamp with time zone
--   staff text
--   group_id text
create view customers.published_connections as
  select person_id, connection_id, identity_id, source, channel, begun_at, ended_at, staff, group_id from customers.connections;

-- Its columns:
--   person_id bigint
--   consent_id bigint
--   source text
--   purpose text
--   channel text
--   state text
--   occurred_at timestamp with time zone
--   evidence text
create view customers.published_consent_statements as
  select person_id, consent_id, source, purpose, channel, state, occurred_at, evidence from customers.consents;

-- Its columns:
--   person_id bigint
--   purpose text
--   channel text
--   state text
--   consent_id bigint
--   from_at timestamp with time zone
--   until_at timestamp with time zone
create view customers.published_consents as
  select person_id, purpose, channel, state, consent_id, from_at, until_at
  from (
    select k.person_id, k.purpose, k.channel, c.state, c.consent_id, c.occurred_at as from_at,
      lead(c.occurred_at) over (
        partition by k.person_id, k.purpose, k.channel
        order by c.occurred_at, c.state = 'withdrawn', c.consent_id) as until_at
    from (select distinct person_id, purpose, channel from customers.consents) k
    join customers.consents c on c.person_id = k.person_id and c.purpose = k.purpose and c.channel in (k.channel, '')
  ) s
  where until_at is null or until_at > from_at;

-- Its columns:
--   identity_id bigint
--   claim_id bigint
--   kind text
--   source text
--   claimed_at timestamp with time zone
--   claimed_by text
create view customers.published_identity_claims as
  select l.identity_id, c.claim_id, c.kind, c.source, least(c.claimed_at, c.first_claimed_at) as claimed_at, c.claimed_by
  from customers.claim_identities l join customers.claims c using (claim_id)
  where c.withdrawn_at is null and c.kind <> 'split'
    and not exists (
      select from customers.cut_links x join customers.claims s on s.claim_id = x.split_claim_id and s.withdrawn_at is null
      where x.claim_id = l.claim_id and x.identity_id = l.identity_id);

-- Its columns:
--   person_id bigint
--   membership_id bigint
--   enrolled_at timestamp with time zone
--   ended_at timestamp with time zone
--   source text
create view customers.published_memberships as
  select person_id, membership_id, enrolled_at, ended_at, source from customers.memberships;

-- Its columns:
--   person_id bigint
--   identity_id bigint
--   kind text
--   namespace text
--   value text
--   recorded_at timestamp with time zone
create view customers.published_people as
  select c.person_id, i.identity_id, i.kind, i.namespace, i.value, i.recorded_at
  from customers.canonical c join customers.identities i using (identity_id);

-- Its columns:
--   person_id bigint
--   claim_id bigint
--   name text
--   enrolled_at timestamp with time zone
create view customers.published_records as
  select person_id, claim_id, name, enrolled_at from customers.records;

-- Its columns:
--   referrer_person_id bigint
--   invitee_person_id bigint
--   claim_id bigint
--   claimed_at timestamp with time zone
--   campaign text
--   content text
create view customers.published_referral_claims as
  select referrer_person_id, person_id as invitee_person_id, claim_id, claimed_at, campaign, content
  from customers.referral_claims;

create table customers.records (
  person_id bigint not null,
  claim_id bigint not null,
  identity_id bigint not null,
  name text,
  enrolled_at timestamp with time zone,
  unlinked jsonb not null,
  constraint records_pkey PRIMARY KEY (person_id, claim_id)
);
CREATE INDEX records_by_claim ON customers.records USING btree (claim_id);
CREATE INDEX records_by_name_character ON customers.records USING gin (string_to_array(lower(name), NULL::text)) WHERE (name IS NOT NULL);

create table customers.referral_claims (
  person_id bigint not null,
  claim_id bigint not null,
  identity_id bigint not null,
  referrer_person_id bigint not null,
  referrer_identity_id bigint not null,
  source text not null,
  campaign text,
  content text,
  claimed_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  constraint referral_claims_pkey PRIMARY KEY (person_id, claim_id),
  constraint referral_claims_check CHECK ((identity_id <> referrer_identity_id))
);
CREATE INDEX referral_claims_by_referrer ON customers.referral_claims USING btree (referrer_person_id);

create table customers.withdrawn_values (
  identity_id bigint not null,
  unionids integer not null,
  accounts integer not null,
  withdrawn_at timestamp with time zone not null,
  constraint withdrawn_values_pkey PRIMARY KEY (identity_id),
  constraint withdrawn_values_identity_id_fkey FOREIGN KEY (identity_id) REFERENCES customers.identities(identity_id)
);

-- intake -------------------------------------------------------------------------------------------------------------
create schema intake;

CREATE SEQUENCE intake.fact_id AS bigint INCREMENT 1 START 1;

create table intake.api_keys (
  key_id bigint generated always as identity not null,
  name text not null,
  key_hash bytea not null,
  scopes text[] not null,
  created_at timestamp with time zone not null,
  last_used_at timestamp with time zone,
  revoked_at timestamp with time zone,
  created_by uuid,
  constraint api_keys_pkey PRIMARY KEY (key_id),
  constraint api_keys_key_hash_key UNIQUE (key_hash),
  constraint api_keys_key_hash_check CHECK ((length(key_hash) = 32)),
  constraint api_keys_name_check CHECK ((name <> ''::text)),
  constraint api_keys_scopes_check CHECK (((scopes <> '{}'::text[]) AND (scopes <@ ARRAY['facts:write'::text, 'people:read'::text, 'metrics:read'::text])))
);

create table intake.bodies (
  fact_id bigint not null,
  body_hash bytea not null,
  identity_ids bigint[] not null,
  body jsonb not null,
  constraint bodies_pkey PRIMARY KEY (fact_id, body_hash)
);
CREATE INDEX bodies_by_identity ON intake.bodies USING gin (identity_ids);

create table intake.erased (
  identity_hash bytea not null,
  erasure_id bigint not null,
  constraint erased_pkey PRIMARY KEY (identity_hash),
  constraint erased_identity_hash_check CHECK ((length(identity_hash) = 32))
);

create table intake.erasures (
  erasure_id bigint generated always as identity not null,
  erased_at timestamp with time zone not null,
  erased_by text,
  identities integer not null,
  facts integer not null,
  constraint erasures_pkey PRIMARY KEY (erasure_id)
);

create table intake.imports (
  import_id bigint generated always as identity not null,
  file_name text not null,
  mapping_name text not null,
  source text not null,
  options jsonb not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone not null,
  rows_in bigint not null,
  rows_stored bigint not null,
  rows_merged bigint not null,
  rows_rejected bigint not null,
  undone_at timestamp with time zone,
  undone_by text,
  columns text[],
  constraint imports_pkey PRIMARY KEY (import_id),
  constraint imports_check CHECK ((rows_in = ((rows_stored + rows_merged) + rows_rejected)))
);

create table intake.inbox (
  source text not null,
  kind text not null,
  external_id text not null,
  fact_id bigint not null,
  body_hash bytea not null,
  import_id bigint not null,
  recorded_at timestamp with time zone not null,
  version numeric,
  retracted_at timestamp with time zone,
  constraint inbox_pkey PRIMARY KEY (external_id, kind, source),
  constraint inbox_kind_check CHECK ((kind = ANY (ARRAY['order'::text, 'connection'::text, 'person'::text, 'membership'::text, 'interaction'::text, 'review'::text, 'consent'::text, 'referral_claim'::text, 'tag'::text])))
);
CREATE INDEX inbox_by_fact ON intake.inbox USING btree (fact_id);
CREATE INDEX inbox_by_import ON intake.inbox USING brin (import_id);

create table intake.pending_moves (
  subscriber text not null,
  identity_id bigint not null,
  person_id bigint not null,
  constraint pending_moves_pkey PRIMARY KEY (subscriber, identity_id, person_id)
);

create table intake.pending_people (
  subscriber text not null,
  person_id bigint not null,
  pending_since timestamp with time zone,
  fact_kind text,
  fact_id bigint,
  changed_from timestamp with time zone
);
CREATE INDEX pending_people_by_subscriber ON intake.pending_people USING btree (subscriber, person_id);

-- Its columns:
--   fact_id bigint
--   body_hash bytea
--   identity_ids bigint[]
--   body jsonb
create view intake.published_bodies as
  select fact_id, body_hash, identity_ids, body from intake.bodies;

-- Its columns:
--   import_id bigint
--   file_name text
--   mapping_name text
--   finished_at timestamp with time zone
--   rows_in bigint
--   rows_stored bigint
--   rows_merged bigint
--   rows_rejected bigint
create view intake.published_imports as
  select import_id, file_name, mapping_name, finished_at, rows_in, rows_stored, rows_merged, rows_rejected from intake.imports;

-- Its columns:
--   source text
--   kind text
--   external_id text
--   fact_id bigint
--   recorded_at timestamp with time zone
create view intake.published_inbox as
  select source, kind, external_id, fact_id, recorded_at from intake.inbox;

create table intake.subscribers (
  event text not null,
  subscriber text not null,
  constraint subscribers_pkey PRIMARY KEY (event, subscriber),
  constraint subscribers_event_check CHECK ((event = ANY (ARRAY['people_changed'::text, 'identities_moved'::text, 'standing_changed'::text])))
);

create table intake.versions (
  fact_id bigint not null,
  import_id bigint not null,
  body_hash bytea not null,
  version numeric,
  recorded_at timestamp with time zone not null,
  retracted_at timestamp with time zone,
  constraint versions_pkey PRIMARY KEY (fact_id, import_id)
);
CREATE INDEX versions_by_import ON intake.versions USING btree (import_id);

create table intake.webhook_receipts (
  source text not null,
  webhook_id text not null,
  received_at timestamp with time zone not null,
  constraint webhook_receipts_pkey PRIMARY KEY (source, webhook_id)
);
CREATE INDEX webhook_receipts_by_time ON intake.webhook_receipts USING btree (received_at);

create table intake.webhook_sources (
  webhook_id bigint generated always as identity not null,
  source text not null,
  sealed_secret bytea not null,
  created_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint webhook_sources_pkey PRIMARY KEY (webhook_id),
  constraint webhook_sources_source_check CHECK ((source <> ''::text))
);
CREATE INDEX webhook_sources_by_source ON intake.webhook_sources USING btree (source) WHERE (revoked_at IS NULL);

-- interactions -------------------------------------------------------------------------------------------------------
create schema interactions;

create table interactions.interactions (
  person_id bigint not null,
  occurred_at timestamp with time zone not null,
  interaction_id bigint not null,
  identity_id bigint,
  source text not null,
  type text not null,
  item text,
  content text,
  recorded_at timestamp with time zone not null,
  constraint interactions_pkey PRIMARY KEY (person_id, occurred_at, interaction_id)
) partition by RANGE (occurred_at);
CREATE INDEX interactions_by_id ON ONLY interactions.interactions USING btree (interaction_id);

-- Its columns:
--   person_id bigint
--   interaction_id bigint
--   type text
--   item text
--   content text
--   occurred_at timestamp with time zone
--   source text
create view interactions.published_interactions as
  select person_id, interaction_id, type, item, content, occurred_at, source from interactions.interactions;

-- Its columns:
--   person_id bigint
--   review_id bigint
--   item text
--   rating numeric
--   is_recommended boolean
--   reviewed_at timestamp with time zone
--   source text
create view interactions.published_reviews as
  select person_id, review_id, item, rating, is_recommended, reviewed_at, source from interactions.reviews;

create table interactions.reviews (
  person_id bigint not null,
  review_id bigint not null,
  identity_id bigint,
  source text not null,
  item text,
  rating numeric,
  is_recommended boolean,
  reviewed_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  constraint reviews_pkey PRIMARY KEY (person_id, review_id),
  constraint reviews_rating_check CHECK (((rating >= (1)::numeric) AND (rating <= (5)::numeric)))
);
CREATE INDEX reviews_by_id ON interactions.reviews USING btree (review_id);

-- relationship -------------------------------------------------------------------------------------------------------
create schema relationship;

create table relationship.depth_changes (
  person_id bigint not null,
  changed_at timestamp with time zone not null,
  from_depth smallint not null,
  to_depth smallint not null,
  cause_fact_id bigint,
  recorded_at timestamp with time zone not null,
  superseded_at timestamp with time zone,
  cause_kind smallint not null,
  constraint depth_changes_pkey PRIMARY KEY (person_id, changed_at, recorded_at)
);
CREATE INDEX depth_changes_by_time ON relationship.depth_changes USING btree (changed_at) INCLUDE (person_id, from_depth, to_depth, cause_fact_id, cause_kind) WHERE (superseded_at IS NULL);

create table relationship.eventful_occasions (
  person_id bigint not null,
  occasion_key bigint not null,
  from_at timestamp with time zone not null,
  to_at timestamp with time zone,
  occasion_at timestamp with time zone,
  order_id bigint,
  order_count integer,
  net_minor bigint,
  opened_by bigint,
  closed_by bigint,
  constraint eventful_occasions_pkey PRIMARY KEY (person_id, occasion_key, from_at)
) partition by RANGE (person_id);

create table relationship.eventful_occasions_a partition of relationship.eventful_occasions DEFAULT;

create table relationship.eventful_orders (
  person_id bigint not null,
  order_id bigint not null,
  constraint eventful_orders_pkey PRIMARY KEY (person_id, order_id)
) partition by RANGE (person_id);

create table relationship.eventful_orders_a partition of relationship.eventful_orders DEFAULT;

create table relationship.fan_tiers (
  person_id bigint not null,
  follower_until timestamp with time zone not null,
  active_until timestamp with time zone,
  devoted_until timestamp with time zone,
  value_order bigint not null,
  constraint fan_tiers_pkey PRIMARY KEY (person_id)
);
CREATE INDEX fan_tiers_by_active ON relationship.fan_tiers USING btree (active_until) WHERE (active_until IS NOT NULL);
CREATE INDEX fan_tiers_by_devoted ON relationship.fan_tiers USING btree (devoted_until) WHERE (devoted_until IS NOT NULL);
CREATE INDEX fan_tiers_by_follower ON relationship.fan_tiers USING btree (follower_until);
CREATE INDEX fan_tiers_by_value ON relationship.fan_tiers USING btree (value_order, person_id);

-- Its columns:
--   person_id bigint
--   from_at timestamp with time zone
--   to_at timestamp with time zone
--   occasion_at timestamp with time zone
--   order_id bigint
--   order_count integer
--   net_minor bigint
--   opened_by bigint
--   closed_by bigint
create view relationship.occasions as
  select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor, opened_by, closed_by
  from relationship.eventful_occasions
  union all
  select person_id, paid_at, 'infinity'::timestamptz, paid_at, order_id, 1, amount_minor, order_id, null::bigint
  from commerce.published_orders o
  where person_id > 0
    and not exists (select from relationship.eventful_orders e where e.person_id = o.person_id and e.order_id = o.order_id);

create table relationship.people_count_changes (
  depth smallint not null,
  last_occasion_day date,
  occasions integer not null,
  people bigint not null
);

create table relationship.people_counts (
  depth smallint not null,
  last_occasion_day date,
  occasions integer not null,
  people bigint not null,
  constraint people_counts_key UNIQUE NULLS NOT DISTINCT (depth, last_occasion_day, occasions)
);

-- Its columns:
--   person_id bigint
--   changed_at timestamp with time zone
--   from_depth smallint
--   to_depth smallint
--   cause_fact_id bigint
--   recorded_at timestamp with time zone
--   cause_kind smallint
create view relationship.published_depth_changes as
  select person_id, changed_at, from_depth, to_depth, cause_fact_id, recorded_at, cause_kind
  from relationship.depth_changes where superseded_at is null;

-- Its columns:
--   person_id bigint
--   from_at timestamp with time zone
--   to_at timestamp with time zone
--   occasion_at timestamp with time zone
--   order_id bigint
--   order_count integer
--   net_minor bigint
create view relationship.published_occasions as
  select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor from relationship.occasions;

-- Its columns:
--   person_id bigint
--   depth smallint
--   since timestamp with time zone
--   lapses_at timestamp with time zone
--   lapses_to smallint
--   evidence bigint[]
--   depth_if_connected smallint
--   last_occasion_at timestamp with time zone
--   occasions integer
--   net_paid_minor bigint
create view relationship.published_standing as
  select person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
  from relationship.standing;

create table relationship.rfm_cuts (
  in_force_from timestamp with time zone not null,
  recency_unit text not null,
  occasion_unit text not null,
  buyers bigint not null,
  recency_days integer[] not null,
  frequency bigint[] not null,
  monetary_minor bigint[] not null,
  mean_recency_days double precision,
  mean_frequency double precision,
  mean_monetary_minor double precision,
  fixed text[] default '{}'::text[] not null,
  constraint rfm_cuts_pkey PRIMARY KEY (in_force_from)
);

create table relationship.standing (
  person_id bigint not null,
  depth smallint,
  since timestamp with time zone,
  lapses_at timestamp with time zone,
  lapses_to smallint,
  evidence bigint[],
  depth_if_connected smallint,
  last_occasion_at timestamp with time zone,
  occasions integer,
  net_paid_minor bigint,
  constraint standing_pkey PRIMARY KEY (person_id)
) partition by RANGE (person_id);
CREATE INDEX standing_by_lapse ON ONLY relationship.standing USING btree (lapses_at) WHERE (lapses_at IS NOT NULL);
CREATE INDEX standing_by_value ON ONLY relationship.standing USING btree (depth, ((occasions > 0)), ((- net_paid_minor)), person_id);

create table relationship.standing_a partition of relationship.standing DEFAULT;
CREATE INDEX standing_a_depth_expr_expr1_person_id_idx ON relationship.standing_a USING btree (depth, ((occasions > 0)), ((- net_paid_minor)), person_id);
CREATE INDEX standing_a_lapses_at_idx ON relationship.standing_a USING btree (lapses_at) WHERE (lapses_at IS NOT NULL);

CREATE OR REPLACE FUNCTION relationship.held_since(least_count integer, begins timestamp with time zone[], ends timestamp with time zone[])
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
begin
  for i in reverse cardinality(begins) .. 1 loop
    if i <= least_count or ends[i - least_count] < begins[i] then
      return begins[i];
    end if;
  end loop;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION relationship.sorted(instants timestamp with time zone[])
 RETURNS timestamp with time zone[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select array_agg(at order by at) from unnest(instants) as at $function$;

CREATE OR REPLACE FUNCTION relationship.two_held_until(begins timestamp with time zone[], ends timestamp with time zone[])
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
begin
  for i in reverse cardinality(begins) - 1 .. 1 loop
    if begins[i + 1] < ends[i] then
      return ends[i];
    end if;
  end loop;
  return null;
end
$function$;

-- segments -----------------------------------------------------------------------------------------------------------
create schema segments;

create table segments.past_stays (
  person_id bigint not null,
  segment_id bigint not null,
  in_at timestamp with time zone not null,
  out_at timestamp with time zone not null,
  in_cause text not null,
  in_fact_id bigint,
  out_cause text,
  out_fact_id bigint,
  constraint past_stays_pkey PRIMARY KEY (person_id, segment_id, in_at, out_at),
  constraint past_stays_check CHECK ((out_at >= in_at))
) partition by RANGE (out_at);
CREATE INDEX past_stays_by_segment ON ONLY segments.past_stays USING btree (segment_id, person_id);

-- Its columns:
--   person_id bigint
--   segment_id bigint
--   in_at timestamp with time zone
--   out_at timestamp with time zone
create view segments.published_members as
  select person_id, segment_id, in_at, out_at from segments.stays;

-- Its columns:
--   segment_id bigint
--   name text
--   version integer
--   size bigint
--   evaluated_at timestamp with time zone
create view segments.published_segments as
  select segment_id, name, version, size, evaluated_at from segments.segments;

create table segments.segments (
  segment_id bigint generated always as identity not null,
  name text not null,
  version integer not null,
  size bigint default 0 not null,
  evaluated_version integer,
  evaluated_settings text,
  evaluated_cuts timestamp with time zone,
  evaluated_at timestamp with time zone,
  evaluated_run bigint,
  constraint segments_pkey PRIMARY KEY (segment_id),
  constraint segments_name_key UNIQUE (name),
  constraint segments_name_check CHECK ((name <> ''::text))
);

create table segments.sizes (
  segment_id bigint not null,
  day date not null,
  size bigint not null,
  constraint sizes_pkey PRIMARY KEY (segment_id, day),
  constraint sizes_segment_id_fkey FOREIGN KEY (segment_id) REFERENCES segments.segments(segment_id) ON DELETE CASCADE
);

-- Its columns:
--   person_id bigint
--   segment_id bigint
--   in_at timestamp with time zone
--   out_at timestamp with time zone
--   in_cause text
--   in_fact_id bigint
--   out_cause text
--   out_fact_id bigint
create view segments.stays as
  select person_id, segment_id, in_at, 'infinity'::timestamptz as out_at, in_cause, in_fact_id, null::text as out_cause,
    null::bigint as out_fact_id
  from segments.verdicts where in_at is not null
  union all
  select person_id, segment_id, in_at, out_at, in_cause, in_fact_id, out_cause, out_fact_id from segments.past_stays;

create table segments.uses (
  segment_id bigint not null,
  user_kind text not null,
  user_id bigint not null,
  user_name text not null,
  constraint uses_pkey PRIMARY KEY (segment_id, user_kind, user_id),
  constraint uses_segment_id_fkey FOREIGN KEY (segment_id) REFERENCES segments.segments(segment_id)
);
CREATE INDEX uses_by_user ON segments.uses USING btree (user_kind, user_id);

create table segments.verdicts (
  person_id bigint not null,
  segment_id bigint not null,
  due_at timestamp with time zone,
  in_at timestamp with time zone,
  in_fact_id bigint,
  in_cause text,
  constraint verdicts_pkey PRIMARY KEY (person_id, segment_id)
) partition by LIST (segment_id);
CREATE INDEX verdicts_due ON ONLY segments.verdicts USING btree (due_at) WHERE (due_at IS NOT NULL);

create table segments.versions (
  segment_id bigint not null,
  version integer not null,
  definition jsonb not null,
  made_at timestamp with time zone not null,
  made_by text not null,
  constraint versions_pkey PRIMARY KEY (segment_id, version),
  constraint versions_segment_id_fkey FOREIGN KEY (segment_id) REFERENCES segments.segments(segment_id) ON DELETE CASCADE
);

-- tags ---------------------------------------------------------------------------------------------------------------
create schema tags;

create table tags.assignments (
  person_id bigint not null,
  assignment_id bigint not null,
  identity_id bigint not null,
  tag_id bigint not null,
  source text not null,
  origin text,
  strength double precision not null,
  given_at timestamp with time zone not null,
  given_by text,
  edit_id bigint,
  lapses_at timestamp with time zone,
  ends_at timestamp with time zone,
  removed_at timestamp with time zone,
  removed_by text,
  removed_edit_id bigint,
  recorded_at timestamp with time zone not null,
  given_cause text,
  given_fact_id bigint,
  removed_cause text,
  removed_fact_id bigint,
  constraint assignments_pkey PRIMARY KEY (person_id, assignment_id),
  constraint assignments_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags.tags(tag_id),
  constraint assignments_check CHECK ((ends_at >= given_at)),
  constraint assignments_source_check CHECK ((source = ANY (ARRAY['manual'::text, 'rule'::text, 'import'::text, 'wecom'::text]))),
  constraint assignments_strength_check CHECK (((strength > (0)::double precision) AND (strength <= (1)::double precision)))
);
CREATE INDEX assignments_by_edit ON tags.assignments USING btree (edit_id) WHERE (edit_id IS NOT NULL);
CREATE INDEX assignments_by_id ON tags.assignments USING btree (assignment_id);
CREATE INDEX assignments_by_removal ON tags.assignments USING btree (removed_edit_id) WHERE (removed_edit_id IS NOT NULL);
CREATE INDEX assignments_by_tag ON tags.assignments USING btree (tag_id, person_id) INCLUDE (given_at, lapses_at, ends_at, removed_at);

create table tags.edits (
  edit_id bigint generated always as identity not null,
  tag_id bigint not null,
  verb text not null,
  people integer not null,
  done_at timestamp with time zone not null,
  done_by text not null,
  done_by_id text,
  undone_at timestamp with time zone,
  undone_by text,
  constraint edits_pkey PRIMARY KEY (edit_id),
  constraint edits_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags.tags(tag_id) ON DELETE CASCADE,
  constraint edits_verb_check CHECK ((verb = ANY (ARRAY['give'::text, 'take'::text])))
);
CREATE INDEX edits_by_tag ON tags.edits USING btree (tag_id);

create table tags.groups (
  group_id bigint generated always as identity not null,
  name text not null,
  external_id text,
  constraint groups_pkey PRIMARY KEY (group_id)
);
CREATE UNIQUE INDEX groups_by_name ON tags.groups USING btree (lower(name));

-- Its columns:
--   tag_id bigint
--   tag text
--   segment_id bigint
create view tags.published_rules as
  select r.tag_id, t.name as tag, r.segment_id from tags.rules r join tags.tags t using (tag_id);

-- Its columns:
--   person_id bigint
--   tag text
--   source text
--   strength real
--   given_at timestamp with time zone
--   lapses_at timestamp with time zone
create view tags.published_tags as
  select a.person_id, t.name as tag, a.source, a.strength::real as strength, a.given_at,
    least(a.lapses_at, a.ends_at, a.removed_at) as lapses_at
  from tags.assignments a join tags.tags t using (tag_id);

create table tags.rules (
  tag_id bigint not null,
  segment text not null,
  set_at timestamp with time zone not null,
  segment_id bigint not null,
  constraint rules_pkey PRIMARY KEY (tag_id),
  constraint rules_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags.tags(tag_id) ON DELETE CASCADE
);

create table tags.tags (
  tag_id bigint generated always as identity not null,
  group_id bigint,
  name text not null,
  description text,
  life_days integer,
  half_life_days integer,
  archived_at timestamp with time zone,
  external_id text,
  sync_direction text,
  created_at timestamp with time zone not null,
  constraint tags_pkey PRIMARY KEY (tag_id),
  constraint tags_group_id_fkey FOREIGN KEY (group_id) REFERENCES tags.groups(group_id),
  constraint tags_check CHECK (((life_days IS NULL) OR (half_life_days IS NULL))),
  constraint tags_half_life_days_check CHECK ((half_life_days > 0)),
  constraint tags_life_days_check CHECK ((life_days > 0)),
  constraint tags_sync_direction_check CHECK ((sync_direction = ANY (ARRAY['in'::text, 'out'::text, 'both'::text])))
);
CREATE INDEX tags_by_group ON tags.tags USING btree (group_id);
CREATE UNIQUE INDEX tags_by_name ON tags.tags USING btree (lower(name));

-- value --------------------------------------------------------------------------------------------------------------
create schema value;

create table value.cuts (
  in_force_from timestamp with time zone not null,
  own_minor bigint[] not null,
  influenced_minor bigint[] not null,
  constraint cuts_pkey PRIMARY KEY (in_force_from)
);

create table value.fits (
  fit_id bigint generated always as identity not null,
  fitted_at timestamp with time zone not null,
  unit text not null,
  model_asked text not null,
  model text not null,
  reason text,
  occasions jsonb not null,
  spend_model text not null,
  spend_reason text,
  spend jsonb not null,
  margin_rate double precision,
  discount_rate_per_year double precision not null,
  people bigint not null,
  repeaters bigint not null,
  reachable_people bigint not null,
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  calibration jsonb not null,
  drift double precision,
  constraint fits_pkey PRIMARY KEY (fit_id),
  constraint fits_unit_check CHECK ((unit = ANY (ARRAY['day'::text, 'week'::text])))
);

create table value.past_came (
  person_id bigint not null,
  known_expected_minor bigint not null,
  came_minor bigint not null,
  constraint past_came_pkey PRIMARY KEY (person_id)
);

create table value.past_cuts (
  in_force_from timestamp with time zone not null,
  own_minor bigint[] not null,
  influenced_minor bigint[] not null,
  constraint past_cuts_pkey PRIMARY KEY (in_force_from)
);

create table value.past_fits (
  fit_id bigint generated always as identity not null,
  fitted_at timestamp with time zone not null,
  unit text not null,
  model_asked text not null,
  model text not null,
  reason text,
  occasions jsonb not null,
  spend_model text not null,
  spend_reason text,
  spend jsonb not null,
  margin_rate double precision,
  discount_rate_per_year double precision not null,
  people bigint not null,
  repeaters bigint not null,
  reachable_people bigint not null,
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  calibration jsonb not null,
  drift double precision,
  worked_out_at timestamp with time zone,
  known_until timestamp with time zone,
  known_expected_minor bigint,
  known_low_minor bigint,
  known_high_minor bigint,
  came_minor bigint,
  constraint past_fits_pkey PRIMARY KEY (fit_id),
  constraint fits_unit_check CHECK ((unit = ANY (ARRAY['day'::text, 'week'::text])))
);

create table value.past_people (
  person_id bigint not null,
  fit_id bigint not null,
  valued_at timestamp with time zone,
  repeats integer not null,
  last_days integer not null,
  watched_days integer not null,
  mean_spend_minor double precision not null,
  p_alive double precision,
  expected_occasions double precision not null,
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  realised_minor bigint not null,
  net_paid_minor bigint,
  last_occasion_at timestamp with time zone,
  last_day date,
  turns_days integer[],
  constraint past_people_pkey PRIMARY KEY (person_id),
  constraint people_expected_occasions_check CHECK ((expected_occasions >= (0)::double precision)),
  constraint people_p_alive_check CHECK (((p_alive >= (0)::double precision) AND (p_alive <= (1)::double precision)))
);

create table value.past_propagation (
  person_id bigint not null,
  tree_depth integer not null,
  allocated_minor bigint not null,
  influenced_minor bigint not null,
  constraint past_propagation_pkey PRIMARY KEY (person_id)
);

create table value.past_referral_edges (
  person_id bigint not null,
  claim_id bigint not null,
  referrer_person_id bigint not null,
  claimed_at timestamp with time zone not null,
  set_aside text,
  refusal text,
  constraint past_referral_edges_pkey PRIMARY KEY (person_id, claim_id),
  constraint referral_edges_refusal_check CHECK ((refusal = ANY (ARRAY['assist'::text, 'not_arrived'::text, 'outside_window'::text, 'self'::text, 'later_claim'::text, 'cycle'::text]))),
  constraint referral_edges_set_aside_check CHECK ((set_aside = ANY (ARRAY['assist'::text, 'not_arrived'::text, 'outside_window'::text])))
);
CREATE INDEX past_referral_edges_referrer_person_id_idx ON value.past_referral_edges USING btree (referrer_person_id);

create table value.past_settled (
  person_id bigint not null,
  expected_minor bigint not null,
  own_minor bigint not null,
  p_alive double precision,
  allocated_minor bigint not null,
  influenced_minor bigint not null,
  transaction smallint not null,
  propagation smallint not null,
  last_occasion_at timestamp with time zone,
  turns_days integer[],
  turns_at timestamp with time zone[],
  constraint past_settled_pkey PRIMARY KEY (person_id)
);
CREATE INDEX past_settled_own_minor_person_id_idx ON value.past_settled USING btree (own_minor DESC, person_id) WHERE (turns_at IS NOT NULL);

create table value.past_standing (
  person_id bigint not null,
  depth smallint not null,
  last_occasion_at timestamp with time zone,
  net_paid_minor bigint not null,
  constraint past_standing_pkey PRIMARY KEY (person_id)
);

-- Its columns:
--   person_id bigint
--   fit_id bigint
--   valued_at timestamp with time zone
--   p_alive double precision
--   expected_occasions double precision
--   expected_minor bigint
--   expected_low_minor bigint
--   expected_high_minor bigint
--   realised_minor bigint
--   own_minor bigint
--   allocated_minor bigint
--   influenced_minor bigint
--   tree_depth integer
create view value.past_values as
  select person_id, p.fit_id, p.valued_at, p.p_alive, p.expected_occasions, coalesce(p.expected_minor, 0) as expected_minor,
    coalesce(p.expected_low_minor, 0) as expected_low_minor, coalesce(p.expected_high_minor, 0) as expected_high_minor,
    coalesce(p.realised_minor, 0) as realised_minor,
    coalesce(p.realised_minor + p.expected_minor, 0) as own_minor,
    coalesce(g.allocated_minor, p.realised_minor + p.expected_minor, 0) as allocated_minor,
    coalesce(g.influenced_minor, 0) as influenced_minor, coalesce(g.tree_depth, 0) as tree_depth
  from value.past_people p full join value.past_propagation g using (person_id);

create table value.people (
  person_id bigint not null,
  fit_id bigint not null,
  valued_at timestamp with time zone,
  repeats integer not null,
  last_days integer not null,
  watched_days integer not null,
  mean_spend_minor double precision not null,
  p_alive double precision,
  expected_occasions double precision not null,
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  realised_minor bigint not null,
  net_paid_minor bigint,
  last_occasion_at timestamp with time zone,
  last_day date,
  turns_days integer[],
  constraint people_pkey PRIMARY KEY (person_id),
  constraint people_expected_occasions_check CHECK ((expected_occasions >= (0)::double precision)),
  constraint people_p_alive_check CHECK (((p_alive >= (0)::double precision) AND (p_alive <= (1)::double precision)))
);

create table value.propagation (
  person_id bigint not null,
  tree_depth integer not null,
  allocated_minor bigint not null,
  influenced_minor bigint not null,
  constraint propagation_pkey PRIMARY KEY (person_id)
);

-- Its columns:
--   person_id bigint
--   claim_id bigint
--   referrer_person_id bigint
--   claimed_at timestamp with time zone
--   refusal text
create view value.published_referrals as
  select person_id, claim_id, referrer_person_id, claimed_at, refusal from value.referral_edges;

-- Its columns:
--   fit_id bigint
--   fitted_at timestamp with time zone
create view value.published_runs as
  select fit_id, fitted_at from value.fits;

-- Its columns:
--   person_id bigint
--   expected_minor bigint
--   own_minor bigint
--   p_alive double precision
--   allocated_minor bigint
--   influenced_minor bigint
--   transaction smallint
--   propagation smallint
--   last_occasion_at timestamp with time zone
--   turns_days integer[]
--   turns_at timestamp with time zone[]
create view value.published_settled as
  select person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation,
    last_occasion_at, turns_days, turns_at
  from value.settled;

-- Its columns:
--   person_id bigint
--   fit_id bigint
--   valued_at timestamp with time zone
--   p_alive double precision
--   expected_occasions double precision
--   expected_minor bigint
--   expected_low_minor bigint
--   expected_high_minor bigint
--   realised_minor bigint
--   own_minor bigint
--   allocated_minor bigint
--   influenced_minor bigint
--   tree_depth integer
create view value.published_values as
  select person_id, p.fit_id, p.valued_at, p.p_alive, p.expected_occasions, coalesce(p.expected_minor, 0) as expected_minor,
    coalesce(p.expected_low_minor, 0) as expected_low_minor, coalesce(p.expected_high_minor, 0) as expected_high_minor,
    coalesce(p.realised_minor, 0) as realised_minor,
    coalesce(p.realised_minor + p.expected_minor, 0) as own_minor,
    coalesce(g.allocated_minor, p.realised_minor + p.expected_minor, 0) as allocated_minor,
    coalesce(g.influenced_minor, 0) as influenced_minor, coalesce(g.tree_depth, 0) as tree_depth
  from value.people p full join value.propagation g using (person_id);

create table value.referral_edges (
  person_id bigint not null,
  claim_id bigint not null,
  referrer_person_id bigint not null,
  claimed_at timestamp with time zone not null,
  set_aside text,
  refusal text,
  constraint referral_edges_pkey PRIMARY KEY (person_id, claim_id),
  constraint referral_edges_refusal_check CHECK ((refusal = ANY (ARRAY['assist'::text, 'not_arrived'::text, 'outside_window'::text, 'self'::text, 'later_claim'::text, 'cycle'::text]))),
  constraint referral_edges_set_aside_check CHECK ((set_aside = ANY (ARRAY['assist'::text, 'not_arrived'::text, 'outside_window'::text])))
);
CREATE INDEX referral_edges_by_referrer ON value.referral_edges USING btree (referrer_person_id);

create table value.settled (
  person_id bigint not null,
  expected_minor bigint not null,
  own_minor bigint not null,
  p_alive double precision,
  allocated_minor bigint not null,
  influenced_minor bigint not null,
  transaction smallint not null,
  propagation smallint not null,
  last_occasion_at timestamp with time zone,
  turns_days integer[],
  turns_at timestamp with time zone[],
  constraint settled_pkey PRIMARY KEY (person_id)
);
CREATE INDEX settled_by_own ON value.settled USING btree (own_minor DESC, person_id) WHERE (turns_at IS NOT NULL);
