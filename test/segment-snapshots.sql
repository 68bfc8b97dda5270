-- bought twice, and not for 90 days
-- {"all":[{"orders":{"count":{"at_least":2}}},{"not":{"orders":{"count":{"at_least":1},"window":{"last_days":90}}}}]}
    select person_id, ("h0" and (not "h1")) as holds,
    (case when not ("h0" and (not "h1")) then greatest(case when not "h0" then "u0" end, case when not (not "h1") then "u1" end) else least("u0", "u1") end) as until
    from (
      select s.person_id, (coalesce("c0"."count", 0) >= $1::bigint and true) as "h0", 'infinity'::timestamptz as "u0", (coalesce("c1"."count", 0) >= $2::bigint and true) as "h1", coalesce(least("c1"."turning_0" + make_interval(hours => $3::int)), 'infinity'::timestamptz) as "u1"
      from (
    select person_id, case when coalesce(lapses_at <= $4::timestamptz, false) then lapses_to else depth end as depth,
      case when coalesce(lapses_at <= $5::timestamptz, false) then lapses_at else since end as since, case when coalesce(lapses_at <= $6::timestamptz, false) then null else lapses_at end as lapses_at,
      coalesce(lapses_at <= $7::timestamptz, false) as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.published_standing where person_id > 0) s
      left join (
    select person_id, count(*)  as count, sum(net_minor)  as net_minor, max(at)  as last_at,
      min(at)  as first_at
    from (
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      o.amount_minor - coalesce(o.refunded_minor, 0) as net_minor
    from (
    select o.person_id, o.order_id, o.paid_at, o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from (select * from commerce.published_allocations where person_id > 0) a
      where refunded_at <= $8::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id > 0) o
    where o.paid_at <= $9::timestamptz
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)) r group by person_id) "c0" on "c0".person_id = s.person_id left join (
    select person_id, count(*)  as count, sum(net_minor)  as net_minor, max(at)  as last_at,
      min(at)  as first_at , max(at)  as "turning_0"
    from (
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      o.amount_minor - coalesce(o.refunded_minor, 0) as net_minor
    from (
    select o.person_id, o.order_id, o.paid_at, o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from (select * from commerce.published_allocations where person_id > 0) a
      where refunded_at <= $10::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id > 0) o
    where o.paid_at <= $11::timestamptz and o.paid_at > $12::timestamptz
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)) r group by person_id) "c1" on "c1".person_id = s.person_id
      offset bigint '0'
    ) judged
    offset bigint '0'
-- [2,1,2160,"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2025-12-01T04:00:00.000Z"]

-- spent on tea in the last quarter
-- {"orders":{"net_minor":{"at_least":10000},"window":{"calendar":"last_quarter"},"items":["tea"],"categories":["leaf"],"sources":["shop"]}}
    select person_id, "h0" as holds, "u0" as until
    from (
      select s.person_id, (coalesce("c0"."net_minor", 0) >= $1::bigint and true) as "h0", coalesce(least(case when "c0".person_id is not null then $2::timestamptz end), 'infinity'::timestamptz) as "u0"
      from (
    select person_id, case when coalesce(lapses_at <= $3::timestamptz, false) then lapses_to else depth end as depth,
      case when coalesce(lapses_at <= $4::timestamptz, false) then lapses_at else since end as since, case when coalesce(lapses_at <= $5::timestamptz, false) then null else lapses_at end as lapses_at,
      coalesce(lapses_at <= $6::timestamptz, false) as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.published_standing where person_id > 0) s
      left join (
    select person_id, count(*) filter (where at < $7::timestamptz) as count, sum(net_minor) filter (where at < $8::timestamptz) as net_minor, max(at) filter (where at < $9::timestamptz) as last_at,
      min(at) filter (where at < $10::timestamptz) as first_at
    from (
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      line.net_minor as net_minor
    from (
    select o.person_id, o.order_id, o.paid_at, o.source, o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from (select * from commerce.published_allocations where person_id > 0) a
      where refunded_at <= $11::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id > 0) o
    join (
      select l.person_id, l.order_id, sum(l.amount_minor - coalesce(a.refunded_minor, 0)) as net_minor
      from commerce.published_order_lines l
      left join (
        select person_id, order_id, order_line_no as line_no, sum(amount_minor) as refunded_minor
        from (select * from commerce.published_allocations where person_id > 0) a
        where refunded_at <= $12::timestamptz and order_line_no is not null
        group by person_id, order_id, order_line_no
      ) a using (person_id, order_id, line_no)
      where l.person_id > 0 and "l"."item" = any($13::text[]) and "l"."category" = any($14::text[]) and (a.line_no is null or a.refunded_minor < l.amount_minor)
      group by l.person_id, l.order_id
    ) line using (person_id, order_id)
    where o.paid_at <= $15::timestamptz and o.paid_at >= $16::timestamptz and "o"."source" = any($17::text[])
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)) r group by person_id) "c0" on "c0".person_id = s.person_id
      offset bigint '0'
    ) judged
    offset bigint '0'
