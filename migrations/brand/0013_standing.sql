-- Standing of everybody, of ten thousand and of one: what each of them reads.

-- The canonical map alone, where nobody asks what an identity is called: half the time to list everybody.
create view customers.published_canonical as select identity_id, person_id from customers.canonical;

-- Two questions about spans of time that standing asks of everybody. As functions and not as subqueries over unnest, which
-- took four times as long and, being correlated, kept the whole statement on one core.

-- Since when at least `least_count` hold that hold now, of spans given by their sorted begins and ends: since the last begin
-- that found fewer than that many. Begin i found i - 1 begun and so many ended as ends lie before it, so it found fewer when
-- end i - least_count lies before it. At one instant ends come before begins: a span that meets the next one leaves no gap.
create function relationship.held_since(least_count int, begins timestamptz[], ends timestamptz[]) returns timestamptz
language plpgsql immutable strict parallel safe as $$
begin
  for i in reverse cardinality(begins) .. 1 loop
    if i <= least_count or ends[i - least_count] < begins[i] then
      return begins[i];
    end if;
  end loop;
  return null;
end
$$;

-- Until when two held at once, last: they hold between begin i + 1 and end i, when that is later.
create function relationship.two_held_until(begins timestamptz[], ends timestamptz[]) returns timestamptz
language plpgsql immutable strict parallel safe as $$
begin
  for i in reverse cardinality(begins) - 1 .. 1 loop
    if begins[i + 1] < ends[i] then
      return ends[i];
    end if;
  end loop;
  return null;
end
$$;