-- [10000,"2026-03-31T16:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2025-12-31T16:00:00.000Z","2025-12-31T16:00:00.000Z","2025-12-31T16:00:00.000Z","2025-12-31T16:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",["tea"],["leaf"],"2026-03-01T04:00:00.000Z","2025-09-30T16:00:00.000Z",["shop"]]

-- best buyers, or close ones
-- {"any":[{"rfm":{"segment":["champions"],"m":[5]}},{"fan":{"tier":["active","devoted"]}}]}
    select person_id, (("h0") or ("h1")) as holds,
    (case when (("h0") or ("h1")) then greatest(case when "h0" then "u0" end, case when "h1" then "u1" end) else least("u0", "u1") end) as until
    from (
      select s.person_id, coalesce((s.occasions > 0 and (1 + ((s.net_paid_minor > $1::bigint)::int + (s.net_paid_minor > $2::bigint)::int + (s.net_paid_minor > $3::bigint)::int + (s.net_paid_minor > $4::bigint)::int)) = any($5::int[]) and (((5 - (((s.last_occasion_at < ((($6::timestamptz at time zone $7::text)::date - $8::int)::timestamp at time zone $9::text)))::int + ((s.last_occasion_at < ((($10::timestamptz at time zone $11::text)::date - $12::int)::timestamp at time zone $13::text)))::int + ((s.last_occasion_at < ((($14::timestamptz at time zone $15::text)::date - $16::int)::timestamp at time zone $17::text)))::int + ((s.last_occasion_at < ((($18::timestamptz at time zone $19::text)::date - $20::int)::timestamp at time zone $21::text)))::int)) = any($22::int[]) and (1 + ((s.occasions > $23::bigint)::int + (s.occasions > $24::bigint)::int + (s.occasions > $25::bigint)::int + (s.occasions > $26::bigint)::int)) = any($27::int[])))), false) as "h0", case when (s.occasions > 0 and (1 + ((s.net_paid_minor > $28::bigint)::int + (s.net_paid_minor > $29::bigint)::int + (s.net_paid_minor > $30::bigint)::int + (s.net_paid_minor > $31::bigint)::int)) = any($32::int[])) then coalesce(least(case when (((s.last_occasion_at at time zone $33)::date + $34::int)::timestamp at time zone $35) > $36::timestamptz then (((s.last_occasion_at at time zone $37)::date + $38::int)::timestamp at time zone $39) end), 'infinity'::timestamptz) else 'infinity'::timestamptz end as "u0", ((((coalesce("c1"."until_0" > $40::timestamptz, false))))) as "h1", coalesce(least(case when "c1"."until_0" > $41::timestamptz then "c1"."until_0" end), 'infinity'::timestamptz) as "u1"
      from (
    select person_id, case when coalesce(lapses_at <= $42::timestamptz, false) then lapses_to else depth end as depth,
      case when coalesce(lapses_at <= $43::timestamptz, false) then lapses_at else since end as since, case when coalesce(lapses_at <= $44::timestamptz, false) then null else lapses_at end as lapses_at,
      coalesce(lapses_at <= $45::timestamptz, false) as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.published_standing where person_id > 0) s
      left join (
        select person_id, at, score  , case when score >= $46::float8 then at + make_interval(
    secs => floor($47 * ln(score / $48::float8) / ln(2::float8) + 1e-6) + 1)
    else '-infinity'::timestamptz end as "until_0"
        from (
    select person_id, max(at) as at, sum(weight * growth) / (power(2::float8, greatest(least(round(date_part('epoch', max(at)) * 1000000)::bigint / $49::bigint - 487, 1000), -1000)::float8)
    * power(2::float8, (round(date_part('epoch', max(at)) * 1000000)::bigint % $50::bigint)::float8 / $51::bigint)) as score
    from (
      select person_id, occurred_at as at, sum(weight) as weight, (power(2::float8, greatest(least(round(date_part('epoch', occurred_at) * 1000000)::bigint / $52::bigint - 487, 1000), -1000)::float8)
    * power(2::float8, (round(date_part('epoch', occurred_at) * 1000000)::bigint % $53::bigint)::float8 / $54::bigint)) as growth
      from (select person_id, occurred_at, interaction_id, type from interactions.published_interactions where person_id > 0 and occurred_at <= $55) known
      join (values ($56, $57::float8), ($58, $59::float8), ($60, $61::float8), ($62, $63::float8), ($64, $65::float8), ($66, $67::float8), ($68, $69::float8), ($70, $71::float8), ($72, $73::float8)) as weighed(type, weight) using (type)
      group by person_id, occurred_at
    ) risen group by person_id) last_scores offset 0) "c1" on "c1".person_id = s.person_id
      offset bigint '0'
    ) judged
    offset bigint '0'
-- [2000,5000,20000,20000,[5],"2026-03-01T04:00:00.000Z","Asia/Shanghai",1,"Asia/Shanghai","2026-03-01T04:00:00.000Z","Asia/Shanghai",11,"Asia/Shanghai","2026-03-01T04:00:00.000Z","Asia/Shanghai",61,"Asia/Shanghai","2026-03-01T04:00:00.000Z","Asia/Shanghai",122,"Asia/Shanghai",[5],1,1,1,2,[4,5],2000,5000,20000,20000,[5],"Asia/Shanghai",2,"Asia/Shanghai","2026-03-01T04:00:00.000Z","Asia/Shanghai",2,"Asia/Shanghai","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",20,2592000,20,2592000000000,2592000000000,2592000000000,2592000000000,2592000000000,2592000000000,"2026-03-01T04:00:00.000Z","details_left",10,"share",8,"reply",5,"quiz",4,"check_in",3,"like",3,"comment",3,"click",2,"open",0.5]

-- about to lapse, with an adviser, reachable
-- {"all":[{"depth":{"is":[3,4],"lapses_within_days":30}},{"connection":{"staff":["lin"],"groups":["vip"],"begun":{"from":"2025-01-01"}}},{"consent":{"purpose":"marketing","channel":"wecom","state":"granted"}},{"membership":{}},{"attribute":{"has":"phone"}},{"interactions":{"days_since_last":{"at_most":30},"types":["reply"]}}]}
    select person_id, ("h0" and "h1" and "h2" and "h3" and "h4" and "h5") as holds,
    (case when not ("h0" and "h1" and "h2" and "h3" and "h4" and "h5") then greatest(case when not "h0" then "u0" end, case when not "h1" then "u1" end, case when not "h2" then "u2" end, case when not "h3" then "u3" end, case when not "h4" then "u4" end, case when not "h5" then "u5" end) else least("u0", "u1", "u2", "u3", "u4", "u5") end) as until
    from (
      select s.person_id, (s.depth = any($1::int[]) and coalesce(s.lapses_at - make_interval(hours => $2::int) <= $3::timestamptz, false)) as "h0", coalesce(least(case when s.is_lapsed then $4::timestamptz else s.lapses_at end, case when (s.lapses_at - make_interval(hours => $5::int)) > $6::timestamptz then (s.lapses_at - make_interval(hours => $7::int)) end), 'infinity'::timestamptz) as "u0", ("c1".held_until is not null) as "h1", coalesce(least("c1".held_until), 'infinity'::timestamptz) as "u1", (coalesce("c2".state, 'none') = $8::text) as "h2", 'infinity'::timestamptz as "u2", ("c3".held_until is not null) as "h3", coalesce(least("c3".held_until), 'infinity'::timestamptz) as "u3", ("c4".person_id is not null) as "h4", 'infinity'::timestamptz as "u4", coalesce("c5"."last_at" + make_interval(hours => $9::int) <= $10::timestamptz and "c5"."last_at" + make_interval(hours => $11::int) > $12::timestamptz, false) as "h5", coalesce(least(case when ("c5"."last_at" + make_interval(hours => $13::int)) > $14::timestamptz then ("c5"."last_at" + make_interval(hours => $15::int)) end), 'infinity'::timestamptz) as "u5"
      from (
    select person_id, case when coalesce(lapses_at <= $16::timestamptz, false) then lapses_to else depth end as depth,
      case when coalesce(lapses_at <= $17::timestamptz, false) then lapses_at else since end as since, case when coalesce(lapses_at <= $18::timestamptz, false) then null else lapses_at end as lapses_at,
      coalesce(lapses_at <= $19::timestamptz, false) as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.published_standing where person_id > 0) s
      left join (
    select person_id, max(held_until)  as held_until, min(begun_at)  as begun_at
    from (
      select person_id, fact_id, begun_at, coalesce(ended_at, 'infinity'::timestamptz) as held_until from (
        select person_id, connection_id as fact_id, begun_at, ended_at from customers.published_connections
        where person_id > 0 and "staff" = any($20::text[]) and "group_id" = any($21::text[])  ) r
      where begun_at <= $22::timestamptz and begun_at >= $23::timestamptz
    ) h where held_until > $24::timestamptz group by person_id) "c1" on "c1".person_id = s.person_id left join (
      select distinct on (person_id) person_id, state, consent_id, occurred_at from customers.published_consent_statements
      where person_id > 0 and purpose = $25::text and channel = any($26::text[])
        and occurred_at <= $27::timestamptz
      order by person_id, occurred_at desc, (state = 'withdrawn') desc, consent_id desc) "c2" on "c2".person_id = s.person_id left join (
    select person_id, max(held_until)  as held_until, min(begun_at)  as begun_at
    from (
      select person_id, fact_id, begun_at, coalesce(ended_at, 'infinity'::timestamptz) as held_until from (
        select person_id, membership_id as fact_id, enrolled_at as begun_at, ended_at from customers.published_memberships
        where person_id > 0
      union all
      select person_id, claim_id, enrolled_at, null from customers.published_records
      where person_id > 0 and enrolled_at is not null) r
      where begun_at <= $28::timestamptz
    ) h where held_until > $29::timestamptz group by person_id) "c3" on "c3".person_id = s.person_id left join (
      select person_id, null::bigint as fact_id from customers.published_people
      where person_id > 0 and kind = $30::text
         group by person_id) "c4" on "c4".person_id = s.person_id left join (
    select person_id, count(*)  as count, sum(net_minor)  as net_minor, max(at)  as last_at,
      min(at)  as first_at
    from (
    select person_id, occurred_at as at, interaction_id as fact_id, 0::bigint as net_minor
    from interactions.published_interactions
    where person_id > 0 and occurred_at <= $31::timestamptz
      and "type" = any($32::text[])  ) r group by person_id) "c5" on "c5".person_id = s.person_id
      offset bigint '0'
    ) judged
    offset bigint '0'
-- [[3,4],720,"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",720,"2026-03-01T04:00:00.000Z",720,"granted",0,"2026-03-01T04:00:00.000Z",744,"2026-03-01T04:00:00.000Z",744,"2026-03-01T04:00:00.000Z",744,"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",["lin"],["vip"],"2026-03-01T04:00:00.000Z","2024-12-31T16:00:00.000Z","2026-03-01T04:00:00.000Z","marketing",["","wecom"],"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","phone","2026-03-01T04:00:00.000Z",["reply"]]

-- buy little and bring many, late
-- {"all":[{"depth":{"is":[4]}},{"value":{"transaction":[1],"propagation":[3],"p_alive_percent":{"at_least":50}}},{"rhythm":{"state":["late","at_risk"]}}]}
    select person_id, ("h0" and "h1" and "h2") as holds,
    (case when not ("h0" and "h1" and "h2") then greatest(case when not "h0" then "u0" end, case when not "h1" then "u1" end, case when not "h2" then "u2" end) else least("u0", "u1", "u2") end) as until
    from (
      select s.person_id, (s.depth = any($1::int[])) as "h0", coalesce(least(case when s.is_lapsed then $2::timestamptz else s.lapses_at end), 'infinity'::timestamptz) as "u0", ((exists (select from value.published_runs)) and coalesce((100 * "c1"."p_alive" >= $3::float8), false) and coalesce("c1"."transaction", 1) = any($4::int[]) and coalesce("c1"."propagation", 1) = any($5::int[])) as "h1", 'infinity'::timestamptz as "u1", coalesce(
    (case when s.last_occasion_at = "c2".last_occasion_at then width_bucket($6::timestamptz, "c2".turns_at)
      when s.last_occasion_at is not null then width_bucket((($7::timestamptz at time zone $8::text)::date - (s.last_occasion_at at time zone $9::text)::date), "c2".turns_days) end) = any($10::int[]), false) as "h2", coalesce(
    (case when s.last_occasion_at = "c2".last_occasion_at then least(case when "c2".turns_at[1] > $11::timestamptz then "c2".turns_at[1] end, case when "c2".turns_at[2] > $12::timestamptz then "c2".turns_at[2] end, case when "c2".turns_at[3] > $13::timestamptz then "c2".turns_at[3] end)
      when s.last_occasion_at is not null then ((s.last_occasion_at at time zone $14::text)::date + "c2".turns_days[width_bucket((($15::timestamptz at time zone $16::text)::date - (s.last_occasion_at at time zone $17::text)::date), "c2".turns_days) + 1])::timestamp at time zone $18::text end), 'infinity'::timestamptz) as "u2"
      from (
    select person_id, case when coalesce(lapses_at <= $19::timestamptz, false) then lapses_to else depth end as depth,
      case when coalesce(lapses_at <= $20::timestamptz, false) then lapses_at else since end as since, case when coalesce(lapses_at <= $21::timestamptz, false) then null else lapses_at end as lapses_at,
      coalesce(lapses_at <= $22::timestamptz, false) as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.published_standing where person_id > 0) s
      left join (
        select person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation
        from value.published_settled where person_id > 0) "c1" on "c1".person_id = s.person_id left join (
        select person_id, last_occasion_at, turns_days, turns_at from value.published_settled
        where person_id > 0 and turns_days is not null) "c2" on "c2".person_id = s.person_id
      offset bigint '0'
    ) judged
    offset bigint '0'
-- [[4],"2026-03-01T04:00:00.000Z",50,[1],[3],"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","Asia/Shanghai","Asia/Shanghai",[1,2],"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","Asia/Shanghai","2026-03-01T04:00:00.000Z","Asia/Shanghai","Asia/Shanghai","Asia/Shanghai","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z"]

-- bought twice, and not for 90 days, of few
-- {"all":[{"orders":{"count":{"at_least":2}}},{"not":{"orders":{"count":{"at_least":1},"window":{"last_days":90}}}}]}
    with
      "judged_0" as materialized (
        select *, (("kh0" and (not "kh1")) is null or
    (case when not ("kh0" and (not "kh1")) then greatest(case when not "kh0" then "ku0" end, case when not (not "kh1") then "ku1" end) else least("ku0", "ku1") end) < 'infinity') as "open0" from (
    select s.person_id, s.last_occasion_at , (case when s.occasions = 0 then $1::boolean when s.occasions >= $2::bigint then true end) as "kh0",
      (case when s.occasions = 0 then 'infinity'::timestamptz else 'infinity'::timestamptz end) as "ku0", (case when (s.occasions = 0 or s.last_occasion_at < $3::timestamptz - interval '2 days') then $4::boolean when (s.last_occasion_at > $5::timestamptz and s.last_occasion_at <= $6::timestamptz)::int >= $7::bigint then true end) as "kh1",
      (case when (s.occasions = 0 or s.last_occasion_at < $8::timestamptz - interval '2 days') then 'infinity'::timestamptz else s.last_occasion_at + make_interval(hours => $9::int) end) as "ku1" from (select * from "looked_standing" where person_id in (select person_id from looks)) s offset bigint '0') step),
      "judged_1" as materialized (
        select *, (("h0" and (not "kh1")) is null or
    (case when not ("h0" and (not "kh1")) then greatest(case when not "h0" then "u0" end, case when not (not "kh1") then "ku1" end) else least("u0", "ku1") end) < 'infinity') as "open1" from (
    select s.*
          , coalesce("kh0", case when "open0" then (coalesce("c0"."count", 0) >= $10::bigint and true) end) as "h0",
          case when "kh0" is null then 'infinity'::timestamptz else "ku0" end as "u0"
    from "judged_0" s
    left join (
    select person_id, count(*)  as count, sum(net_minor)  as net_minor, max(at)  as last_at,
      min(at)  as first_at
    from (
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      o.amount_minor - coalesce(o.refunded_minor, 0) as net_minor
    from (
    select o.person_id, o.order_id, o.paid_at, o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from (select * from commerce.published_allocations where person_id = any(array(select person_id from "judged_0" where "open0" and (("kh0" is null))))) a
      where refunded_at <= $11::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id in (select person_id from "judged_0" where "open0" and (("kh0" is null)))) o
    where o.paid_at <= $12::timestamptz
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)) r group by person_id) "c0" on "c0".person_id = s.person_id
    offset bigint '0') step)
    select person_id, ("h0" and (not "h1")) as holds,
    (case when not ("h0" and (not "h1")) then greatest(case when not "h0" then "u0" end, case when not (not "h1") then "u1" end) else least("u0", "u1") end) as until from (
    select s.*
          , coalesce("kh1", case when "open1" then (coalesce("c1"."count", 0) >= $13::bigint and true) end) as "h1",
          case when "kh1" is null then coalesce(least("c1"."turning_0" + make_interval(hours => $14::int)), 'infinity'::timestamptz) else "ku1" end as "u1"
    from "judged_1" s
    left join (
    select person_id, count(*)  as count, sum(net_minor)  as net_minor, max(at)  as last_at,
      min(at)  as first_at , max(at)  as "turning_0"
    from (
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      o.amount_minor - coalesce(o.refunded_minor, 0) as net_minor
    from (
    select o.person_id, o.order_id, o.paid_at, o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from (select * from commerce.published_allocations where person_id = any(array(select person_id from "judged_1" where "open1" and (("kh1" is null))))) a
      where refunded_at <= $15::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id in (select person_id from "judged_1" where "open1" and (("kh1" is null)))) o
    where o.paid_at <= $16::timestamptz and o.paid_at > $17::timestamptz
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)) r group by person_id) "c1" on "c1".person_id = s.person_id
    offset bigint '0') step offset bigint '0'
-- [false,2,"2025-12-01T04:00:00.000Z",false,"2025-12-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",1,"2025-12-01T04:00:00.000Z",2160,2,"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z",1,2160,"2026-03-01T04:00:00.000Z","2026-03-01T04:00:00.000Z","2025-12-01T04:00:00.000Z"]
